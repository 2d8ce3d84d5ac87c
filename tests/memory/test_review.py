"""A person's word on lessons: what the table of transitions allows, and nothing else."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.filled import BRANCH, RUN, SCOPE, fill
from tests.store.builders import change
from verbalrl.errors import ConfigurationError, LeaseError, StorageError, UnknownNameError
from verbalrl.memory.editing import edit
from verbalrl.memory.review import Verdict, decide, review
from verbalrl.memory.rollback import rollback
from verbalrl.records import LessonKind, Operation, Origin, Status
from verbalrl.store import LIVE, Store, open_store, reduce


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One run with a behavior and a reflection, the behavior in quarantine on main."""
    asyncio.run(fill(tmp_path))
    with open_store(tmp_path) as opened:
        asyncio.run(opened.publish(BRANCH, kinds=[LessonKind.BEHAVIOR], approve=False))
        yield opened


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(("verdict", "end"), [("approve", "active"), ("retire", "retired")])
def test_only_live_lessons_can_be_decided_on(
    verdict: Verdict, end: str, status: Status, store: Store
) -> None:
    lesson = store.behaviors(SCOPE, run=RUN)[0].replace(status=status, trust=Origin.OPERATOR)
    if status == end:
        assert decide(lesson, verdict) is None
    elif status in LIVE:
        update = decide(lesson, verdict)
        assert update is not None
        assert (update.status, update.trust) == (Status(end), Origin.OPERATOR)
    else:
        with pytest.raises(ConfigurationError, match=f"is {status} and cannot become {end}"):
            decide(lesson, verdict)


def test_an_approved_lesson_is_active_and_a_retired_one_is_gone(store: Store) -> None:
    (waiting,) = store.behaviors(SCOPE, branch="main", usable=False)
    ((branch, before, _, now),) = asyncio.run(review(store, [waiting.id], "approve"))
    assert (branch, before, now.status) == ("main", Status.QUARANTINED, Status.ACTIVE)
    assert store.behaviors(SCOPE) == (now,)
    again = asyncio.run(review(store, [waiting.id, waiting.id], "approve"))
    assert [(one.before, one.lesson) for one in again] == [(Status.ACTIVE, now)]
    asyncio.run(review(store, [waiting.id], "retire"))
    assert store.behaviors(SCOPE, branch="main") == ()


def test_what_a_person_edits_and_approves_no_run_takes_out(store: Store) -> None:
    (lesson,) = store.behaviors(SCOPE, run=RUN)
    edited = asyncio.run(edit(store, lesson.id, {"instruction": "sit down"})).lesson
    assert (edited.status, edited.trust) == (Status.ACTIVE, Origin.TASK)
    gone = change(Operation.RETIRE, lesson.id, trust=Origin.TASK)
    assert reduce([edited], [gone], 5)[0].status is Status.RETIRED
    ((_, before, held, now),) = asyncio.run(review(store, [lesson.id], "approve"))
    assert (before, held, now.trust) == (Status.ACTIVE, Origin.TASK, Origin.OPERATOR)
    with pytest.raises(StorageError, match="may not change operator"):
        reduce([now], [gone], 5)
    assert asyncio.run(review(store, [lesson.id], "approve"))[0].lesson == now
    revision = store.revision(BRANCH, SCOPE)
    asyncio.run(rollback(store, BRANCH, SCOPE, revision - 1))
    assert store.behaviors(SCOPE, run=RUN) == (edited,)


def test_lessons_of_several_scopes_are_decided_on_at_once_or_not_at_all(store: Store) -> None:
    (reflection,), (behavior,) = store.reflections(SCOPE), store.behaviors(SCOPE, run=RUN)
    with pytest.raises(UnknownNameError, match="no lesson 'le_none'"):
        asyncio.run(review(store, [behavior.id, "le_none"], "retire"))
    assert store.behaviors(SCOPE, run=RUN) == (behavior,)
    found = asyncio.run(review(store, [behavior.id, reflection.id], "retire"))
    assert {one.lesson.status for one in found} == {Status.RETIRED}
    with pytest.raises(ConfigurationError, match="is retired and cannot become active"):
        asyncio.run(review(store, [reflection.id], "approve"))


def test_a_run_that_can_be_resumed_keeps_its_memory(store: Store) -> None:
    (behavior,) = store.behaviors(SCOPE, run=RUN)
    store.update_run(RUN, status="stopped")
    with pytest.raises(ConfigurationError, match="can still be resumed"):
        asyncio.run(review(store, [behavior.id], "retire"))


def test_somebody_else_may_be_writing(store: Store) -> None:
    (waiting,) = store.behaviors(SCOPE, branch="main", usable=False)
    with store.acquire_lease("main", "another"), pytest.raises(LeaseError):
        asyncio.run(review(store, [waiting.id], "approve"))


def test_a_lesson_is_looked_for_on_the_branch_that_is_named(store: Store) -> None:
    (behavior,) = store.behaviors(SCOPE, run=RUN)
    with pytest.raises(UnknownNameError, match="in branch main"):
        asyncio.run(review(store, [behavior.id], "retire", branch="main"))

"""Which branch a person means who names a lesson and no branch: the one that lists name."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.filled import BRANCH, RUN, SCOPE, fill
from tests.store.builders import a_run, lane
from verbalrl.errors import ConfigurationError
from verbalrl.memory.changing import places
from verbalrl.memory.editing import edit
from verbalrl.memory.review import review
from verbalrl.records import BranchRecord, Lesson
from verbalrl.store import Store, open_store, source_of

WORDS = {"instruction": "turn left"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    asyncio.run(fill(tmp_path))
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def lesson(store: Store) -> Lesson:
    return store.behaviors(SCOPE, run=RUN)[0]


def begin(store: Store, run: str, parent: str | None = BRANCH, *, learns: bool = True) -> str:
    """A later run that is over; gives its branch."""
    key = lane(run)
    record = a_run(run, task=SCOPE, status="done")
    made = BranchRecord(
        id=key.branch, run=run, arm=key.arm, seed=key.seed, parent=parent, learns=learns
    )
    store.create_run(record, [made])
    return made.id


def test_words_reach_the_next_run_that_starts_from_what_only_read(
    store: Store, lesson: Lesson
) -> None:
    begin(store, "run_read", learns=False)
    listed = source_of(store, None, None).branch
    done = asyncio.run(edit(store, lesson.id, WORDS))
    assert done.branch == listed == BRANCH
    assert [x.instruction for x in store.behaviors(SCOPE)] == ["turn left"]


def test_a_copy_that_learns_and_is_listed_is_changed(store: Store, lesson: Lesson) -> None:
    copy = begin(store, "run_copy")
    assert asyncio.run(edit(store, lesson.id, WORDS)).branch == copy
    ((branch, *_),) = asyncio.run(review(store, [lesson.id], "retire"))
    assert branch == copy == source_of(store, None, None).branch
    (kept,) = store.behaviors(SCOPE, branch=BRANCH)
    assert (kept.usable, kept.instruction) == (True, "turn right")


def test_where_several_may_be_meant_one_is_to_be_named(store: Store, lesson: Lesson) -> None:
    copy = begin(store, "run_copy")
    begin(store, "run_fresh", None)
    said = f"is on 2 branches; say which: --branch {BRANCH} or {copy}"
    with pytest.raises(ConfigurationError, match=said):
        asyncio.run(edit(store, lesson.id, WORDS))
    asyncio.run(review(store, [lesson.id], "retire", branch=copy))
    assert places(store, lesson.id) == (BRANCH,)  # where it lives
    assert asyncio.run(edit(store, lesson.id, WORDS)).branch == BRANCH


def test_a_lesson_that_one_branch_has_needs_no_name(store: Store, lesson: Lesson) -> None:
    begin(store, "run_fresh", None)
    begin(store, "run_read", learns=False)
    assert places(store, lesson.id) == (BRANCH,)
    asyncio.run(store.publish(BRANCH, approve=True))
    (on_main,) = store.behaviors(SCOPE)
    begin(store, "run_of_main", "main")
    assert (places(store, on_main.id), places(store, lesson.id)) == (("main",), (BRANCH,))
    assert places(store, "le_none") == ()


def test_a_branch_that_does_not_learn_says_where_to_make_the_change(
    store: Store, lesson: Lesson
) -> None:
    first = begin(store, "run_read", learns=False)
    again = begin(store, "run_again", first, learns=False)
    for branch in (first, again):
        said = f"branch {branch} does not learn; make the change on {BRANCH}"
        with pytest.raises(ConfigurationError, match=said):
            asyncio.run(edit(store, lesson.id, WORDS, branch=branch))

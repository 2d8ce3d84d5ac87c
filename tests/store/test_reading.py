"""What a person asks a store for: lessons by task, ids by how they begin."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.filled import BRANCH, INSTANCE, RUN, SCOPE, fill
from tests.store.builders import lane, open_lane
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.records import Commit, LessonKind, MemoryUpdate, Operation
from verbalrl.store import Store, open_store, source_of, within
from verbalrl.store.finding import TABLES, select


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Store]:
    asyncio.run(fill(tmp_path))
    with open_store(tmp_path) as store:
        yield store


def retire(store: Store, lesson: str, scope: str, base: int = 1) -> None:
    update = MemoryUpdate(op=Operation.RETIRE, lesson=lesson)
    made = Commit(id=f"cu_{lesson}", branch=BRANCH, scope=scope, base=base, updates=(update,))
    asyncio.run(store.put_commit(made))


def test_a_task_takes_in_the_reflections_on_its_instances(filled: Store) -> None:
    (reflection,) = filled.reflections(scope=SCOPE)
    assert reflection.scope == INSTANCE
    assert filled.reflections(scope=INSTANCE) == (reflection,)
    assert [b.scope for b in filled.behaviors(scope=SCOPE)] == [SCOPE]


@pytest.mark.parametrize("scope", ["toy", "toy-v1/", "toy-v1/train/0/x", "0", ""])
def test_scopes_are_compared_by_whole_parts_of_their_paths(scope: str, filled: Store) -> None:
    assert filled.reflections(scope=scope) == ()
    assert filled.behaviors(scope=scope) == ()


def test_a_scope_below_the_task_of_a_file_counts_by_its_instance(filled: Store) -> None:
    (reflection,) = filled.reflections(scope=SCOPE)
    evidence = reflection.evidence[0].replace(instance="q1")
    moved = reflection.replace(scope="sums/q1", evidence=(evidence,))
    assert within(moved, "sums")
    assert not within(moved.replace(evidence=()), "sums")


def test_lessons_that_may_not_be_used_are_read_when_asked_for(filled: Store) -> None:
    (reflection,) = filled.reflections(scope=SCOPE)
    retire(filled, reflection.id, INSTANCE)
    assert filled.reflections(scope=SCOPE) == ()
    assert [x.id for x in filled.reflections(scope=SCOPE, usable=False)] == [reflection.id]


def test_which_branch_is_read(filled: Store) -> None:
    kinds = (LessonKind.BEHAVIOR,)
    asyncio.run(filled.publish(BRANCH, kinds=kinds, approve=True))
    on_main, on_run = filled.behaviors(SCOPE), filled.behaviors(SCOPE, run=RUN)
    assert on_main == filled.behaviors(SCOPE, branch="main") != on_run
    assert on_run == filled.behaviors(SCOPE, branch=BRANCH)
    # `main` has no reflections, so the latest run is read.
    assert filled.reflections(SCOPE) == filled.reflections(SCOPE, run=RUN)
    assert filled.reflections(SCOPE, branch=f"{RUN}/learned/1") == ()
    with pytest.raises(ConfigurationError, match="not both"):
        filled.behaviors(SCOPE, run=RUN, branch="main")
    with pytest.raises(UnknownNameError):
        filled.behaviors(SCOPE, branch="mian")


def test_a_later_run_of_controls_alone_hides_no_lessons(filled: Store) -> None:
    before = source_of(filled, None, None)
    open_lane(filled, lane("run_later", "none"))
    after = source_of(filled, None, None)
    assert (before.branch, before.why) == (BRANCH, "latest run, arm learned, seed 0")
    assert (after.branch, after.why) == (
        BRANCH,
        "latest run that learned, arm learned, seed 0",
    )


def test_of_a_run_that_only_read_the_branch_is_read_that_it_started_from(filled: Store) -> None:
    open_lane(filled, lane("run_newer"))
    only_read = open_lane(filled, lane("run_read"), parent=BRANCH, learns=False)
    said = (BRANCH, "run_read started from it and learned nothing")
    assert source_of(filled, None, None) == said
    open_lane(filled, lane("run_again"), parent=only_read, learns=False)
    assert source_of(filled, None, None).branch == BRANCH
    assert source_of(filled, None, "run_read").branch == only_read
    open_lane(filled, lane("run_of_main"), parent="main", learns=False)
    assert source_of(filled, None, None).branch == BRANCH
    open_lane(filled, lane("run_alone"), learns=False)
    assert source_of(filled, None, None).branch == BRANCH


def test_a_copy_that_learns_is_read_itself(filled: Store) -> None:
    copy = open_lane(filled, lane("run_copy"), parent=BRANCH)
    assert source_of(filled, None, None) == (copy, "latest run, arm learned, seed 0")


def test_a_store_whose_runs_learn_nothing_has_no_lessons(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        open_lane(store, lane(arm="none"))
        assert source_of(store, None, None) == ("main", "no run has learned")
        assert store.behaviors(SCOPE) == ()


def test_a_store_without_runs_has_no_lessons(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        assert store.reflections(SCOPE) == ()


def test_ids_are_found_by_how_they_begin(filled: Store) -> None:
    found = filled.ids_beginning("cr_0000")
    assert found["critiques"] == [f"cr_{n:020d}" for n in (1, 2, 3)]
    assert not any(names for table, names in found.items() if table != "critiques")
    assert filled.ids_beginning("cr_0000", limit=2)["critiques"] == found["critiques"][:2]
    assert filled.ids_beginning("r")["runs"] == [RUN]


@pytest.mark.parametrize("table", TABLES)
def test_ids_are_looked_up_in_an_index(table: str, filled: Store) -> None:
    plan = filled._read(
        lambda c: c.execute(f"EXPLAIN QUERY PLAN {select(table)}", ("a", "b", 9)).fetchall()
    )
    assert all(step[3].startswith("SEARCH") and "INDEX" in step[3] for step in plan), plan

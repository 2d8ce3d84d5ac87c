"""What is read as columns says what the records say."""

import random
from pathlib import Path

import pytest

from tests.store.builders import (
    a_commit,
    a_run,
    add,
    an_episode,
    lane,
    new_store,
    open_lane,
    wait,
)
from verbalrl.execution.tally import outcome_of
from verbalrl.records import BranchRecord, Episode, Status
from verbalrl.result import solved_by
from verbalrl.result.figures import judged
from verbalrl.store import LIVE, Store, Words


def attempts(seed: int, *, judges: bool) -> list[Episode]:
    """Of every kind that there is: judged or not, cut short before the first step or after."""
    draw = random.Random(seed)
    told = (True, False, None) if judges else (None,)
    return [
        an_episode(
            lane(seed=s),
            f"i{i}",
            trial,
            steps=draw.choice((0, 0, 2)),
            success=draw.choice(told),
            status=draw.choice(("finished", "finished", "finished", "failed")),
            truncated=draw.random() < 0.5,
        )
        for s in (0, 1)
        for i in range(12)
        for trial in range(1, draw.randint(1, 3) + 1)
    ]


@pytest.mark.parametrize("judges", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_solved_is_what_the_outcomes_say(
    tmp_path: Path, seed: int, *, judges: bool
) -> None:
    made = attempts(seed, judges=judges)
    with new_store(tmp_path) as store:
        open_lane(store)
        for episode in made:
            wait(store.put_episode(episode))
        outcomes = judged([outcome_of(e) for e in made])
        for trial in (1, 2, 3):
            wanted = solved_by(outcomes, "train", trial)
            assert store.solved("r1", "learned", "train", trial) == wanted
            assert store.solved("r1", "learned", "test", trial) == {}
    assert wanted
    assert len(wanted) < 24 or judges


def test_what_becomes_known_later_is_not_known_before(tmp_path: Path) -> None:
    unknown = an_episode(lane(), "i1", 2, success=None, truncated=False)
    with new_store(tmp_path) as store:
        open_lane(store)
        wait(store.put_episode(unknown))
        assert store.solved("r1", "learned", "train", 1) == {}
        outcomes = judged([outcome_of(unknown)])
        assert store.solved("r1", "learned", "train", 2) == solved_by(outcomes, "train", 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_where_success_is_always_known_the_index_tells_it(tmp_path: Path, seed: int) -> None:
    made = [e for e in attempts(seed, judges=True) if e.success is not None]
    with new_store(tmp_path) as store:
        open_lane(store)
        for episode in made:
            wait(store.put_episode(episode))
        asked: list[str] = []
        store._reader.set_trace_callback(asked.append)
        for trial in (1, 2, 3):
            wanted = solved_by([outcome_of(e) for e in made], "train", trial)
            assert store.solved("r1", "learned", "train", trial) == wanted
        assert store.groups("r1")
        store._reader.set_trace_callback(None)
        looks = [x for x in asked if "FROM episodes" in x]
        assert len(looks) == 4
        for look in looks:
            plan = store._reader.execute(f"EXPLAIN QUERY PLAN {look}").fetchone()
            assert "COVERING INDEX episodes_lane" in plan[3]


def family(store: Store) -> tuple[str, str]:
    """A branch with lessons, and one that reads some of them through."""
    home = open_lane(store)
    made = [add(f"le_{n}", status=s) for n, s in enumerate((*LIVE, Status.ACTIVE))]
    wait(store.put_commit(a_commit(home, 0, *made[:2])))
    wait(store.put_commit(a_commit(home, 0, *made[2:], scope="r")))
    store.create_run(a_run("r2"))
    child = BranchRecord(id="r2/learned/0", run="r2", arm="learned", seed=0, parent=home)
    return home, store.create_branch(child).id


def test_what_lessons_say_is_in_their_order_also_through_a_parent(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        for branch in family(store):
            usable = [x for x in store.current_lessons(branch) if x.usable]
            assert usable
            assert store.said(branch, (Status.ACTIVE, Status.PROVISIONAL)) == tuple(
                Words(x.when, x.when_not, x.instruction) for x in usable
            )


def test_places_are_those_of_the_lessons_and_lead_to_them(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        home, _ = family(store)
        lessons, places = store.current_lessons(home), store.places(home, {"kind": None})
        assert [(p.id, p.scope, p.content, p.born, p.position) for p in places] == [
            (x.id, x.scope, x.body.content, x.born, x.position) for x in lessons
        ]
        gone = places[0]._replace(id="le_none")
        assert store.lessons_of(home, [*places[::-1], gone]) == lessons[::-1]


def test_a_place_leads_to_its_lesson_where_another_scope_has_one_of_that_name(
    tmp_path: Path,
) -> None:
    with new_store(tmp_path) as store:
        home = open_lane(store)
        wait(store.put_commit(a_commit(home, 0, add("le_1", "here"), scope="s")))
        wait(store.put_commit(a_commit(home, 0, add("le_1", "there"), scope="t")))
        places = store.places(home, {})
        assert [p.scope for p in places] == ["s", "t"]
        assert [x.scope for x in store.lessons_of(home, places)] == ["s", "t"]
        asked: list[str] = []
        store._reader.set_trace_callback(asked.append)
        store.lessons_of(home, places)
        store._reader.set_trace_callback(None)
        look = next(x for x in asked if "FROM lessons" in x)
        plan = store._reader.execute(f"EXPLAIN QUERY PLAN {look}").fetchone()
        # Not a walk through the branch.
        assert "(branch=? AND scope=? AND id=?)" in plan[3]

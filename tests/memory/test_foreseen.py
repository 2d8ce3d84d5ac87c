"""What a preview reads of a store is enough to say what the whole store says."""

from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import (
    a_commit,
    a_run,
    add,
    an_episode,
    body,
    change,
    lane,
    new_store,
    open_lane,
    seen,
    wait,
)
from verbalrl.memory.lineage import Target, trace
from verbalrl.memory.revoke import Revocation, decided, foreseen, revoke, with_earlier
from verbalrl.records import BranchRecord, Evidence, Operation, Status
from verbalrl.store import Store

HOME = lane().branch


def whole(store: Store, lesson: str) -> dict[Any, Any]:
    """By branch and scope, from every update that there is."""
    target = with_earlier(Target(lessons=frozenset({lesson})), store.barred())
    memories = trace(store.lines(), store.branches(), target)
    return decided(memories, target, f"revoked: lesson {lesson}")


def agreed(store: Store, lesson: str) -> Revocation:
    found = foreseen(store, lesson)
    assert found.places == whole(store, lesson)
    return found


def learned(store: Store, *groups: list[Any]) -> None:
    open_lane(store)
    for base, made in enumerate(groups):
        wait(store.put_commit(a_commit(HOME, base, *made)))


def merged() -> list[Any]:
    text = body("both")
    both = change(Operation.MERGE, "le_m", body=text, parents=("le_a", "le_b"), evidence=(seen(),))
    return [both]


def test_a_lesson_falls_with_its_merger_and_gives_its_parents_back(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        learned(store, [add("le_a"), add("le_b"), add("le_c")], merged())
        found = agreed(store, "le_m").places[HOME, "s"]
        assert (found.fallen, found.restored) == (["le_m"], ["le_a", "le_b"])
        assert agreed(store, "le_a").places[HOME, "s"].fallen == ["le_a", "le_m"]
        assert store.lines_around({"le_c"}) == store.lines(lesson="le_c")


def test_what_another_lesson_says_by_now_does_not_come_back(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        again = add("le_d", "le_a")
        learned(store, [add("le_a"), add("le_b")], merged(), [again])
        assert agreed(store, "le_m").places[HOME, "s"].restored == ["le_b"]
        assert {x.update.lesson for x in store.lines_around({"le_m"})} == {
            *("le_a", "le_b", "le_d", "le_m")
        }


def test_a_branch_that_reads_an_earlier_revision_has_the_texts_of_then(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        again = add("le_d", "le_a")
        reworded = change(Operation.REVISE, "le_d", body=body("else"), evidence=(seen(),))
        learned(store, [add("le_a"), add("le_b")], merged(), [again])
        store.create_run(a_run("r2"))
        child = BranchRecord(id="r2/learned/0", run="r2", arm="learned", seed=0, parent=HOME)
        store.create_branch(child)
        wait(store.put_commit(a_commit(HOME, 3, reworded)))
        places = agreed(store, "le_m").places
        assert places[HOME, "s"].restored == ["le_a", "le_b"]
        assert places[child.id, "s"].restored == ["le_b"]


@pytest.mark.parametrize("kind", ["source", "episode", "lesson", "nothing"])
def test_what_is_barred_stays_so_in_the_preview_of_another(tmp_path: Path, kind: str) -> None:
    with new_store(tmp_path) as store:
        open_lane(store)
        episode = an_episode()
        wait(store.put_episode(episode))
        told = Evidence(
            critique="cr_x", episode=episode.id, instance="i1", trial=1, sources=("ann",)
        )
        mixed = (seen("i2"), told)
        made = [add("le_a", evidence=(told,)), add("le_b", evidence=mixed), add("le_c")]
        wait(store.put_commit(a_commit(HOME, 0, *made)))
        names = {"source": "ann", "episode": episode.id, "lesson": "le_a"}
        if kind in names:
            wait(revoke(store, **{kind: names[kind]}, end_runs=True))
        for lesson in ("le_a", "le_b", "le_c"):
            agreed(store, lesson)
        around = {x.update.lesson for x in store.lines_around({"le_c"})}
        assert around == {
            "source": {"le_a", "le_b", "le_c"},
            "episode": {"le_a", "le_b", "le_c"},
            "lesson": {"le_a", "le_c"},
        }.get(kind, {"le_c"})
        assert store.lesson("le_c", branch=HOME).status is Status.ACTIVE  # type: ignore[union-attr]

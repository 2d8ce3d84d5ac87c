"""Between rounds little is kept in memory; a lane that goes on finds all that it has seen."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.loop.world import Staged, episode, episodes, pressing, run, safes
from verbalrl import Limits, growth
from verbalrl.errors import MethodError
from verbalrl.methods import MethodSettings, plans
from verbalrl.methods.base import Learns
from verbalrl.records import (
    Batch,
    CurateLessons,
    Done,
    InstanceView,
    LessonKind,
    OpenRound,
    SharedView,
    Situation,
    WriteCritique,
)
from verbalrl.store import Store

TASK = safes("green", "blue")
seen: list[InstanceView] = []
closed: list[SharedView] = []


class TwoRounds(MethodSettings):
    """An attempt in each of two rounds; critiques in the first."""

    name: str = "two_rounds"
    learns: Learns = "instance"
    trials: int = 2

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round, then a critique."""
        if len(view.episodes) < view.number:
            seen.append(view)
            return Batch(work=(episode(view, trial=view.number),))
        if view.number == 1 and not view.critiques:
            return plans.write_critique(view.episodes[-1])
        return Done()

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Two rounds over everything."""
        closed[:] = [view]
        number = len(view.rounds) + 1
        if number > 2:
            return Done()
        return OpenRound(instances=view.train, split="train", trial=number)


def test_a_lane_that_goes_on_sees_what_the_store_holds(store: Store) -> None:
    seen.clear()
    result = run(store, pressing("red"), TwoRounds(), TASK)
    again = [view for view in seen if view.number == 2]
    first = {e.instance: e for e in episodes(store, result) if e.trial == 1}
    assert [view.episodes for view in again] == [(first[v.instance.id],) for v in again]
    assert [view.critiques for view in again] == [
        store.critiques(instance=v.instance.id) for v in again
    ]
    assert all(view.critiques[0].raw or view.critiques[0].proposals for view in again)


def test_closed_rounds_keep_how_it_went_and_not_what_was_said(store: Store) -> None:
    result = run(store, pressing("green"), TwoRounds(), TASK)
    (view,) = closed
    kept = [e for r in view.rounds for e in r.episodes]
    assert len(kept) == 4
    for past in kept:
        (stored,) = (e for e in episodes(store, result) if e.id == past.id)
        assert (past.success, past.reward, past.status) == (
            stored.success,
            stored.reward,
            stored.status,
        )
        assert past.spec == stored.spec.replace(guidance={}, max_steps=None)
        assert not hasattr(past, "trajectory")
    critiques = [c for r in view.rounds for c in r.critiques]
    assert [(c.id, c.status, c.episodes) for c in critiques] == [
        (c.id, c.status, c.episodes) for c in store.critiques()
    ]
    assert not any(hasattr(c, "proposals") or hasattr(c, "raw") for c in critiques)
    # Equal judgements are one object.
    assert len({id(e.reward) for e in kept}) == len({e.reward.value for e in kept})


def test_a_lane_that_sleeps_shares_its_past_with_closed_rounds(store: Store) -> None:
    run(store, pressing("red"), TwoRounds(), TASK)
    view = seen[-1]
    first = growth.kept(view)
    grown = replace(view, episodes=(*view.episodes, *view.episodes))
    second = growth.kept(grown, first)
    assert second.episodes[0] is first.episodes[0]
    opened = OpenRound(instances=(view.instance.id,))
    name = view.instance.id
    shared = growth.close_round(closed[0], opened, {name: first}, {name: second})
    assert shared.rounds[-1].episodes == (second.episodes[-1],)
    assert shared.rounds[-1].episodes[0] is second.episodes[-1]
    assert growth.kept(replace(view, episodes=())) is growth.NOTHING


class Again(Staged):
    """In its second round a lane asks for what it asked for in the first."""

    what: str

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """An attempt, its critique and its reflections; then one of them once more."""
        said = tuple(c.id for c in view.critiques)
        commit = CurateLessons(
            critiques=said, scope=view.instance_scope, kind=LessonKind.REFLECTION
        )
        critique = WriteCritique(episodes=tuple(e.id for e in view.episodes))
        asked = {"attempt": episode(view), "critique": critique, "commit": commit}
        if view.number == 2:
            return Batch(work=(asked[self.what],))
        done = (view.episodes, said, view.curated).index(()) if not view.curated else 3
        return Batch(work=(list(asked.values())[done],)) if done < 3 else Done()

    def plan_shared(self, view: SharedView, /) -> OpenRound | Done:
        """Two rounds over everything."""
        return Done() if len(view.rounds) == 2 else OpenRound(instances=view.train)


@pytest.mark.parametrize("what", ["attempt", "critique", "commit"])
def test_a_lane_that_goes_on_knows_what_it_asked_for(store: Store, what: str) -> None:
    with pytest.raises(MethodError, match="asks twice for the same work"):
        run(store, pressing("red"), Again(what=what), TASK)
    assert len(store.rounds(store.branches(store.runs()[0].id)[0].id)) == 2


class Judged(Staged):
    """Two attempts in one round, each with a critique."""

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        for trial in (1, 2):
            yield Batch(work=(episode(view, trial=trial),))
            yield plans.write_critique(view.episodes[-1])


@pytest.mark.slow
def test_memory_hardly_grows_with_the_episodes_of_a_run(store: Store) -> None:
    marks: dict[int, int] = {}
    began = 0

    async def act(_: Situation) -> str:
        nonlocal began
        began += 1
        if began in (300, 600):
            gc.collect()
            marks[began] = tracemalloc.get_traced_memory()[0]
        return "red"

    tracemalloc.start()
    try:
        run(
            store,
            act,
            Judged(),
            safes(*["blue"] * 310, max_steps=1),
            limits=Limits(concurrency=4),
        )
        before = tracemalloc.get_traced_memory()[0]
        # What as many episodes and critiques take as the records that the store holds.
        held = store.episodes(limit=300), store.critiques(limit=300)
        whole = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert [len(part) for part in held] == [300, 300]
    assert marks[600] - marks[300] < whole / 6

"""Between rounds little is kept in memory; a lane that goes on finds all that it has seen."""

from __future__ import annotations

from tests.loop.world import episode, episodes, pressing, run, safes
from verbalrl.methods import MethodSettings, growth, plans
from verbalrl.methods.base import Learns
from verbalrl.records import Batch, Done, InstanceView, OpenRound, SharedView
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


def test_lanes_and_closed_rounds_share_what_they_keep(store: Store) -> None:
    run(store, pressing("green"), TwoRounds(), TASK)
    (view,) = closed
    kept = [e for r in view.rounds for e in r.episodes]
    critiques = [c for r in view.rounds for c in r.critiques]
    assert kept
    assert critiques
    assert all(growth.without_steps(e) is e for e in kept)
    assert all(growth.without_words(c) is c for c in critiques)
    # Equal judgements are one object, and so is what none of them has.
    assert len({id(e.reward) for e in kept}) == len({e.reward.value for e in kept})
    assert len({id(e.guidance) for e in kept}) == 1


def test_what_is_kept_is_a_record_like_any_other(store: Store) -> None:
    result = run(store, pressing("red"), TwoRounds(), TASK)
    stored = episodes(store, result)[0]
    kept = growth.without_steps(stored)
    assert kept == kept.model_copy()
    assert type(kept).model_validate_json(kept.model_dump_json()) == kept
    assert kept.replace(trajectory=stored.trajectory, spec=stored.spec) == stored.replace(
        guidance={}
    )


def test_closed_rounds_keep_outcomes_and_not_what_was_said(store: Store) -> None:
    result = run(store, pressing("green"), TwoRounds(), TASK)
    (view,) = closed
    for kept in (e for r in view.rounds for e in r.episodes):
        (stored,) = (e for e in episodes(store, result) if e.id == kept.id)
        assert (kept.success, kept.reward, kept.usage) == (
            stored.success,
            stored.reward,
            stored.usage,
        )
        assert stored.trajectory.steps
        assert not kept.trajectory.steps
    (critique, _) = (c for r in view.rounds for c in r.critiques)
    assert (critique.status, critique.proposals, critique.raw) == ("accepted", (), "")

"""Work is asked for once: what shares a key shares a row, so the second would get the first's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loop.test_freezing import FREEZE
from tests.loop.world import Player, Staged, batch, episode, pressing, run, safes
from verbalrl import Learner, Limits
from verbalrl.errors import MethodError
from verbalrl.execution.episodes import check_stored
from verbalrl.lanes import Inherited, Place, Stream
from verbalrl.methods import plans
from verbalrl.records import (
    Batch,
    Done,
    Episode,
    EpisodeSpec,
    GuidanceSpec,
    Instance,
    InstanceView,
    LaneKey,
    OpenRound,
    RunEpisode,
    SharedView,
    Situation,
    StopReason,
    Work,
    WriteCritique,
)
from verbalrl.store import Store

TEXT = {"actor": GuidanceSpec(source="text", text="press blue")}


class OneAfterTheOther(Staged):
    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view, max_steps=1))
        yield batch(episode(view, max_steps=2, guidance=TEXT))


class SideBySide(Staged):
    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(*(episode(view, purpose="search", max_steps=n) for n in (1, 2)))


class TwoCritiques(Staged):
    def stages(self, view: InstanceView) -> Iterator[Batch]:
        yield batch(episode(view))
        said = WriteCritique(episodes=(view.episodes[0].id,))
        yield batch(said, said)


class FreezesTwice(Staged):
    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        return FREEZE


@pytest.mark.parametrize(
    ("method", "what", "acts"),
    [
        (OneAfterTheOther(), "the attempt of .* at trial 1, candidate 0", 1),
        (SideBySide(), "the search of .* at trial 1, candidate 0", 0),
        (TwoCritiques(), "a critique of ep_", 2),
        (FreezesTwice(), "freeze_memory", 0),
    ],
)
def test_a_plan_that_asks_twice_is_told(store: Store, method: Staged, what: str, acts: int) -> None:
    agent = pressing("red")
    with pytest.raises(MethodError, match=f"asks twice for the same work: {what}"):
        run(store, agent, method, safes("blue"))
    assert len(agent.seen) == acts


class Steps(Staged):
    """Two attempts of so many steps."""

    steps: int = 1

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        for trial in (1, 2):
            yield batch(episode(view, trial=trial, max_steps=self.steps))


def test_a_resumed_plan_that_asks_otherwise_is_told(store: Store) -> None:
    def act(_: Situation) -> str:
        learners[0].stop("half way")
        return "red"

    task = safes("blue")
    made: dict[str, Any] = {"critic": lambda _: "x", "store": store, "limits": Limits()}
    learners = [Learner(Player(act), method=Steps(), **made)]
    first = learners[0].run_sync(task, arms=("learned",))
    assert len(store.episodes()) == 1

    class Changed(Steps):
        def stages(self, view: InstanceView) -> Iterator[Batch]:
            for trial in (1, 2):
                yield batch(episode(view, trial=trial, max_steps=1, guidance=TEXT))

    with pytest.raises(MethodError, match="asked for otherwise before"):
        Learner(pressing("red"), method=Changed(), **made).resume_sync(first.run, task)
    done = Learner(pressing("red"), method=Steps(), **made).resume_sync(first.run, task)
    assert done.figures["status"] == "done"


def row(spec: EpisodeSpec) -> Episode:
    return Episode(
        id="ep_1", run="r", arm="learned", seed=0, spec=spec, stop_reason=StopReason.TERMINATED
    )


def test_what_an_older_row_does_not_hold_is_not_compared() -> None:
    asked = RunEpisode(spec=EpisodeSpec(instance="i", world=3, guidance=TEXT))
    stored: dict[str, Any] = asked.spec.model_dump()
    check_stored(row(EpisodeSpec.model_validate(stored)), asked)
    del stored["world"], stored["guidance"]["actor"]["budget"]
    check_stored(row(EpisodeSpec.model_validate(stored)), asked)
    stored["guidance"]["actor"]["text"] = "press red"
    with pytest.raises(MethodError, match="guidance of the actor differs"):
        check_stored(row(EpisodeSpec.model_validate(stored)), asked)
    with pytest.raises(MethodError, match="guidance of the actor differs"):
        check_stored(row(EpisodeSpec(instance="i", guidance={}, world=3)), asked)


class Rows:
    """A bench that has everything already, as when a long run is resumed."""

    stopping = False
    lanes_at_once = 2
    done = 0

    def whole(self, lane: LaneKey, view: InstanceView, /) -> InstanceView:
        return view

    async def do(self, work: Work, place: Place, /) -> Episode:
        assert isinstance(work, RunEpisode)
        self.done += 1
        return row(work.spec)

    async def pin(self, *_: object) -> None:
        """Nothing to record."""

    def inherited(self, lane: LaneKey, scope: str, /) -> Inherited:
        return Inherited(0, ())

    def allowance(self, lane: LaneKey, instance: str, /) -> None:
        """Nothing is bound."""

    def stop(self) -> None:
        self.stopping = True


class Long(Staged):
    def plan(self, view: InstanceView, /) -> Batch | Done:
        trial = len(view.episodes) + 1
        return batch(episode(view, trial=trial)) if trial < 500 else Done()

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        return plans.one_round(view, "train")


def test_a_lane_that_only_reads_rows_lets_others_speak() -> None:
    async def drive(bench: Rows) -> None:
        lane = LaneKey(run="r", arm="learned", seed=0)
        instances = {"i": Instance(id="i", goal="g")}
        asyncio.get_running_loop().call_soon(bench.stop)
        await Stream(lane, Long(), bench, "s", instances).run()

    bench = Rows()
    asyncio.run(drive(bench))
    assert bench.done < 5

"""A tiny task for these tests: walk right to the door; and ways for it to misbehave."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from verbalrl.agents import AgentLike
from verbalrl.models import CallContext, MemoryJournal, Slots
from verbalrl.records import (
    Action,
    Episode,
    EpisodeSpec,
    GuidanceSpec,
    Instance,
    LaneKey,
    Observation,
    Origin,
    RewardSupplier,
    StepResult,
)
from verbalrl.rollout import Assignment, run_episode

LANE = LaneKey(run="r1", arm="learned", seed=0)
INSTANCE = Instance(id="corridor-v1/0", goal="Reach the door.", data={"door": 2}, answers=("psst",))
RECALL = {"actor": GuidanceSpec(source="recall")}


class Corridor:
    """Cells 0 to 2; the door is at 2."""

    def __init__(self) -> None:
        self.at = 0
        self.seed = -1
        self.closed = 0
        self.threads: set[int] = set()

    def _seen(self) -> Observation:
        self.threads.add(threading.get_ident())
        return Observation(text=f"You stand in cell {self.at}.", actions=("left", "right"))

    def reset(self, seed: int, /) -> Observation:
        self.seed = seed
        return self._seen()

    def step(self, action: Action, /) -> StepResult:
        self.at += {"right": 1, "left": -1}.get(action.text, 0)
        there = self.at == 2
        return StepResult(
            observation=self._seen(),
            feedback="The door!" if there else "A wall.",
            reward=1.0 if there else -0.1,
            components={"moves": 1.0},
            terminated=there,
            success=there,
        )

    def close(self) -> None:
        self.closed += 1


class Executing(Corridor):
    def execute(self, action: Action, /) -> str:
        return f"would do {action.text}"


class CorridorTask:
    """The protocol `Task`, written out."""

    id = "corridor-v1"
    summary = "Walk to the door."
    learns = "both"
    observations = Origin.TASK
    max_steps = 5
    sha = "0"
    reward_supplier = RewardSupplier.ENVIRONMENT
    default_train = default_instances = 1

    def __init__(self, make: Callable[[], Any] = Corridor, *, inline: bool = True) -> None:
        self.inline, self.make = inline, make
        self.made: list[Any] = []

    def size(self, split: str, /) -> int:
        return 1

    def instances(self, split: str, start: int = 0, stop: int | None = None, /) -> Any:
        return (INSTANCE,)

    def environment(self, instance: Instance, /) -> Any:
        assert instance.data == {"door": 2}
        self.made.append(self.make())
        return self.made[-1]


def actions(*texts: str) -> tuple[Action, ...]:
    return tuple(Action(text=t) for t in texts)


def context(journal: MemoryJournal | None = None, **settings: Any) -> CallContext:
    return CallContext(journal or MemoryJournal(), Slots(), owner="ep_1", sample_seed=7, **settings)


async def played(
    agent: AgentLike,
    task: CorridorTask | None = None,
    spec: EpisodeSpec | None = None,
    own: CallContext | None = None,
    **settings: Any,
) -> Episode:
    spec = spec or EpisodeSpec(instance=INSTANCE.id, guidance=RECALL)
    task = task or CorridorTask()
    place = Assignment(spec, LANE, INSTANCE, task)  # type: ignore[arg-type]
    return await run_episode(place, agent=agent, context=own or context(), **settings)


def play(*args: Any, **settings: Any) -> Episode:
    return asyncio.run(played(*args, **settings))


def spec(**fields: Any) -> EpisodeSpec:
    return EpisodeSpec(instance=INSTANCE.id, **fields)

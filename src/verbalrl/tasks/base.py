"""What a task and an environment are, and the one class that most tasks are made with.

A *task* is a named, versioned family of instances. An *environment* is one instance in play. A
*world* is the kind of environment behind a task: it makes the instances and what plays them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import JsonValue

from ..ids import coin, sha256_json
from ..records import (
    Action,
    Instance,
    Observation,
    Origin,
    Record,
    RewardSupplier,
    Situation,
    Split,
    Step,
    StepResult,
)

Learns = Literal["instance", "shared", "both"]
"""Whether lessons of one instance serve that instance, all of them, or either."""

Policy = Callable[[Situation], Action]
"""Plays without learning; any policy is also an agent."""


class Fruitless(str):
    """What `execute` says of an answer that does not run or returns nothing; so does "" alone."""

    __slots__ = ()


@runtime_checkable
class Environment(Protocol):
    """One instance in play, for one episode.

    Optional methods, looked up by name: `execute(action) -> str` tries a whole answer without
    judging it and says what would happen, as `Fruitless` where it does not run or returns nothing;
    `close()` frees what the environment holds.

    For teams: `roles` are the analysts that may be asked; `preview(role, step) -> Observation` is
    what a role sees before that step, from 1, which no action influences and which may be asked for
    at any time after `reset`; `left(roles) -> Observation` is the present observation without what
    these roles are shown.
    """

    def reset(self, seed: int, /) -> Observation:
        """Begin; `seed` decides all chance that is not part of the instance."""
        ...

    def step(self, action: Action, /) -> StepResult:
        """Do `action`. Text that is not admissible is answered, never raised on."""
        ...


@runtime_checkable
class Task(Protocol):
    """A named, versioned family of instances.

    Optional attributes, looked up by name: `oracle(instance) -> Policy` always succeeds; `notes`
    are lines to be said before a run; `ref` loads the task again.
    """

    @property
    def id(self) -> str:
        """Name and version, such as `gridnav-v1`; the version changes when any result could."""
        ...

    @property
    def summary(self) -> str:
        """One sentence for lists."""
        ...

    @property
    def learns(self) -> Learns:
        """Where lessons may serve."""
        ...

    @property
    def observations(self) -> Origin:
        """`task` when what the environment says may be trusted, else `untrusted`."""
        ...

    @property
    def max_steps(self) -> int:
        """Steps after which an episode is cut."""
        ...

    @property
    def inline(self) -> bool:
        """True when a step is so cheap that it may run on the event loop."""
        ...

    @property
    def sha(self) -> str:
        """A hash of all that decides how the task behaves."""
        ...

    @property
    def reward_supplier(self) -> RewardSupplier:
        """Who judges."""
        ...

    @property
    def default_train(self) -> int:
        """Train instances that a run takes when nothing is said."""
        ...

    @property
    def default_instances(self) -> int:
        """Evaluated instances that a run takes when nothing is said."""
        ...

    def size(self, split: Split, /) -> int | None:
        """How many instances there are; None when they are generated without end."""
        ...

    def instances(
        self, split: Split, start: int = 0, stop: int | None = None, /
    ) -> tuple[Instance, ...]:
        """Instances `start` to `stop`; without `stop`, the task's default number of them."""
        ...

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh environment that plays `instance`."""
        ...


class Problem(NamedTuple):
    """What a world says of one instance."""

    goal: str
    """Shown to the agent."""
    data: dict[str, JsonValue]
    """For the environment; hidden."""
    answers: tuple[str, ...] = ()
    """Texts that would give it away; hidden."""
    name: str = ""
    """A name of its own, where its place in the split does not identify it."""


class World(Protocol):
    """A kind of environment.

    Optional, looked up by name: `oracle(instance) -> Policy`, `max_steps`, `least_steps`, `notes`;
    `inline`, False where a step takes long; `judged_by`, the modules that decide beside its own.
    """

    def size(self, split: Split, /) -> int | None:
        """How many problems there are; None when they are generated without end."""
        ...

    def problem(self, split: Split, index: int, /) -> Problem:
        """Problem number `index`, from 0; the same one on every call."""
        ...

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh environment that plays `instance`."""
        ...


class Card(Record):
    """All that a task says of itself."""

    id: str
    summary: str
    learns: Learns
    observations: Origin
    max_steps: int
    inline: bool = False
    reward_supplier: RewardSupplier = RewardSupplier.ENVIRONMENT
    default_train: int = 24
    default_instances: int = 24
    task_seed: int = 0
    ref: str = ""
    """What loads it again."""
    notes: tuple[str, ...] = ()
    """Lines to be said before a run."""
    behaviour: str = ""
    """A hash of the code and data behind it."""
    loaded_with: dict[str, JsonValue] = {}
    """The arguments beside `ref` that load it again."""


@dataclass(frozen=True)
class WorldTask:
    """A task made of a card and a world: every task that verbalrl itself loads."""

    card: Card
    world: World

    @property
    def id(self) -> str:
        """Name and version."""
        return self.card.id

    @property
    def summary(self) -> str:
        """One sentence for lists."""
        return self.card.summary

    @property
    def learns(self) -> Learns:
        """Where lessons may serve."""
        return self.card.learns

    @property
    def observations(self) -> Origin:
        """Whether what the environment says may be trusted."""
        return self.card.observations

    @property
    def max_steps(self) -> int:
        """Steps after which an episode is cut."""
        return self.card.max_steps

    @property
    def least_steps(self) -> int:
        """Steps that every episode takes, where its world says so; else one."""
        return int(getattr(self.world, "least_steps", 1))

    @property
    def inline(self) -> bool:
        """Whether a step may run on the event loop."""
        return self.card.inline

    @property
    def sha(self) -> str:
        """A hash of all that decides how the task behaves."""
        return sha256_json(
            self.card.model_dump(mode="json", exclude={"notes", "ref", "summary", "loaded_with"})
        )

    @property
    def reward_supplier(self) -> RewardSupplier:
        """Who judges."""
        return self.card.reward_supplier

    @property
    def default_train(self) -> int:
        """Train instances of a run that says nothing else."""
        return self.card.default_train

    @property
    def default_instances(self) -> int:
        """Evaluated instances of a run that says nothing else."""
        return self.card.default_instances

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines to be said before a run."""
        return self.card.notes

    @property
    def ref(self) -> str:
        """What `load_task` takes to load it again."""
        return self.card.ref

    @property
    def loaded_with(self) -> dict[str, JsonValue]:
        """The arguments beside `ref` that load it again."""
        return self.card.loaded_with

    def size(self, split: Split, /) -> int | None:
        """How many instances there are; None when they are generated without end."""
        return self.world.size(split)

    def instances(
        self, split: Split, start: int = 0, stop: int | None = None, /
    ) -> tuple[Instance, ...]:
        """Instances `start` to `stop`, fewer where the split ends earlier."""
        if stop is None:
            stop = start + (self.default_train if split == "train" else self.default_instances)
        size = self.size(split)
        last = stop if size is None else min(stop, size)
        return tuple(self._instance(split, index) for index in range(start, last))

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh environment that plays `instance`."""
        return self.world.environment(instance)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """A policy that always succeeds on `instance`; None when the world offers none."""
        offered = getattr(self.world, "oracle", None)
        return None if offered is None else offered(instance)

    def untrusted(self) -> WorldTask:
        """The same task with observations that nobody vouches for."""
        return replace(self, card=self.card.replace(observations=Origin.UNTRUSTED))

    def _instance(self, split: Split, index: int) -> Instance:
        problem = self.world.problem(split, index)
        seed = f"@{self.card.task_seed}" if self.card.task_seed else ""
        place = problem.name or f"{split}/{index}"
        return Instance(
            id=f"{self.id}{seed}/{place}",
            goal=problem.goal,
            split=split,
            data=problem.data,
            answers=problem.answers,
        )


def random_policy(seed: int = 0) -> Policy:
    """Chooses evenly among the admissible actions; where any text is admissible, says nothing."""

    def act(situation: Situation) -> Action:
        actions = situation.actions
        if not actions:
            return Action()
        name = situation.instance.id if situation.instance else situation.goal
        return Action(text=actions[int(coin("random", seed, name, situation.step) * len(actions))])

    return act


def follow(*texts: str) -> Policy:
    """Says `texts` in their order, and the last of them ever after."""
    actions = tuple(Action(text=text) for text in texts)

    def act(situation: Situation) -> Action:
        return actions[min(len(situation.history), len(actions) - 1)]

    return act


class Played(NamedTuple):
    """What a policy did in one episode, without a model, a store or a run."""

    steps: tuple[Step, ...]
    results: tuple[StepResult, ...]

    @property
    def success(self) -> bool | None:
        """What the environment last said."""
        return self.results[-1].success if self.results else None

    @property
    def ended(self) -> bool:
        """True when the environment reached an end before the limit of steps."""
        return bool(self.results) and (self.results[-1].terminated or self.results[-1].truncated)


def play(task: Task, instance: Instance, policy: Policy, seed: int = 0) -> Played:
    """Let `policy` play one episode; for tests, oracles and contract checks."""
    environment = task.environment(instance)
    public = instance.replace(data={}, answers=())
    steps: list[Step] = []
    results: list[StepResult] = []
    try:
        observation = environment.reset(seed)
        while len(steps) < task.max_steps:
            situation = Situation(
                goal=instance.goal, observation=observation, history=tuple(steps), instance=public
            )
            action = policy(situation)
            result = environment.step(action)
            steps.append(
                Step(
                    n=len(steps) + 1,
                    observation=observation,
                    action=action,
                    feedback=result.feedback,
                    reward=result.reward,
                )
            )
            results.append(result)
            observation = result.observation
            if result.terminated or result.truncated:
                break
    finally:
        close = getattr(environment, "close", None)
        if close is not None:
            close()
    return Played(tuple(steps), tuple(results))

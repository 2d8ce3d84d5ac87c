"""What a run is to do: which instances, arms and seeds, under which method. Pure data."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from .. import methods
from ..errors import ConfigurationError
from ..methods import Method
from ..records import Instance, LaneKey, Split
from ..tasks import Task

_LEARNING = (methods.LEARNED, "shuffled")
"""Arms that have lessons."""
_READING = ("none", "retry", methods.BEST_OF_N)
"""Arms that see nothing of the train split."""
_SAMPLES = 2
"""Samples of best_of_n for each trial of the method, as far as can be foretold."""

MAX_INSTANCES = 100_000
"""Of one split in one run: every one of them is held in memory, with a lane of its own."""

_AT_ONCE = 64
"""Instances made between two looks at whether the run is to end."""


@dataclass(frozen=True)
class RunPlan:
    """The work of a run, fixed before its first call; stored with the run."""

    method: Method
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    start: str | None
    read: tuple[Instance, ...]
    """The instances whose success is reported."""
    train: tuple[Instance, ...]
    """For methods that learn shared lessons: what they learn from."""
    span: tuple[int, int]
    """The range of indices behind `read`."""
    test_rows: int = 0
    """How many of `read` are of the test split, where lessons of an instance serve it alone."""

    @classmethod
    async def of(
        cls,
        task: Task,
        method: Method,
        *,
        instances: int | tuple[int, int] | None,
        train_instances: int | None,
        seeds: tuple[int, ...],
        arms: tuple[str, ...],
        start: str | None = None,
    ) -> RunPlan:
        """The plan for `task`; raises `ConfigurationError` for what cannot work.

        Instances are made a few at a time, so that it can be cancelled.
        """
        _check(seeds, "seeds")
        _check(arms, "arms")
        if method.learns not in ("instance", "shared"):
            raise ConfigurationError(
                f"{method.name}: learns={method.learns!r}; a method is read on the instances"
                ' that it learns on ("instance") or on the test split ("shared")'
            )
        for name in arms:
            methods.arm(method, name)
        if methods.BEST_OF_N in arms and methods.LEARNED not in arms:
            raise ConfigurationError("best_of_n spends what learned spends; name both as arms")
        if method.trials < 1:
            raise ConfigurationError(f"{method.name}: trials={method.trials}; give at least 1")
        span = _span(task, instances)
        train: tuple[Instance, ...] = ()
        test_rows = 0
        if method.learns == "instance":
            read, test_rows = await _all(task, span)
        else:
            read = await _made(task, "test", *span)
            if not read:
                raise ConfigurationError(
                    f"{method.name} is read on a test split, and {task.id} has none in "
                    f"{span[0]}:{span[1]}; "
                    'give rows "split": "test", or use a method that learns per instance'
                )
            count = task.default_train if train_instances is None else train_instances
            train = await _made(task, "train", 0, count) if method.learn else ()
            if method.learn and not train:
                raise ConfigurationError(
                    f"{method.name} learns from a train split, and {task.id} has none; give rows "
                    '"split": "train", or learn nothing (--no-learn, learn=False)'
                )
        if not read:
            raise ConfigurationError(f"{task.id} has no instances in {span[0]}:{span[1]}")
        made = cls(method, arms, seeds, start, read, train, span, test_rows)
        if getattr(method, "retrieval", "") == "topic" and not made.topics:
            raise ConfigurationError(
                f"{method.name} retrieves by topic, and {task.id} names none; give rows a field "
                '"topic", or set another retrieval'
            )
        return made

    @classmethod
    async def from_config(
        cls, config: Mapping[str, Any], task: Task, own: Method | None = None
    ) -> RunPlan:
        """The plan of a stored run, on the task loaded again.

        `own` is for methods that no name loads; the stored settings take the place of its own.
        """
        return await cls.of(
            task,
            _stored_method(config, own),
            instances=tuple(config["instances"]),
            train_instances=config["train_instances"],
            seeds=tuple(config["seeds"]),
            arms=tuple(config["arms"]),
            start=config["start"],
        )

    def config(self) -> dict[str, JsonValue]:
        """What `from_config` needs."""
        return {
            "method": self.method.name,
            "settings": methods.settings_of(self.method),
            "learns": self.method.learns,
            "trials": self.method.trials,
            "learn": self.method.learn,
            "instances": list(self.span),
            "train_instances": len(self.train) if self.method.learns != "instance" else None,
            "seeds": list(self.seeds),
            "arms": list(self.arms),
            "start": self.start,
        }

    @property
    def reported(self) -> Split:
        """The split whose success is reported."""
        return "train" if self.method.learns == "instance" else "test"

    @property
    def goals(self) -> dict[str, str]:
        """By instance, what its task is."""
        return {i.id: i.goal for i in (*self.train, *self.read)}

    @property
    def topics(self) -> dict[str, str]:
        """By instance, what it is about; without those of which the task does not say."""
        named = ((i.id, i.data.get("topic")) for i in (*self.train, *self.read))
        return {name: topic for name, topic in named if isinstance(topic, str) and topic}

    def arm(self, name: str) -> Method:
        """The method as the arm `name` runs it."""
        return methods.arm(self.method, name)

    def lanes(self, run: str) -> list[tuple[LaneKey, bool]]:
        """Every (arm, seed), and whether it may read memory and learn."""
        return [
            (LaneKey(run=run, arm=arm, seed=seed), arm in _LEARNING)
            for arm in self.arms
            for seed in self.seeds
        ]

    def instances_of(self, arm: str) -> dict[str, Instance]:
        """The instances that an arm runs, in canonical order."""
        chosen = self.read if arm in _READING else (*self.train, *self.read)
        return {instance.id: instance for instance in chosen}

    def expected(self, arm: str) -> int:
        """An upper bound of the episodes of one seed of an arm."""
        method = self.arm(arm)
        if arm == methods.BEST_OF_N:
            return len(self.read) * (_SAMPLES * self.method.trials + 1)
        if arm in _READING or method.learns == "instance":
            return len(self.read) * method.trials
        return len(self.train) * method.trials + len(self.read)


def _stored_method(config: Mapping[str, Any], own: Method | None) -> Method:
    name, settings = config["method"], config["settings"]
    if own is None:
        return methods.stored(name, settings)
    if own.name != name:
        raise ConfigurationError(f"cannot resume: the method was {name!r} and is {own.name!r}")
    return methods.changed(own, settings) if settings else own


def _check(values: tuple[object, ...], what: str) -> None:
    if not values:
        raise ConfigurationError(f"{what}: give at least one")
    if len(set(values)) != len(values):
        raise ConfigurationError(f"{what}: {values!r} names one twice")


def _span(task: Task, instances: int | tuple[int, int] | None) -> tuple[int, int]:
    if instances is None:
        return (0, task.default_instances)
    start, stop = (0, instances) if isinstance(instances, int) else instances
    if not 0 <= start < stop:
        raise ConfigurationError(
            f"instances {start}:{stop}: give a count or a range A:B with A < B"
        )
    return (start, stop)


async def _all(task: Task, span: tuple[int, int]) -> tuple[tuple[Instance, ...], int]:
    """Instances of both splits as one list, and how many of them are of the test split.

    What is learned on one serves that one only, so that none needs to be kept for the end.
    """
    start, stop = span
    train = task.size("train")
    if train is None or stop <= train:
        return await _made(task, "train", start, stop), 0
    first = await _made(task, "train", start, train)
    rest = await _made(task, "test", max(start - train, 0), stop - train)
    return first + tuple(instance.replace(split="train") for instance in rest), len(rest)


async def _made(task: Task, split: Split, start: int, stop: int) -> tuple[Instance, ...]:
    """Instances `start` to `stop` of `split`, fewer where it ends earlier."""
    size = task.size(split)
    last = stop if size is None else min(stop, size)
    if last - start > MAX_INSTANCES:
        raise ConfigurationError(
            f"{last - start:,} {split} instances are more than one run holds "
            f"({MAX_INSTANCES:,}); give fewer, or several ranges A:B in runs of their own"
        )
    made: list[Instance] = []
    for first in range(start, last, _AT_ONCE):
        made += task.instances(split, first, min(first + _AT_ONCE, last))
        await asyncio.sleep(0)
    return tuple(made)

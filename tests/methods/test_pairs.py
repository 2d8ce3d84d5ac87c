"""Every method on every built-in task that lists its actions: it runs, or it is refused beforehand.

Methods are taken from METHODS, so that a new one is tried here without being named.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from verbalrl import ChatAgent, Learner, Limits, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.methods import METHODS, Rci, Requirement, method
from verbalrl.models import ScriptedModel
from verbalrl.records import Situation
from verbalrl.result import RunResult
from verbalrl.tasks import known_tasks
from verbalrl.tasks.base import Task

MOST_REFUSED = 3
"""Methods that may refuse one task."""
SMALL: dict[str, int] = {"trials": 2, "round_size": 2}


@cache
def listing() -> tuple[str, ...]:
    """The tasks whose instances start with a list of actions."""
    return tuple(name for name in known_tasks() if _lists(load_task(name)))


def _lists(task: Task) -> bool:
    instance = task.instances("train", 0, 1)[0]
    environment = task.environment(instance)
    seen = environment.reset(0)
    return bool(seen.actions)


HOWS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in METHODS),
    ("reflexion", {"strategy": "both", "prune": True}),
    ("handbook", {"mode": "static", "retrieval": "embedding"}),
    ("handbook", {"mode": "self_improve"}),
]
"""Each method as it is, and those whose settings make another loop of it."""


def pairs() -> Iterator[Any]:
    """All of them; quick tests try each method on a third of the tasks."""
    for i, (name, settings) in enumerate(HOWS):
        for j, task in enumerate(listing()):
            slow = bool(settings) or (i + j) % 3
            identity = "-".join((name, *map(str, settings.values()), task))
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(name, settings, task, id=identity, marks=marks)


def learner(
    name: str, settings: dict[str, Any], folder: Path | None, concurrency: int = 16
) -> Learner:
    small = {k: v for k, v in SMALL.items() if k in METHODS[name].model_fields}
    return Learner(
        ChatAgent("offline:apprentice"),
        method=method(name, small | settings),
        store=folder,
        limits=Limits(concurrency=concurrency, max_steps=4),
    )


def refused(name: str, settings: dict[str, Any], task: str) -> str:
    """Why the pair cannot be run; empty where it can. No model is asked."""
    try:
        learner(name, settings, None).forecast_sync(load_task(task), **SIZES)
    except ConfigurationError as error:
        return str(error)
    return ""


# Three train instances in rounds of two: a pass takes more than one round.
SIZES: dict[str, Any] = {"instances": 2, "train_instances": 3, "arms": ("learned",)}


def digests(result: RunResult) -> tuple[Any, Any]:
    arm = result.arms["learned"]
    return arm["memory_digest"], arm["episodes_digest"]


@pytest.mark.parametrize(("name", "settings", "task"), list(pairs()))
def test_a_pair_runs_alike_at_any_concurrency(
    name: str, settings: dict[str, Any], task: str, tmp_path: Path
) -> None:
    def ran(concurrency: int) -> RunResult:
        folder = tmp_path / str(concurrency)
        return learner(name, settings, folder, concurrency).run_sync(load_task(task), **SIZES)

    if refused(name, settings, task):
        with pytest.raises(ConfigurationError):
            ran(1)
        return
    one, many = ran(1), ran(16)
    assert one.figures["status"] == many.figures["status"] == "done"
    assert digests(one) == digests(many)
    assert one.arms["learned"]["errors"] == 0, one.figures["failures"]


@pytest.mark.parametrize("task", listing())
def test_few_methods_refuse_a_task_and_they_say_why(task: str) -> None:
    reasons = {name: why for name in METHODS if (why := refused(name, {}, task))}
    assert len(reasons) <= MOST_REFUSED, reasons
    assert all(why.startswith(name) and "\n" not in why for name, why in reasons.items()), reasons


class Executing(Rci):
    """Cannot do without environments that execute candidates."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"execute"})


def test_a_refusal_names_method_and_reason_and_comes_before_the_first_call() -> None:
    task = load_task("gridnav-v1")
    model = ScriptedModel([])
    for made, why in (
        (Learner(ChatAgent(model), method=Executing()), "gridnav-v1 cannot execute any"),
        (Learner(_left, method=Rci(), critic=lambda _: "?"), "asks a model beside the agent"),
    ):
        with pytest.raises(ConfigurationError, match=f"^rci .*{why}"):
            made.run_sync(task, **SIZES)
    assert model.requests == []


def _left(_: Situation) -> str:
    return "move left"

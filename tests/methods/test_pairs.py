"""Every method on every built-in task that lists its actions: it runs, or it is refused beforehand.

Methods are taken from METHODS, so that a new one is tried here without being named.
"""

from __future__ import annotations

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


PAIRS = [
    # Each method on a third of the tasks; on all of them in tests/loop/test_every_pair.py.
    (m, t)
    for i, m in enumerate(METHODS)
    for j, t in enumerate(listing())
    if (i + j) % 3 == 0
]


def learner(name: str, folder: Path | None, concurrency: int = 16) -> Learner:
    fields = METHODS[name].model_fields
    settings: dict[str, Any] = {k: v for k, v in SMALL.items() if k in fields}
    return Learner(
        ChatAgent("offline:apprentice"),
        method=method(name, settings),
        store=folder,
        limits=Limits(concurrency=concurrency, max_steps=3),
    )


def refused(name: str, task: str) -> str:
    """Why the pair cannot be run; empty where it can. No model is asked."""
    try:
        learner(name, None).forecast_sync(load_task(task), **SIZES)
    except ConfigurationError as error:
        return str(error)
    return ""


SIZES: dict[str, Any] = {"instances": 2, "train_instances": 2, "arms": ("learned",)}


def ran(name: str, task: str, folder: Path, concurrency: int) -> RunResult:
    return learner(name, folder, concurrency).run_sync(load_task(task), **SIZES)


def digests(result: RunResult) -> tuple[Any, Any]:
    arm = result.arms["learned"]
    return arm["memory_digest"], arm["episodes_digest"]


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_a_pair_runs_alike_at_any_concurrency(name: str, task: str, tmp_path: Path) -> None:
    if refused(name, task):
        with pytest.raises(ConfigurationError):
            ran(name, task, tmp_path / "refused", 1)
        return
    one = ran(name, task, tmp_path / "one", 1)
    many = ran(name, task, tmp_path / "many", 16)
    assert one.figures["status"] == many.figures["status"] == "done"
    assert digests(one) == digests(many)
    assert one.arms["learned"]["errors"] == 0


@pytest.mark.parametrize("task", listing())
def test_few_methods_refuse_a_task_and_they_say_why(task: str) -> None:
    reasons = {name: why for name in METHODS if (why := refused(name, task))}
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

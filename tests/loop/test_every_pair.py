"""Every method on every built-in task that lists actions: it runs, or is refused beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verbalrl import ChatAgent, Learner, Limits, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.methods import METHODS, method
from verbalrl.records import EpisodeSpec
from verbalrl.tasks import known_tasks

SIZES: dict[str, Any] = {"instances": 2, "train_instances": 3}


def lists_actions(name: str) -> bool:
    task = load_task(name)
    (instance,) = task.instances("train", 0, 1)
    environment = task.environment(instance)
    return bool(environment.reset(EpisodeSpec(instance=instance.id).world_seed()).actions)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in METHODS),
    ("reflexion", {"strategy": "both", "prune": True}),
    ("handbook", {"mode": "static", "retrieval": "embedding"}),
    ("handbook", {"mode": "self_improve"}),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("task", [name for name in known_tasks() if lists_actions(name)])
def test_methods_run_with_the_offline_model_and_learn_the_same_at_any_concurrency(
    tmp_path: Path, task: str
) -> None:
    refused = []
    for n, (name, settings) in enumerate(VARIANTS):
        how = method(name, {"trials": 2, "max_steps": 4} | settings)
        found = []
        for slots in (1, 16):
            learner = Learner(
                ChatAgent("offline:apprentice"),
                method=how,
                store=tmp_path / f"{n}-{slots}",
                limits=Limits(concurrency=slots),
            )
            try:
                result = learner.run_sync(load_task(task), arms=("learned",), **SIZES)
            except ConfigurationError:
                refused.append(name)
                break
            arm = result.arms["learned"]
            assert result.figures["status"] == "done"
            assert arm["errors"] == 0, result.figures["failures"]
            found.append((arm["memory_digest"], arm["episodes_digest"]))
        assert found == found[::-1]
    assert len(set(refused)) <= 3

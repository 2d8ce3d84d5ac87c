"""No seed holds a run: the second run of the same settings asks everything with the same seeds."""

from __future__ import annotations

import pytest

import verbalrl as vrl
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.models import Reply, Request


class Listening(vrl.Model):
    """The offline model, with the role and seed of every request noted down."""

    def __init__(self) -> None:
        self.inner = vrl.load_model("offline:apprentice")
        self.name, self.simulated = self.inner.name, True
        self.heard: list[tuple[str, int]] = []

    async def complete(self, request: Request, /) -> Reply:
        self.heard.append((request.role, request.sample_seed))
        return await self.inner.complete(request)


def heard(task: str, method: Method) -> list[tuple[str, int]]:
    model = Listening()
    learner = vrl.Learner(vrl.ChatAgent(model), method=method)
    learner.run_sync(
        vrl.load_task(task), instances=4, train_instances=12, seeds=(3,), arms=("learned",)
    )
    return sorted(model.heard)


@pytest.mark.parametrize(
    ("task", "method", "roles"),
    [
        ("gridnav-v1", reflexion(trials=3), {"actor", "critic"}),
        ("triage-v1", handbook(trials=2), {"actor", "critic", "curator"}),
    ],
)
def test_another_run_asks_with_the_same_seeds(task: str, method: Method, roles: set[str]) -> None:
    first = heard(task, method)
    assert heard(task, method) == first
    assert {role for role, _ in first} == roles

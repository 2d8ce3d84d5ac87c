"""A run of one method with scripted models, and what its models were asked, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.loop.world import safes
from verbalrl import ChatAgent, Learner, ScriptedModel
from verbalrl.methods import Method
from verbalrl.models import Request
from verbalrl.records import Critique, Episode
from verbalrl.result import RunResult
from verbalrl.store import open_store
from verbalrl.tasks.base import WorldTask

Answer = Callable[[str], Mapping[str, Any]]
"""The last message of a request → the reply to it."""


def acts(action: str) -> dict[str, Any]:
    """A reply of an actor."""
    return {"thought": "", "action": action, "lessons_used": []}


class Told(NamedTuple):
    """What a run led to."""

    result: RunResult
    episodes: tuple[Episode, ...]
    critiques: tuple[Critique, ...]
    asked: list[tuple[str, str]]
    """Role and last message of every request, in order."""


def tell(
    folder: Path,
    method: Method,
    actor: Answer,
    critic: Answer,
    task: WorldTask | None = None,
    **settings: Any,
) -> Told:
    """One run of the learned arm over one safe, whose code is green."""
    asked: list[tuple[str, str]] = []

    def answering(answer: Answer) -> ScriptedModel:
        def reply(request: Request) -> Mapping[str, Any]:
            asked.append((request.role, request.messages[-1].text))
            return answer(request.messages[-1].text)

        return ScriptedModel(reply)

    learner = Learner(
        ChatAgent(answering(actor)), method=method, critic=answering(critic), store=folder
    )
    result = learner.run_sync(
        task or safes("green", max_steps=1), **({"arms": ("learned",)} | settings)
    )
    with open_store(folder) as store:
        page = store.critique_page({"run": result.run})
        found = store.episodes(run=result.run)
    return Told(result, tuple(found), tuple(page.rows), asked)


def roles(told: Told) -> list[str]:
    """Who was asked, in order."""
    return [role for role, _ in told.asked]

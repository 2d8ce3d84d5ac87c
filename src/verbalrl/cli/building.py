"""From options to a learner: shared by `run`, `resume` and `demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..agents import ChatAgent
from ..learner import Learner
from ..methods import Method
from ..rollout import Limits
from ..tasks import Task
from .output import note


@dataclass(frozen=True, slots=True)
class Setup:
    """What a learner is made of, as names and values."""

    model: str
    store: Path
    method: Method | None = None
    critic: str | None = None
    curator: str | None = None
    concurrency: int | None = None
    prompts: Path | None = None


def learner_of(setup: Setup) -> Learner:
    """A learner whose agent is a chat agent on `setup.model`."""
    limits = Limits() if setup.concurrency is None else Limits(concurrency=setup.concurrency)
    return Learner(
        agent=ChatAgent(setup.model, prompts=setup.prompts),
        method=setup.method,
        critic=setup.critic,
        curator=setup.curator,
        store=setup.store,
        limits=limits,
        prompts=setup.prompts,
    )


def say_notes(task: Task) -> None:
    """Print to stderr what the task has to say before a run."""
    for line in getattr(task, "notes", ()):
        note(f"{task.id}: {line}")

"""What a bench works with."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents import AgentHandle
from ..critics import Critic
from ..curators import Curator
from ..prompts import PromptLibrary
from ..rollout import Hook, Limits
from ..store import Store
from ..tasks import Task


@dataclass(frozen=True)
class Kit:
    """The parts of a run, chosen once."""

    store: Store
    task: Task
    agent: AgentHandle
    critic: Critic | None
    curator: Curator | None
    hooks: tuple[Hook, ...]
    limits: Limits
    prompts: PromptLibrary

"""What a bench works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..agents import AgentHandle
from ..critics import Critic
from ..curators import Curator
from ..ids import key_id
from ..memory import Recaller
from ..memory.mispairing import Mispairs
from ..models import AnswerCache
from ..prompts import PromptLibrary
from ..records import CurateLessons, LaneKey, RunEpisode, WriteCritique
from ..rollout import Hook, Limits
from ..store import Store
from ..tasks import Task
from .examples import Examples


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
    memory: Recaller
    cache: AnswerCache | None = None
    goals: Mapping[str, str] = field(default_factory=dict)
    """By instance of the run, what its task is."""
    examples: Examples = field(default_factory=Examples)
    mispairs: Mispairs = field(default_factory=Mispairs)


def run_free(work: RunEpisode | WriteCritique | CurateLessons, lane: LaneKey, seed: int) -> str:
    """The key of `work` without its run, under which a cache keeps its answers; it has the arm.

    The ids of critiques and curations hold ids of episodes, and those their run; `seed`, their
    sampling seed, is made of the same without run and arm.
    """
    if isinstance(work, RunEpisode):
        return work.id(lane.replace(run=""))
    return key_id("free", lane.arm, lane.seed, work.work, seed)

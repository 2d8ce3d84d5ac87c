"""What an episode is run from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ..records import EpisodeSpec, Guidance, Instance, LaneKey, Memo, Situation
from ..tasks.base import Task

GuidanceProvider = Callable[[str, Situation, int], Guidance | Awaitable[Guidance]]
"""(role, situation, step) to guidance; step is 0 when the guidance is pinned for the episode."""


class MemoSource(Protocol):
    """Recalls what was said on earlier days of one episode and of those that it goes on from."""

    async def shown(self, situation: Situation, /) -> tuple[Memo, ...]:
        """What is shown in `situation`, the likeliest to matter first; its history is the past."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to be run: whose it is, what it is, and where it takes place."""

    spec: EpisodeSpec
    lane: LaneKey
    instance: Instance
    task: Task

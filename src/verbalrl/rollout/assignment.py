"""What an episode is run from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..records import EpisodeSpec, Guidance, Instance, LaneKey, Situation
from ..tasks.base import Task

GuidanceProvider = Callable[[str, Situation, int], Guidance | Awaitable[Guidance]]
"""(role, situation, step) to guidance; step is 0 when the guidance is pinned for the episode."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to be run: whose it is, what it is, and where it takes place."""

    spec: EpisodeSpec
    lane: LaneKey
    instance: Instance
    task: Task

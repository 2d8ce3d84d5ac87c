"""Waiting for the groups of one level."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from ..errors import EpisodeError, ReplayMismatch
from .apply import Settled

Proposed = list[Settled | EpisodeError]


async def all_of(
    asked: Sequence[Coroutine[Any, Any, Settled]],
) -> Proposed:
    """All results in order; what is no recorded failure is raised, when all have ended."""
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, ReplayMismatch) or (
            isinstance(result, BaseException) and not isinstance(result, EpisodeError)
        ):
            raise result
    return [r for r in results if isinstance(r, (Settled, EpisodeError))]

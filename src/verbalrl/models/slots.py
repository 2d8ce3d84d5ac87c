"""Slots: how many model calls are in flight, and who goes next.

Waiting curators go before critics, critics before actors, and these before the analysts of teams,
who may work ahead of what is needed. Among equals that lane goes first which
has the fewest slots, then the one served longest ago, so no arm or seed waits for another to end;
within a lane the order that the caller gives, then first come, first served. Nothing that is
learned depends on it.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..errors import ConfigurationError

_RANK = {"curator": 0, "critic": 1, "actor": 2, "recall": 2}
_LAST = 3


def rank(role: str) -> int:
    """How urgent the calls of `role` are; 0 goes first."""
    return _RANK.get(role, _LAST)


_Waiting = tuple[tuple[int, ...], int, asyncio.Future[None]]


@dataclass(slots=True)
class _Lane:
    """What one arm and seed has of the slots."""

    held: int = 0
    last: int = 0
    """When it was served last, in grants."""

    @property
    def key(self) -> tuple[int, int]:
        return self.held, self.last


class Slots:
    """At most `n` holders at a time, the most urgent first, lanes in turn."""

    def __init__(self, n: int = 32) -> None:
        if n < 1:
            raise ConfigurationError(f"slots must be at least 1, not {n}")
        self.n = n
        self.in_flight = 0
        self.peak = 0
        """The most that were ever in flight."""
        self.calls = 0
        self._busy = 0.0
        self._since = time.monotonic()
        # By rank, then by lane: a heap of order, arrival and turn.
        self._waiting: dict[int, dict[str, list[_Waiting]]] = {}
        self._lanes: dict[str, _Lane] = {}
        self._count = 0

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds in use so far; a figure for reports."""
        return self._busy + self.in_flight * (time.monotonic() - self._since)

    @asynccontextmanager
    async def hold(
        self, role: str, order: tuple[int, ...] = (), lane: str = ""
    ) -> AsyncIterator[None]:
        """Wait for a slot and keep it while the block runs."""
        if self.in_flight < self.n:
            self._take(1)
            self._serve(lane)
        else:
            await self._wait(role, order, lane)
        self.calls += 1
        try:
            yield
        finally:
            self._give_back(lane)

    async def _wait(self, role: str, order: tuple[int, ...], lane: str) -> None:
        self._count += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(rank(role), {}).setdefault(lane, [])
        heapq.heappush(queue, (order, self._count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled after the slot was handed over: hand it on, or it is lost. Otherwise the
            # entry stays until its turn comes and is passed over then.
            if not turn.cancelled():
                self._give_back(lane)
            raise

    def _give_back(self, lane: str) -> None:
        self._lanes[lane].held -= 1
        while self._waiting:
            urgent = min(self._waiting)
            lanes = self._waiting[urgent]
            chosen = min(lanes, key=lambda name: self._lane(name).key)
            *_, turn = heapq.heappop(lanes[chosen])
            if not lanes[chosen]:
                del lanes[chosen]
            if not lanes:
                del self._waiting[urgent]
            if not turn.done():
                self._serve(chosen)
                turn.set_result(None)
                return
        self._take(-1)

    def _serve(self, lane: str) -> None:
        served = self._lane(lane)
        self._count += 1
        served.held += 1
        served.last = self._count

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    def _take(self, change: int) -> None:
        now = time.monotonic()
        self._busy += self.in_flight * (now - self._since)
        self._since = now
        self.in_flight += change
        self.peak = max(self.peak, self.in_flight)

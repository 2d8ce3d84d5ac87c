"""Slots: how many model calls are in flight, and who goes next.

Waiting curators go before critics, critics before actors; then by the order that the caller gives,
then first come, first served. Nothing that is learned depends on it.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import ConfigurationError

_RANK = {"curator": 0, "critic": 1}
_LAST = 2


def rank(role: str) -> int:
    """How urgent the calls of `role` are; 0 goes first."""
    return _RANK.get(role, _LAST)


class Slots:
    """At most `n` holders at a time, the most urgent first."""

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
        self._waiting: list[tuple[int, tuple[int, ...], int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds in use so far; a figure for reports."""
        return self._busy + self.in_flight * (time.monotonic() - self._since)

    @asynccontextmanager
    async def hold(self, role: str, order: tuple[int, ...] = ()) -> AsyncIterator[None]:
        """Wait for a slot and keep it while the block runs."""
        if self.in_flight < self.n:
            self._take(1)
        else:
            await self._wait(role, order)
        self.calls += 1
        try:
            yield
        finally:
            self._give_back()

    async def _wait(self, role: str, order: tuple[int, ...]) -> None:
        self._count += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank(role), order, self._count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled after the slot was handed over: hand it on, or it is lost. Otherwise the
            # entry stays until its turn comes and is passed over then.
            if not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._take(-1)

    def _take(self, change: int) -> None:
        now = time.monotonic()
        self._busy += self.in_flight * (now - self._since)
        self._since = now
        self.in_flight += change
        self.peak = max(self.peak, self.in_flight)

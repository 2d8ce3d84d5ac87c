"""How many requests one server gets at a time: all, until it says that they are too many.

One limiter per server and loop, shared by all models there. An overload (429, 503, 529, silence)
halves what may be in flight, once for all requests that were sent before it was known; a window
of answers, as many as may be in flight, lets one more in. When the server names a time to wait,
nobody sends before it is over. Timing alone depends on it, never what is learned.

The wait for the first turn is like the wait for a slot: the deadline of the call begins after it,
so that those at the end of a queue do not expire unsent. A retry keeps its place in line, so its
waits, which the deadline does cover, are for older calls alone.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from .._logging import get_logger
from .retry import RetryPolicy, Transient
from .slots import rank

T = TypeVar("T")

log = get_logger(__name__)

MAX_CONNECTIONS = 100
"""The most that is ever in flight to one server; a client holds as many connections."""


class Limiter:
    """Lets requests to one server through, the most urgent first."""

    def __init__(self, name: str, ceiling: int = MAX_CONNECTIONS) -> None:
        self.name = name
        self.ceiling = ceiling
        self.limit = ceiling
        """How many may be in flight now."""
        self.in_flight = 0
        self.window = 0
        """Raised with every halving; answers to what was sent before it say nothing new."""
        self._answers = 0
        self._until = 0.0
        self._tickets = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def turn(self, role: str, policy: RetryPolicy) -> Turn:
        """A place in line, kept over all attempts of one call."""
        self._tickets += 1
        return Turn(self, (rank(role), self._tickets), policy)

    async def enter(self, place: tuple[int, int]) -> None:
        """Wait until one more may be in flight, and count it."""
        # Nobody waits where there is room: `leave` lets in all that fit.
        if self.in_flight < self.limit:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (*place, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """One less is in flight; the next may come."""
        self.in_flight -= 1
        while self._waiting and self.in_flight < self.limit:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    async def pause(self, policy: RetryPolicy) -> None:
        """Wait as long as the server asked everybody to."""
        seen = 0.0
        while self._until > seen:
            seen = self._until
            left = seen - policy.clock()
            if left > 0:
                await policy.sleep(left)

    def answered(self, window: int) -> None:
        """A request that was sent in `window` succeeded."""
        is_full = self.in_flight >= self.limit
        if window != self.window or not is_full or self.limit >= self.ceiling:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers = 0
            self.limit += 1

    def overloaded(self, window: int, policy: RetryPolicy, wait_s: float | None) -> None:
        """A request that was sent in `window` was too much."""
        if wait_s is not None and wait_s <= policy.longest_wait_s:
            self._until = max(self._until, policy.clock() + wait_s)
        if window != self.window:
            return
        self.window += 1
        self._answers = 0
        self.limit = max(1, min(self.limit, self.in_flight) // 2)
        log.info("limiter.narrowed", server=self.name, limit=self.limit, wait_s=wait_s)


class Turn:
    """One call's place in line."""

    def __init__(self, limiter: Limiter, place: tuple[int, int], policy: RetryPolicy) -> None:
        self._limiter, self._place, self._policy = limiter, place, policy
        self._entered = False

    async def take(self) -> None:
        """Wait for the turn; nothing when it is there already."""
        if not self._entered:
            await self._limiter.enter(self._place)
            self._entered = True

    async def send(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns, in this turn; the turn is given back in any case."""
        await self.take()
        limiter = self._limiter
        try:
            await limiter.pause(self._policy)
            window = limiter.window
            try:
                answer = await attempt()
            except Transient as error:
                if error.overloaded:
                    limiter.overloaded(window, self._policy, error.wait_s)
                raise
            limiter.answered(window)
            return answer
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Let the next one go; nothing when the turn was given back."""
        if self._entered:
            self._entered = False
            self._limiter.leave()


_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Limiter]] = WeakKeyDictionary()


def limiter_of(server: str) -> Limiter:
    """The limiter of `server` on the running loop."""
    own = _limiters.setdefault(asyncio.get_running_loop(), {})
    if server not in own:
        own[server] = Limiter(server)
    return own[server]

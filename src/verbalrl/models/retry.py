"""The one retry policy: bounded attempts, jittered waits, one deadline that covers them all.

An attempt raises `Transient` for what may pass, a `ModelError` for what will not. Every failure
ends as a `ModelError` with a text of ours, and with no foreign exception behind it: those hold
requests, and requests hold keys.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .._logging import get_logger
from ..errors import CallTimedOut, ModelError, ProviderDown

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

log = get_logger(__name__)

_JITTER = 0.25


class Transient(Exception):
    """An attempt failed in a way that may pass; `wait_s` is how long the server asks to wait.

    `overloaded` when the reason is that the server is asked too much at a time.
    """

    def __init__(self, text: str, wait_s: float | None = None, *, overloaded: bool = False) -> None:
        super().__init__(text)
        self.wait_s = wait_s
        self.overloaded = overloaded


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long and how patiently a call is tried; clock and sleep can be injected."""

    attempts: int = 5
    deadline_s: float = 600.0
    """For the whole call: all attempts and the waits between them. It begins with the first."""
    longest_wait_s: float = 120.0
    """A server that asks for more is not waited for."""
    first_wait_s: float = 0.5
    backoff_cap_s: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    @property
    def silence_s(self) -> float:
        """How long a server may say nothing; half the deadline, so that a second try has time."""
        return self.deadline_s / 2

    async def call(self, attempt: Callable[[], Awaitable[T]], whose: str) -> T:
        """What `attempt` returns, after as many tries as it needs and may have.

        Raises:
            ProviderDown: The last attempt allowed failed too, or the wait would be too long.
            CallTimedOut: The deadline passed.
        """
        call = _Call(self, whose, self.clock())
        answer, failure = await call.run(attempt)
        if failure is not None:
            # Outside of every `except`: nothing foreign hangs on to it.
            raise failure
        return answer[0]

    def wait_for(self, failed: int, asked: float | None) -> float:
        """Seconds to wait after the attempt number `failed`, when the server asked for `asked`."""
        if asked:
            return asked * (1 + _JITTER * self.chance())
        backoff = min(self.first_wait_s * 2.0 ** (failed - 1), self.backoff_cap_s)
        return backoff * (1 - _JITTER * self.chance())


@dataclass
class _Call:
    policy: RetryPolicy
    whose: str
    started: float
    sent: int = 0
    last: Transient | None = None

    async def run(
        self, attempt: Callable[[], Awaitable[T]]
    ) -> tuple[tuple[T, ...], ModelError | None]:
        limit = asyncio.timeout(self.policy.deadline_s)
        try:
            async with limit:
                try:
                    self.sent += 1
                    return (await attempt(),), None
                except Transient as error:
                    first = error
                return (await self._retried(attempt, first),), None
        except Transient as error:
            return (), self._down(error)
        except TimeoutError:
            if not limit.expired():
                raise
            return (), self._late()

    async def _retried(self, attempt: Callable[[], Awaitable[T]], first: Transient) -> T:
        """What a later attempt returns; most calls never come here, and do not pay for it."""
        from tenacity import AsyncRetrying, retry_if_exception_type  # noqa: PLC0415 - on use

        failures = [first]

        async def tried() -> T:
            if failures:
                raise failures.pop()
            self.sent += 1
            return await attempt()

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=self._wait,
            stop=self._stop,
            sleep=self.policy.sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        return await retrying(tried)

    def _wait(self, state: RetryCallState) -> float:
        return self.policy.wait_for(state.attempt_number, self._failure(state).wait_s)

    def _stop(self, state: RetryCallState) -> bool:
        wait = self._failure(state).wait_s
        too_long = wait is not None and wait > self.policy.longest_wait_s
        return (
            state.attempt_number >= self.policy.attempts
            or too_long
            or state.upcoming_sleep > self._left()
        )

    def _failure(self, state: RetryCallState) -> Transient:
        error = state.outcome.exception() if state.outcome else None
        self.last = error if isinstance(error, Transient) else Transient("no answer")
        return self.last

    def _tell(self, state: RetryCallState) -> None:
        log.warning(
            "call.retried",
            model=self.whose,
            attempt=state.attempt_number,
            wait_s=round(state.upcoming_sleep, 2),
            reason=str(self.last),
        )

    def _left(self) -> float:
        return self.policy.deadline_s - (self.policy.clock() - self.started)

    def _down(self, error: Transient) -> ProviderDown:
        text = f"{self.whose}: {error} ({self._requests()})"
        wait, longest = error.wait_s, self.policy.longest_wait_s
        if wait is not None and wait > longest:
            text += f"; it asks to wait {wait:.0f} s, more than the {longest:.0f} s allowed"
        elif self.sent < self.policy.attempts:
            text += f"; no time is left for another try within {self.policy.deadline_s:g} s"
        return ProviderDown(text)

    def _late(self) -> CallTimedOut:
        text = f"{self.whose}: no answer within {self.policy.deadline_s:g} s ({self._requests()})"
        return CallTimedOut(text + (f"; before that: {self.last}" if self.last else ""))

    def _requests(self) -> str:
        return "1 request" if self.sent == 1 else f"{self.sent} requests"

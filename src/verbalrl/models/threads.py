"""Sync code of others in threads: bounded, fenced off when it does not return, counted.

A thread cannot be killed. When its caller stops waiting, what it still returns is dropped, it
counts as stuck until it ends, and after a few such threads further calls are refused. Threads are
daemons, so a stuck one does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError, StuckThreadsError

T = TypeVar("T")
Kind = Literal["agent", "environment"]

_GRACE_S = 0.25
"""What threads that were just let go have for their end before they are held against the run."""


class Workers:
    """The worker threads of one run: at most `limit` of a kind, `stuck_limit` stuck ones in all."""

    def __init__(self, limit: int = 256, stuck_limit: int = 4) -> None:
        if limit < 1 or stuck_limit < 1:
            raise ConfigurationError("limits of worker threads must be at least 1")
        self._limit = limit
        # By kind, because an episode holds one of each: a common bound could deadlock.
        self._permits: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Kind, asyncio.Semaphore]
        ] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self.stuck_limit = stuck_limit
        self.stuck = 0
        """Threads that were given up and still run."""
        self.late = 0
        """Results that came after nobody waited for them; dropped."""

    def worker(self, kind: Kind = "agent") -> Worker:
        """One thread, started at its first call; end it with `Worker.end`."""
        return Worker(self, kind)

    async def check(self) -> None:
        """Refuse further calls when too many threads are stuck.

        Raises:
            StuckThreadsError: `stuck_limit` threads are still occupied after a short grace.
        """
        for _ in range(5):
            if self.stuck < self.stuck_limit:
                return
            await asyncio.sleep(_GRACE_S / 5)
        raise StuckThreadsError(
            f"{self.stuck} timed-out calls of agents or environments still occupy their threads"
        )

    def permits(self, kind: Kind) -> asyncio.Semaphore:
        """What bounds the threads of `kind` on the running loop."""
        by_kind = self._permits.setdefault(asyncio.get_running_loop(), {})
        return by_kind.setdefault(kind, asyncio.Semaphore(self._limit))

    def count(self, *, stuck: int, late: int = 0) -> None:
        """Add to the figures; from any thread."""
        with self._lock:
            self.stuck += stuck
            self.late += late


class Worker:
    """One thread for the sync calls of one episode, in order.

    Always the same thread: some libraries (sqlite3 among them) insist on it.
    """

    def __init__(self, workers: Workers, kind: Kind) -> None:
        self._workers = workers
        self._kind: Kind = kind
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.started = False
        """True from its first call to its end."""
        self._permit: asyncio.Semaphore | None = None
        self.is_stuck = False
        """True once a call was given up; no further call is taken."""

    async def call(self, function: Callable[..., T], /, *args: Any) -> T:
        """`function(*args)` in the thread, in a copy of this task's context variables.

        Cancelling gives the thread up. What the function raises is raised here.
        """
        if self.is_stuck:
            raise RuntimeError("this worker thread was given up")
        await self._start()
        job = _Job(asyncio.get_running_loop(), copy_context(), function, args)
        self._jobs.put(job)
        try:
            await job.done
        except asyncio.CancelledError:
            if job.give_up(self._workers):
                self.is_stuck = True
            raise
        return cast(T, job.outcome.get())

    async def _start(self) -> None:
        if self.started:
            return
        await self._workers.check()
        self._permit = self._workers.permits(self._kind)
        await self._permit.acquire()
        self.started = True
        name = f"verbalrl-{self._kind}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run(self._workers)

    def end(self, last: Callable[[], object] | None = None) -> None:
        """Let the thread end after what it is doing; a stuck one does `last` first if it can."""
        if not self.started:
            return
        self.started = False
        if last is not None:
            self._jobs.put(_Job(None, copy_context(), last, ()))
        self._jobs.put(None)
        if self._permit is not None:
            self._permit.release()


class _Outcome:
    """What a call came to: kept, and raised again where somebody waits and can attribute it."""

    def __init__(self) -> None:
        self.value: object = None
        self.error: BaseException | None = None

    def __enter__(self) -> _Outcome:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error
        return True

    def get(self) -> object:
        if self.error is None:
            return self.value
        if isinstance(self.error, StopIteration) or not isinstance(self.error, Exception):
            # SystemExit or a cancellation of its own must not end the run's loop or task.
            name = type(self.error).__name__
            raise RuntimeError(f"{name} in a worker thread: {self.error}") from self.error
        raise self.error


class _Job:
    """One call and who waits for it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        context: Context,
        function: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        self._loop, self._context, self._function, self._args = loop, context, function, args
        self.done: asyncio.Future[None] = loop.create_future() if loop else cast(Any, None)
        self.outcome = _Outcome()
        self._lock = threading.Lock()
        self._finished = self._given_up = False

    def run(self, workers: Workers) -> None:
        with self.outcome as outcome:
            outcome.value = self._context.run(self._function, *self._args)
        if self._loop is None:
            return
        with self._lock:
            self._finished = True
            late = self._given_up
        if late:
            workers.count(stuck=-1, late=1)
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # The loop was closed in between: nobody waits.
            workers.count(stuck=0, late=1)

    def _deliver(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def give_up(self, workers: Workers) -> bool:
        """Stop waiting; True if the call was still running."""
        with self._lock:
            if self._finished:
                return False
            self._given_up = True
        workers.count(stuck=1)
        return True

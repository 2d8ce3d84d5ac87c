"""Memory beside a working agent: what goes wrong in it is logged, and the agent goes on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from .._logging import get_logger
from ..errors import EpisodeError, StorageError, VerbalRLError, boundary, first_line

log = get_logger(__name__)


MAX_WAITING = 1_000
"""Calls that wait to be written, and episodes that wait to be begun; more are dropped, for an agent
must not run out of memory."""


PATIENCE_S = 1.0
"""How long an agent waits at most for its episode to be recorded."""
STRICT_S = 30.0
"""The same where what cannot be recorded is raised."""
FEEDBACK_S = 10.0
"""How long whoever says something waits at most until it is kept."""
T = TypeVar("T")


def awaited(future: Future[T], seconds: float) -> T:
    """The result of `future`; raises `StorageError` when it is not there after `seconds`."""
    wait([future], seconds)
    if not future.done():
        raise StorageError(
            f"the store has been busy for {seconds:g} s; end what holds it, or try again"
        )
    return future.result()


class ServingError(EpisodeError):
    """Something in memory broke while an agent was served."""

    kind = "serving_error"


@contextmanager
def forgiving(what: str, *, strict: bool) -> Iterator[None]:
    """Log what goes wrong in the block as `serving.failed`; raise it where `strict`."""
    try:
        with boundary(ServingError, what):
            yield
    except VerbalRLError as error:
        if strict:
            raise
        log.warning("serving.failed", what=what, why=first_line(str(error)))


def chained(posted: Future[Future[T]]) -> Future[T]:
    """What will be the result of the future that `posted` will give."""
    found: Future[T] = Future()
    # Whoever waits for it and is cancelled leaves it as it is.
    found.set_running_or_notify_cancel()

    def end(given: Future[T]) -> None:
        error = given.exception()
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(given.result())

    def go_on(given: Future[Future[T]]) -> None:
        error = given.exception()
        if error is not None:
            found.set_exception(error)
        else:
            given.result().add_done_callback(end)

    posted.add_done_callback(go_on)
    return found


class Room:
    """How much may wait to be written."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._waiting = 0
        self.dropped = 0
        """What there was no room for."""

    def hold(self) -> bool:
        """Whether there is room for one more, until `release`."""
        with self._gate:
            has_room = self._waiting < MAX_WAITING
            self._waiting += has_room
            self.dropped += not has_room
            return has_room

    def release(self) -> None:
        """One that was held is written, or never will be."""
        with self._gate:
            self._waiting -= 1

    def until(self, write: Callable[[], Future[Any] | None]) -> None:
        """Do `write`, of one that was held; it is released when that is on the disk."""
        written: Future[Any] | None = None
        try:
            written = write()
        finally:
            if written is None:
                self.release()
            else:
                written.add_done_callback(lambda _: self.release())


class Recorder:
    """A thread that records, so that calls need not wait; what it is given is done in order."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.calls, self.episodes = Room(), Room()

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        """What will be the result of `job`."""
        future: Future[Any] = Future()
        with self._gate:
            if self._closed:
                future.set_exception(StorageError("the coach is closed; nothing is recorded"))
                return future
            if self._thread is None:
                name = "verbalrl-recorder"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # No room for one more, or the interpreter is ending.
                    future.set_exception(StorageError(f"nothing is recorded: {error}"))
                    return future
                self._thread = thread
            self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Do what was given so far, then end; a second call does nothing."""
        with self._gate:
            already, self._closed = self._closed, True
            thread = self._thread
            if thread is not None and not already:
                self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            try:
                with boundary(ServingError, "recording"):
                    result = job()
            except VerbalRLError as error:
                future.set_exception(error)
            else:
                future.set_result(result)

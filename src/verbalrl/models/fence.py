"""The end of a view of a call context: what comes late is refused, who still waits is let go."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..errors import ModelError

T = TypeVar("T")


class Fence:
    """Ends a view: refuses what comes late, lets go of threads that still wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[concurrent.futures.Future[Any]] = set()
        self.closed = False

    def submit(
        self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
    ) -> concurrent.futures.Future[T]:
        """What will be the result of `coroutine` on `loop`; refused once the view has ended."""
        with self._lock:
            if self.closed:
                coroutine.close()
                raise late()
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
            self._waiting.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        with self._lock:
            self._waiting.discard(future)

    def close(self) -> None:
        """Refuse what comes from now on, and let go of who waits."""
        with self._lock:
            self.closed = True
            waiting = tuple(self._waiting)
        for future in waiting:
            future.cancel()


def late() -> ModelError:
    """What whoever asks too late is told."""
    return ModelError("a model was asked after the step that asked had ended")

"""One at a time, of tasks on any number of event loops.

A lock of asyncio is of the loop on which a task first had to wait for it, and one of threads is
lost where a task is cancelled whose thread still waits. Lessons may be searched for by several
runs one after the other, and by several threads at once. What a thread does for a task goes on when
that is cancelled, and so the turn stays with the thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class _Loan:
    """A thread's part of a turn."""

    def __init__(self) -> None:
        self.begun = False
        self.left = False
        """Whoever asked for it has given the turn back."""
        self.done = threading.Event()


class Turn:
    """A lock for tasks, first come, first served, wherever they run and wait."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loan: _Loan | None = None

    async def take(self) -> None:
        """Wait until it is ours."""
        with self._gate:
            if not self._taken:
                self._taken = True
                return
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            with self._gate:
                ours = turn not in self._waiting
                if not ours:
                    self._waiting.remove(turn)
            if ours:
                self.give_back()
            raise

    async def lend(self, work: Callable[[], T]) -> T:
        """What `work` makes in a thread, which keeps our turn until it is done."""
        loan = self._loan = _Loan()

        def held() -> T:
            with self._gate:
                loan.begun = not loan.left
                if not loan.begun:
                    raise asyncio.CancelledError  # before it could begin: others have the turn
            try:
                return work()
            finally:
                with self._gate:
                    loan.done.set()
                    left = loan.left
                if left:
                    self._hand_over()

        return await asyncio.to_thread(held)

    def give_back(self) -> None:
        """Leave it to who has waited longest, once a thread that it was lent to is done."""
        with self._gate:
            loan = self._loan
            if loan is not None and not (loan.left or loan.done.is_set()):
                loan.left = True
                if loan.begun:
                    return
        self._hand_over()

    def join(self) -> None:
        """Wait until no thread works in the turn."""
        with self._gate:
            loan = self._loan
        if loan is not None and loan.begun:
            loan.done.wait()

    def _hand_over(self) -> None:
        with self._gate:
            while self._waiting:
                turn = self._waiting.popleft()
                try:
                    turn.get_loop().call_soon_threadsafe(_call, turn)
                except RuntimeError:
                    continue  # its loop is closed, and nobody waits any more
                return
            self._taken = False

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *_: object) -> None:
        self.give_back()


def _call(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)

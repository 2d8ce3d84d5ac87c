"""The one writer of a store in this process: a thread, a queue, and one fsync for many rows.

Whatever is asked for while a commit is under way goes into the next one together, and so does what
is asked for on an event loop that is busy, for a few milliseconds at most. Where one fails,
all are done again, each in a savepoint of its own, so that it takes nobody else along. A caller
hears back once its rows are on the disk. What is patient stays first in line while another process
holds the store, for as long as that takes.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from .._logging import get_logger
from ..errors import StorageError, StoreHeldError, VerbalRLError
from .locks import FileLock
from .schema import explained, failure

log = get_logger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""Statements of one item. It may run twice, so it must have no effect but on the database."""

_BATCH = 512
_HELD_S = 0.01
"""So long rows wait for more while their event loop has others to serve."""
_IDLE_TURN_S = 0.0003
"""A turn of an event loop that has nobody else to serve takes a tenth of it."""
# What an item may fail with on its own account; anything else is our bug and ends the thread.
_OF_THE_ITEM = (
    VerbalRLError,
    sqlite3.Error,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _Herald:
    """Tells those who wait on one event loop, one of them in each of its turns, in their order.

    All told at once would go on side by side, each of their stages in one turn, and their next
    requests would leave together when the last is built. So the first is on its way by then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)
        """Not held: a store may outlive many loops."""
        self.asked = 0.0
        """Since when something waits to be handed to the writer; 0 when nothing does."""
        self.looked = 0.0
        """When that was last looked at."""
        self._waiting: deque[tuple[asyncio.Future[Any], Any]] = deque()

    def tell(self, pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
        """Tell futures their outcomes; called on the loop."""
        under_way = bool(self._waiting)
        self._waiting += pairs
        if not under_way:
            self._next()

    def _next(self) -> None:
        while self._waiting:
            future, outcome = self._waiting.popleft()
            if not future.done():  # else its caller was cancelled
                _resolve(future, outcome)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)


@dataclass(frozen=True, slots=True)
class _Item:
    work: Work[Any]
    future: Future[Any] | asyncio.Future[Any]
    herald: _Herald | None = None
    patient: bool = False
    """Whether it waits while others hold the store, rather than fail after a while."""


class Writer:
    """Runs work on the writing connection; connects and starts its thread at the first item."""

    def __init__(
        self, path: Path, connect: Callable[[], sqlite3.Connection], lock: FileLock
    ) -> None:
        self._path = path
        self._connect = connect
        self._lock = lock
        self._queue: queue.SimpleQueue[list[_Item] | None] = queue.SimpleQueue()
        self._held: list[_Item] = []
        """What was asked for on event loops and is not in the queue yet; behind the gate."""
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._heralds: WeakKeyDictionary[asyncio.AbstractEventLoop, _Herald] = WeakKeyDictionary()
        self.transactions = 0
        """Commits so far, each of them one fsync."""

    async def put(self, work: Work[T]) -> T:
        """The result of `work`, once it is durable. A cancelled caller leaves it to be done."""
        return await self.begin(work)

    def begin(self, work: Work[T]) -> asyncio.Future[T]:
        """What will be the result of `work` on the running loop; it is under way already."""
        loop = asyncio.get_running_loop()
        herald = self._heralds.get(loop)
        if herald is None:
            herald = self._heralds[loop] = _Herald(loop)
        future: asyncio.Future[T] = loop.create_future()
        with self._gate:
            self._check_open()
            self._start()
            self._held.append(_Item(work, future, herald))
        if not herald.asked:
            herald.asked = herald.looked = loop.time()
            loop.call_soon(self._look, herald)
        return future

    def _look(self, herald: _Herald) -> None:
        """Hand over what is held once the loop is idle, or has been busy for long.

        A commit takes the interpreter from the loop several times, however many rows it has. So
        while the loop is behind with its work, rows wait for those that it is about to ask for.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - herald.looked > _IDLE_TURN_S and now - herald.asked < _HELD_S:
            herald.looked = now
            loop.call_soon(self._look, herald)
            return
        herald.asked = 0.0
        with self._gate:
            if self._held and not self._closed:
                self._hand_over()

    def do(self, work: Work[T]) -> T:
        """The same for callers outside an event loop, or that can wait for a few milliseconds."""
        return self.post(work).result()

    def within(self, work: Work[T], seconds: float) -> T:
        """The same for callers that wait no longer than that; what was given up is never done."""
        claim: Future[None] = Future()

        def claimed(connection: sqlite3.Connection) -> T:
            if claim.cancelled() or not (claim.running() or claim.set_running_or_notify_cancel()):
                raise StorageError(f"{self._path}: whoever asked waits no longer")
            return work(connection)

        future = self.post(claimed)
        wait([future], seconds)
        if not future.done() and claim.cancel():
            raise StorageError(
                f"{self._path} was held by another process for {seconds:.0f} s; nothing was "
                "written; end it, or try again"
            )
        return future.result()

    def post(self, work: Work[T], *, patient: bool = False) -> Future[T]:
        """What will be the result of `work`, for callers that need not wait; in order.

        What is `patient` fails for a store that others hold only once this is closed.
        """
        future: Future[T] = Future()
        self._enqueue(_Item(work, future, patient=patient))
        return future

    def close(self) -> None:
        """Write what was asked for so far, then end; a second call does nothing."""
        with self._gate:
            already, self._closed = self._closed, True
            if self._held and not already:
                self._hand_over()
            thread = self._thread
            if thread is not None and not already:
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _enqueue(self, item: _Item) -> None:
        with self._gate:
            self._check_open()
            self._start()
            self._held.append(item)
            self._hand_over()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"{self._path} is closed")

    def _start(self) -> None:
        """Start the thread at the first item: whoever asks hears where that cannot be done."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="verbalrl-writer", daemon=True)
            thread.start()
            self._thread = thread

    def _hand_over(self) -> None:
        """Put what is held into the queue, in its order; called behind the gate."""
        held, self._held = self._held, []
        for n in range(0, len(held), _BATCH):
            self._queue.put(held[n : n + _BATCH])

    def _run(self) -> None:
        batch: list[_Item] = []
        try:
            open_end = True
            while open_end:
                batch, open_end = self._next(batch)
                batch = self._settled(batch, self._write(batch), is_last=not open_end)
        finally:
            self._end(batch)

    def _next(self, left: list[_Item]) -> tuple[list[_Item], bool]:
        """What is to be written, first what is `left`, and whether more may come."""
        batch, room = list(left), len(left) + _BATCH
        if left and self._queue.empty():
            return batch, True
        items = self._queue.get()
        while items is not None:
            batch += items
            if len(batch) >= room or self._queue.empty():
                return batch, True
            items = self._queue.get()
        return batch, False

    def _settled(self, batch: list[_Item], outcomes: list[Any], *, is_last: bool) -> list[_Item]:
        """Tell who asked; gives what is to be tried again."""
        left: list[_Item] = []
        done: list[tuple[_Item, Any]] = []
        for item, outcome in zip(batch, outcomes, strict=True):
            if not is_last and item.patient and _is_held(outcome):
                left.append(item)
            else:
                done.append((item, outcome))
        _settle([i for i, _ in done], [o for _, o in done])
        if not left:
            return []
        log.warning("store.held", path=str(self._path), waiting=len(left))
        return left

    def _write(self, batch: list[_Item]) -> list[Any]:
        try:
            with self._lock.hold():
                if self._connection is None:
                    self._connection = self._connect()
                return self._transaction(self._connection, batch)
        except sqlite3.Error as error:
            if len(batch) > 1 and getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                # There may be room for some of them.
                return [self._write([item])[0] for item in batch]
            return [_Failed(failure(error, self._path))] * len(batch)
        except StorageError as error:
            return [_Failed(error)] * len(batch)
        except OSError as error:
            unwritable = StorageError(
                f"{self._path} cannot be written ({error.strerror}); make file and folder writable"
            )
            return [_Failed(unwritable)] * len(batch)

    def _transaction(self, connection: sqlite3.Connection, batch: list[_Item]) -> list[Any]:
        if not batch:
            return []
        # Each statement gives the interpreter away, and waits for it behind a busy event loop: one
        # that is left out is worth milliseconds. So savepoints are for batches in which one failed.
        connection.execute("BEGIN IMMEDIATE")
        try:
            return self._committed(connection, [item.work for item in batch])
        except _OF_THE_ITEM:
            connection.execute("BEGIN IMMEDIATE")
            works = [partial(self._attempt, work=item.work) for item in batch]
            return self._committed(connection, works)

    def _committed(self, connection: sqlite3.Connection, works: Iterable[Work[Any]]) -> list[Any]:
        """What `works` make, in the transaction that is open."""
        try:
            outcomes = [work(connection) for work in works]
            connection.execute("COMMIT")
        except _OF_THE_ITEM:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.transactions += 1
        return outcomes

    def _attempt(self, connection: sqlite3.Connection, work: Work[Any]) -> Any:
        connection.execute("SAVEPOINT item")
        try:
            result = work(connection)
        except _OF_THE_ITEM as error:
            if not connection.in_transaction:
                raise  # SQLite has undone the whole transaction, as it may when the disk is full
            connection.execute("ROLLBACK TO item")
            connection.execute("RELEASE item")
            return _Failed(explained(error, self._path))
        connection.execute("RELEASE item")
        return result

    def _end(self, unfinished: list[_Item]) -> None:
        with self._gate:
            self._closed = True
            held, self._held = self._held, []
        while not self._queue.empty():
            unfinished += self._queue.get() or ()
        unfinished += held
        stopped = _Failed(StorageError(f"the writer of {self._path} has stopped"))
        _settle(unfinished, [stopped] * len(unfinished))
        if self._connection is not None:
            close_connection(self._connection, self._lock)
        self._lock.close()


def _is_held(outcome: Any) -> bool:
    return isinstance(outcome, _Failed) and isinstance(outcome.error, StoreHeldError)


def close_connection(connection: sqlite3.Connection, lock: FileLock) -> None:
    """Close, under the lock where that can be had: the last one to close does a checkpoint."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(lock.hold())
        connection.close()


def _settle(batch: Iterable[_Item], outcomes: Iterable[Any]) -> None:
    by_loop: dict[_Herald, list[tuple[asyncio.Future[Any], Any]]] = {}
    for item, outcome in zip(batch, outcomes, strict=True):
        if item.herald is not None and isinstance(item.future, asyncio.Future):
            by_loop.setdefault(item.herald, []).append((item.future, outcome))
        else:
            _resolve(item.future, outcome)
    for herald, pairs in by_loop.items():
        loop = herald.loop()
        # A loop that is closed or gone: nobody waits, and the rows are there.
        with suppress(RuntimeError):
            if loop is not None:
                loop.call_soon_threadsafe(herald.tell, pairs)


def _resolve(future: Future[Any] | asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return  # its caller was cancelled
    if isinstance(outcome, _Failed):
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome)

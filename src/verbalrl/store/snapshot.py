"""Reading one state of the file, for one question or for several."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from ..errors import StorageError
from . import schema

T = TypeVar("T")

_KEPT = 8
"""Answers that took long; each may be of ten thousand lessons."""


class Snapshots:
    """The part of a store that holds its reading connection."""

    _file: Path
    _reader: sqlite3.Connection
    _reading: threading.RLock
    _closed: bool
    _made: dict[object, tuple[int, Any]]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within, this thread reads one state of the file, and others wait to read.

        What is written meanwhile is not seen before the end.
        """
        with self._reading:
            began = self._begin()
            try:
                yield
            finally:
                self._end(began)

    @contextmanager
    def snapshot_now(self) -> Iterator[bool]:
        """`snapshot` where nobody else reads; else gives False at once, and is none."""
        if not self._reading.acquire(blocking=False):
            yield False
            return
        try:
            with self.snapshot():
                yield True
        finally:
            self._reading.release()

    def unchanged(self, name: object, make: Callable[[], T]) -> T:
        """What `make` gives under `name`; asked again, the same until something is written."""
        with self.snapshot():
            # SQLite counts what other connections write, and this one writes nothing.
            version: int = self._reader.execute("PRAGMA data_version").fetchone()[0]
            then, found = self._made.pop(name, (-1, None))
            made: T = cast(T, found) if then == version else make()
            self._made[name] = version, made
            while len(self._made) > _KEPT:
                self._made.pop(next(iter(self._made)))
            return made

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one state of the file, however many statements it takes."""
        with self._reading:
            try:
                began = self._begin()
                try:
                    return work(self._reader)
                finally:
                    self._end(began)
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                raise schema.explained(error, self._file) from error

    def _begin(self) -> bool:
        """Whether this began a transaction: within a snapshot there is one."""
        if self._closed:
            raise StorageError(f"{self._file} is closed")
        if self._reader.in_transaction:
            return False
        self._reader.execute("BEGIN")
        return True

    def _end(self, began: bool) -> None:
        if began and self._reader.in_transaction:
            self._reader.execute("COMMIT")

"""Reading one state of the file, for one question or for several."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import StorageError
from . import schema

T = TypeVar("T")


class Snapshots:
    """The part of a store that holds its reading connection."""

    _file: Path
    _reader: sqlite3.Connection
    _reading: threading.RLock
    _closed: bool

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

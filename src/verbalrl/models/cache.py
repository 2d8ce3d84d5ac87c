"""Answers of earlier runs, kept in a folder across runs: what was paid once need not be paid again.

The key is that of the call without its run, the request, and the model with its address. So a run
that is repeated gets its own answers back, and what the journal keeps apart (arms, trials,
candidates, samples, steps, repairs) is kept apart here too. Only whole answers of models behind a
server are kept; errors never.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pydantic import ValidationError

from .._logging import get_logger
from ..errors import StorageError, first_line
from ..ids import canonical_json, key_id
from ..store.locks import FileLock
from .base import Model
from .messages import Reply, Request

log = get_logger(__name__)

FILE_NAME = "answers.db"
APPLICATION_ID = 0x76726331
"""`vrc1`."""
_VERSION = 1
_TABLE = """
CREATE TABLE answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, reply TEXT NOT NULL)
  STRICT, WITHOUT ROWID
"""
_WHOLE = frozenset({"stop", "tool_calls"})


class CallPlace(NamedTuple):
    """Which call of its owner it is."""

    role: str
    step: int
    hook: str
    ordinal: int
    repair: int


class AnswerCache:
    """The answers kept in one folder; safe for several processes; a context manager."""

    def __init__(self, folder: str | Path) -> None:
        """Open the file in `folder`, made if there is none.

        Raises:
            StorageError: It is damaged, not ours, of a newer version, or cannot be written.
        """
        self._folder = Path(folder).expanduser()
        self._file = self._folder / FILE_NAME
        # Before SQLite 3.51.3 a checkpoint that races a commit can damage the file.
        self._lock = FileLock(self._folder / "answers.lock")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # SQLite gives its side files the mode of the file.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            with self._lock.hold():
                self._connection = _opened(self._file)
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error

    def get(self, key: str) -> Reply | None:
        """The reply under `key`."""
        try:
            row = self._connection.execute(
                "SELECT reply FROM answers WHERE key = ?", (key,)
            ).fetchone()
            return None if row is None else Reply.model_validate_json(row[0])
        except (sqlite3.Error, ValidationError) as error:
            raise self._failure(error) from error

    def put(self, key: str, model: str, reply: Reply) -> None:
        """Keep `reply`; the first one under a key stays. A failure is logged: it is no loss."""
        kept = canonical_json(reply.model_dump(mode="json"))
        try:
            with self._lock.hold(), self._connection:
                self._connection.execute(
                    "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", (key, model, kept)
                )
        except (OSError, sqlite3.Error, StorageError) as error:
            log.warning("cache.failed", why=first_line(str(error), 200))

    def close(self) -> None:
        """Close the file."""
        with self._lock.hold():
            self._connection.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _failure(self, error: Exception) -> StorageError:
        why = "" if isinstance(error, ValidationError) else first_line(str(error), 120)
        return StorageError(
            f"{self._file} cannot be used as a cache of answers"
            f" ({why or 'an answer in it is damaged'}); remove it, or name another folder"
        )


class Shelf(NamedTuple):
    """What one owner of calls has in a cache; nothing without one."""

    cache: AnswerCache | None = None
    owner: str = ""
    """The owner's key without the run."""

    def get(self, model: Model, request: Request, place: CallPlace) -> Reply | None:
        """The kept reply; its usage says that all of it is reused, and costs nothing."""
        key = self._key(model, request, place)
        found = None if self.cache is None or key is None else self.cache.get(key)
        if found is None:
            return None
        cost = None if found.usage.cost_usd is None else 0.0
        usage = found.usage.replace(reused=found.usage.total, cost_usd=cost)
        return found.replace(usage=usage)

    def put(self, model: Model, request: Request, place: CallPlace, reply: Reply) -> None:
        """Keep `reply`, if it is whole."""
        key = self._key(model, request, place)
        if self.cache is not None and key is not None and reply.finish in _WHOLE:
            self.cache.put(key, model.address, reply)

    def _key(self, model: Model, request: Request, place: CallPlace) -> str | None:
        if self.cache is None or not model.address:
            return None
        return key_id("answer", self.owner, *place, request.sha(), model.address)


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout = 30000")
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        with closing(connection.execute("SELECT count(*) FROM sqlite_master")) as found:
            is_new = not found.fetchone()[0] and not application
        if is_new:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
        elif application != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is a database of something else")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, this is {_VERSION}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT key FROM answers LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection

"""What indexes keep in the file: vectors by embedder and content, and how far an index has come.

A vector is a pure function of its key, so keeping it changes nothing but time. The outbox is the
table of updates: what an index has not yet applied stands behind its `applied_n`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from ..records import LessonBody, MemoryUpdate, Operation
from .rows import dump_json, load

_CHUNK = 500
_KEEP = "INSERT OR IGNORE INTO embeddings (fingerprint, content, vector) VALUES (?, ?, ?)"


class Outgoing(NamedTuple):
    """One update as an index sees it."""

    n: int
    scope: str
    body: LessonBody | None
    """The text that it brings; None where it brings none."""
    purges: bool


class IndexState(NamedTuple):
    """How far an index outside the file has followed."""

    fingerprint: str
    generation: int
    applied_n: int
    rows: int


class Vectors:
    """The tables of indexes, through a store's connections."""

    def __init__(
        self,
        read: Callable[[Callable[[sqlite3.Connection], Any]], Any],
        write: Callable[[Callable[[sqlite3.Connection], Any]], Any],
        post: Callable[[Callable[[sqlite3.Connection], Any]], Future[Any]],
    ) -> None:
        self._read, self._write, self._post = read, write, post

    def store_id(self) -> str:
        """32 hex digits that name this store, also after it was moved."""
        found: str = self._read(_store_id)
        return found

    def get(self, fingerprint: str, contents: Sequence[str]) -> dict[str, bytes]:
        """The vectors that are there, by content."""
        found: dict[str, bytes] = self._read(lambda c: _get(c, fingerprint, contents))
        return found

    def put(self, fingerprint: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors; those that are there stay. Raises on a store that cannot be written."""
        rows = [(fingerprint, content, vector) for content, vector in vectors.items()]
        self._write(lambda c: c.executemany(_KEEP, rows).rowcount)

    def put_later(
        self, embedder: tuple[str, str, Mapping[str, Any]], vectors: Mapping[str, bytes]
    ) -> Future[int]:
        """Keep vectors, and note whose they are, without waiting until they are on the disk.

        `embedder` is its fingerprint, name and config. Raises on a store that cannot be written.
        """
        fingerprint, name, config = embedder
        named = (fingerprint, name, dump_json(dict(config)))
        rows = [(fingerprint, content, vector) for content, vector in vectors.items()]

        def work(c: sqlite3.Connection) -> int:
            c.execute("INSERT OR IGNORE INTO embedders VALUES (?, ?, ?)", named)
            return c.executemany(_KEEP, rows).rowcount

        return self._post(work)

    def embedders(self) -> tuple[tuple[str, str, int], ...]:
        """(fingerprint, name, number of vectors) of every embedder, by name."""
        found: tuple[tuple[str, str, int], ...] = self._read(_embedders)
        return found

    def newest(self) -> int:
        """The number of the newest update in the outbox; 0 when there is none."""
        found: int = self._read(lambda c: c.execute("SELECT max(n) FROM updates").fetchone()[0])
        return found or 0

    def outbox(self, after: int, limit: int = 5000) -> list[Outgoing]:
        """The updates behind number `after`, in order, at most `limit`."""
        found: list[Outgoing] = self._read(lambda c: _outbox(c, after, limit))
        return found

    def contents(self, scope: str) -> set[str]:
        """The content hashes that any update of `scope` still brings, on any branch."""
        found: set[str] = self._read(lambda c: _contents(c, scope))
        return found

    def state(self, name: str) -> IndexState | None:
        """How far the index of that name has followed."""
        row = self._read(
            lambda c: c.execute(
                "SELECT fingerprint, generation, applied_n, rows FROM index_state WHERE name = ?",
                (name,),
            ).fetchone()
        )
        return None if row is None else IndexState(*row)

    def states(self) -> tuple[tuple[str, IndexState], ...]:
        """Every index outside the file, by name."""
        rows = self._read(
            lambda c: c.execute(
                "SELECT name, fingerprint, generation, applied_n, rows FROM index_state"
                " ORDER BY name"
            ).fetchall()
        )
        return tuple((name, IndexState(*rest)) for name, *rest in rows)

    def put_state(self, name: str, state: IndexState) -> None:
        """Record how far it is now. Neither the generation nor, within it, the number goes back."""
        self._write(lambda c: _put_state(c, name, state))

    def claim(self, name: str, seen: int, state: IndexState) -> bool:
        """Record that generation `seen`, 0 for none, is followed by `state`, which we make.

        False, with nothing changed, where another process has begun a generation meanwhile.
        """
        done: bool = self._write(lambda c: _claim(c, name, seen, state))
        return done


def forget(connection: sqlite3.Connection, update: MemoryUpdate) -> None:
    """Delete the vectors of what `update` said; other lessons with that text get new ones."""
    snapshot = update.snapshot.body if update.snapshot is not None else None
    for body in (update.body, snapshot):
        if body is not None:
            connection.execute("DELETE FROM embeddings WHERE content = ?", (body.content,))


def _store_id(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM facts WHERE name = 'store'").fetchone()
    return str(row[0])


def _get(
    connection: sqlite3.Connection, fingerprint: str, contents: Sequence[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(contents), _CHUNK):
        part = contents[start : start + _CHUNK]
        marks = ", ".join("?" * len(part))
        sql = (
            f"SELECT content, vector FROM embeddings WHERE fingerprint = ? AND content IN ({marks})"
        )
        found.update(connection.execute(sql, (fingerprint, *part)).fetchall())
    return found


def _embedders(connection: sqlite3.Connection) -> tuple[tuple[str, str, int], ...]:
    rows: Iterable[tuple[str, str, int]] = connection.execute(
        "SELECT e.fingerprint, e.name, (SELECT count(*) FROM embeddings v"
        " WHERE v.fingerprint = e.fingerprint) FROM embedders e ORDER BY e.name, e.fingerprint"
    )
    return tuple(rows)


def _outbox(connection: sqlite3.Connection, after: int, limit: int) -> list[Outgoing]:
    rows = connection.execute(
        "SELECT n, scope, op, body FROM updates WHERE n > ? ORDER BY n LIMIT ?", (after, limit)
    )
    found = []
    for n, scope, op, text in rows:
        update = load(MemoryUpdate, text)
        body = update.body or (update.snapshot.body if update.snapshot is not None else None)
        # What a purge blanked has no text left.
        said = body if body is not None and (body.when or body.instruction) else None
        found.append(Outgoing(n, scope, said, op == Operation.PURGE))
    return found


def _contents(connection: sqlite3.Connection, scope: str) -> set[str]:
    found: set[str] = set()
    for (text,) in connection.execute("SELECT body FROM updates WHERE scope = ?", (scope,)):
        update = load(MemoryUpdate, text)
        body = update.body or (update.snapshot.body if update.snapshot is not None else None)
        if body is not None:
            found.add(body.content)
    return found


def _put_state(connection: sqlite3.Connection, name: str, state: IndexState) -> None:
    connection.execute(
        "INSERT INTO index_state VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " fingerprint = excluded.fingerprint, generation = excluded.generation,"
        " applied_n = CASE WHEN generation = excluded.generation"
        " THEN max(applied_n, excluded.applied_n) ELSE excluded.applied_n END,"
        " rows = excluded.rows WHERE excluded.generation >= generation",
        (name, *state),
    )


def _claim(connection: sqlite3.Connection, name: str, seen: int, state: IndexState) -> bool:
    changed = connection.execute(
        "INSERT INTO index_state VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " fingerprint = excluded.fingerprint, generation = excluded.generation,"
        " applied_n = excluded.applied_n, rows = excluded.rows WHERE generation = ?",
        (name, *state, seen),
    )
    return changed.rowcount > 0

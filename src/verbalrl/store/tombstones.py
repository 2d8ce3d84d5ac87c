"""What a person took out for good: sources, episodes and critiques nothing may rest on again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..errors import StorageError
from ..ids import sha256_text
from ..records import Commit, Evidence, Operation, Origin
from .rows import now

TABLE = """
CREATE TABLE IF NOT EXISTS tombstones (
  kind TEXT NOT NULL CHECK (kind IN ('source', 'episode', 'critique', 'lesson')),
  name TEXT NOT NULL, what TEXT NOT NULL CHECK (what IN ('revoked', 'purged')),
  reason TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (kind, name, what)
) STRICT;
"""
"""The migration that adds the table; it needs no other but the first."""

Kind = Literal["source", "episode", "critique", "lesson"]
_KINDS = ("source", "episode", "critique", "lesson")
_REMOVES = (Operation.REVOKE, Operation.PURGE, Operation.VOTE, Operation.SUSPEND, Operation.REVISE)


class Tombstone(NamedTuple):
    """One thing that was revoked or purged."""

    kind: Kind
    name: str
    what: Literal["revoked", "purged"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Barred:
    """What no lesson may rest on any more; falsy when that is nothing."""

    sources: frozenset[str] = frozenset()
    """Their names, and of purged ones the hashes of their names."""
    episodes: frozenset[str] = frozenset()
    critiques: frozenset[str] = frozenset()
    lessons: frozenset[str] = frozenset()
    """Taken out by name; evidence knows nothing of them."""

    def __bool__(self) -> bool:
        return bool(self.sources or self.episodes or self.critiques)

    def hits(self, evidence: Evidence) -> bool:
        """Whether `evidence` stems from any of it."""
        return (
            evidence.episode in self.episodes
            or evidence.critique in self.critiques
            or any(s in self.sources or hashed(s) in self.sources for s in evidence.sources)
        )


def hashed(name: str) -> str:
    """What stands for the name of a source that was purged."""
    return f"sha256:{sha256_text(name)}"


def add(connection: sqlite3.Connection, stones: Iterable[Tombstone]) -> None:
    """Write them; one that is there stays as it is."""
    rows = [(*stone, now()) for stone in stones]
    connection.executemany("INSERT OR IGNORE INTO tombstones VALUES (?, ?, ?, ?, ?)", rows)


def all_of(connection: sqlite3.Connection) -> tuple[Tombstone, ...]:
    """All of them, in order."""
    rows = connection.execute("SELECT kind, name, what, reason FROM tombstones ORDER BY 1, 2, 3")
    return tuple(Tombstone(*row) for row in rows)


def barred(connection: sqlite3.Connection) -> Barred:
    """What nothing may rest on."""
    found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for kind, name in connection.execute("SELECT kind, name FROM tombstones"):
        found[kind].add(name)
    return Barred(*(frozenset(found[kind]) for kind in _KINDS))


def check(connection: sqlite3.Connection, commit: Commit) -> None:
    """Raise `StorageError` when a commit rests on what was revoked; a person may take away."""
    bar = barred(connection)
    if not bar:
        return
    for update in commit.updates:
        if update.trust is Origin.OPERATOR and update.op in _REMOVES:
            continue
        resting = update.evidence if update.snapshot is None else update.snapshot.evidence
        for evidence in (*update.evidence, *resting):
            if bar.hits(evidence):
                raise StorageError(
                    f"{update.op} of lesson {update.lesson} is refused: it rests on "
                    f"{evidence.critique}, whose source was revoked"
                )

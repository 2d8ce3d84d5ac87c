"""What a commit has to know before it is written, in one statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from ..records import Commit
from . import outbox, runs
from .leases import Row
from .rows import load_json

# A statement gives the interpreter away twice: five of them would be a tenth of a durable lesson.
_SQL = (
    "SELECT b.parent, b.pinned, b.learns, l.owner, l.pid, l.token, l.fence, l.held,"
    " EXISTS (SELECT 1 FROM commits WHERE id = ?3), EXISTS (SELECT 1 FROM tombstones),"
    f" ({outbox.LAST}),"
    " (SELECT n FROM updates WHERE branch = ?1 AND scope = ?2"
    " ORDER BY revision DESC, ordinal DESC LIMIT 1),"
    " (SELECT max(revision) FROM updates WHERE branch = ?1 AND scope = ?2)"
    " FROM branches b LEFT JOIN leases l ON l.branch = b.id WHERE b.id = ?1"
)


class Footing(NamedTuple):
    """How things stand for a commit."""

    parent: str | None
    pinned: Mapping[str, int]
    learns: bool
    lease: Row | None
    stored: bool
    """Whether it is there already."""
    barred: bool
    """Whether anything was ever revoked or purged."""
    last: int
    """The highest number that an update ever had."""
    newest: tuple[int, int] | None
    """(revision, number) of the branch's own newest update in the scope."""


def footing(connection: sqlite3.Connection, commit: Commit) -> Footing:
    """How things stand; raises `UnknownNameError` when there is no such branch."""
    row = connection.execute(_SQL, (commit.branch, commit.scope, commit.id)).fetchone()
    if row is None:
        runs.branch(connection, commit.branch)
    parent, pinned, learns, *lease, stored, barred, last, n, revision = row
    return Footing(
        parent=parent,
        pinned=load_json(pinned),
        learns=bool(learns),
        lease=None if lease[0] is None else Row._make(lease),
        stored=bool(stored),
        barred=bool(barred),
        last=last,
        newest=None if n is None else (revision, n),
    )

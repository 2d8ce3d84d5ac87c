"""What a run is to do again is taken back: its rows, never the journal of its calls.

Rows of a lane that rest on a failure would not be what a run without it has made. Answers stay, so
that what comes out the same is not paid for twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..errors import ConfigurationError
from . import outbox
from .commits import rebuild
from .runs import branch as branch_of

_BY_RUN = ("cu_", "ju_")
"""How ids of commits that a run makes begin, curators and the gate; those of people do not."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of one branch; all else of it goes."""

    rows: frozenset[str]
    """Ids of episodes, critiques, commits and decisions."""
    rounds: int
    """How many rounds stay pinned."""


def undo(connection: sqlite3.Connection, branches: Mapping[str, Kept]) -> int:
    """Delete what does not stay and make the lessons anew; how many episodes went.

    Raises `ConfigurationError`, with nothing changed, where others have used what would go.
    """
    connection.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY) WITHOUT ROWID")
    try:
        return sum(_undo(connection, name, kept) for name, kept in sorted(branches.items()))
    finally:
        connection.execute("DROP TABLE gone")


def _undo(connection: sqlite3.Connection, branch: str, kept: Kept) -> int:
    record = branch_of(connection, branch)
    lane = (record.run, record.arm, record.seed)
    found = {
        "episodes": _ids(connection, "episodes WHERE run = ? AND arm = ? AND seed = ?", *lane),
        "critiques": _ids(connection, "critiques WHERE branch = ?", branch),
        "commits": _ids(connection, "commits WHERE branch = ?", branch),
        "decisions": _ids(connection, "decisions WHERE branch = ?", branch),
    }
    connection.execute("DELETE FROM gone")
    going = {table: ids - kept.rows for table, ids in found.items()}
    rows = [(name,) for ids in going.values() for name in ids]
    connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", rows)
    _check_unread(connection, branch, going["commits"])
    outbox.keep_last(connection)
    for table, column in _ROWS:
        connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM gone)")
    connection.execute("DELETE FROM rounds WHERE branch = ? AND number > ?", (branch, kept.rounds))
    rebuild(connection, branch)
    return len(going["episodes"])


_ROWS = (
    ("uses", "episode"),
    ("steps", "episode"),
    ("critique_episodes", "critique"),
    ("commit_critiques", "commit_id"),
    ("updates", "commit_id"),
    ("commits", "id"),
    ("critiques", "id"),
    ("episodes", "id"),
    ("decisions", "id"),
)


def _ids(connection: sqlite3.Connection, of: str, *arguments: object) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute(f"SELECT id FROM {of}", arguments))


def _check_unread(connection: sqlite3.Connection, branch: str, commits: Collection[str]) -> None:
    """Raise where something outside of the run rests on what would go."""
    why = ""
    if any(not name.startswith(_BY_RUN) for name in commits):
        why = "a person has changed its lessons since"
    elif commits and (reader := _reader(connection, branch)):
        why = f"{reader} was started from its lessons"
    elif home := _published(connection, branch):
        why = f"lessons that rest on it are on {home}"
    if why:
        raise ConfigurationError(f"{branch} cannot be tried again: {why}; start a new run instead")


def _reader(connection: sqlite3.Connection, branch: str) -> str | None:
    """A branch that pins more of `branch` than will be left."""
    sql = (
        "SELECT b.id FROM branches b, json_each(b.pinned) p WHERE b.parent = ?1 AND p.value >"
        " (SELECT min(c.base) FROM commits c WHERE c.branch = ?1 AND c.scope = p.key"
        " AND c.id IN (SELECT id FROM gone)) LIMIT 1"
    )
    row = connection.execute(sql, (branch,)).fetchone()
    return None if row is None else str(row[0])


def _published(connection: sqlite3.Connection, branch: str) -> str | None:
    """Another branch with a lesson that rests on what will be gone, or on what that was made of."""
    sql = (
        "SELECT l.branch FROM lessons l, json_each(l.body, '$.evidence') e WHERE l.branch <> ?"
        " AND json_extract(e.value, '$.critique') IN (SELECT id FROM gone UNION ALL SELECT critique"
        " FROM commit_critiques WHERE commit_id IN (SELECT id FROM gone)) LIMIT 1"
    )
    row = connection.execute(sql, (branch,)).fetchone()
    return None if row is None else str(row[0])

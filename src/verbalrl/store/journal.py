"""The journal: what models, hooks and persons answered, so that nobody is asked twice."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..errors import StorageError
from ..records import CallRecord, Usage
from .rows import dump, insert, load, now

_COLUMNS = ("key", "generation", "owner", "role", "kind", "request_sha", "request", "reply")


def lookup(connection: sqlite3.Connection, key: str, generation: int) -> CallRecord | None:
    """The answer to a call in one generation of its owner."""
    row = connection.execute(
        f"SELECT {', '.join(_COLUMNS)}, usage FROM calls WHERE key = ? AND generation = ?",
        (key, generation),
    ).fetchone()
    if row is None:
        return None
    named: dict[str, Any] = dict(zip(_COLUMNS, row, strict=False))
    return CallRecord(**named, usage=load(Usage, row[-1]))


def row_of(call: CallRecord) -> dict[str, Any]:
    """The row of a call; made by the caller, so that the writer only writes."""
    values = {column: getattr(call, column) for column in _COLUMNS}
    return values | {"run": call.run, "usage": dump(call.usage), "at": now()}


def append(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
    """Write the row. The same answer once more is nothing; another one is refused."""
    try:
        insert(connection, "calls", row)
    except sqlite3.IntegrityError:
        stored = lookup(connection, row["key"], row["generation"])
        if stored is None:
            raise
        if (stored.request_sha, stored.reply) != (row["request_sha"], row["reply"]):
            raise StorageError(
                f"call {row['key']} of {stored.owner} was answered by another process; "
                "only one may run this lane"
            ) from None


_BILL = """
SELECT count(*),
  {sums},
  coalesce(sum(CAST(round(json_extract(usage, '$.cost_usd') * 1e12) AS INTEGER)), 0)
FROM calls WHERE run = ? AND kind = 'model' AND json_extract(usage, '$.cost_usd') IS {null} NULL
  AND coalesce(json_extract(usage, '$.reused'), 0) = 0
"""
_COUNTS = ("input", "cache_read", "cache_write", "output", "reasoning")


def bill(connection: sqlite3.Connection, run: str) -> tuple[Usage, Usage]:
    """What the calls of a run took, answers of earlier runs aside: of known cost, and of none."""
    sums = ", ".join(f"coalesce(sum(json_extract(usage, '$.{n}')), 0)" for n in _COUNTS)
    found = []
    for null in ("NOT", ""):
        row = connection.execute(_BILL.format(sums=sums, null=null), (run,)).fetchone()
        counts = dict(zip(_COUNTS, row[1:-1], strict=True))
        cost = row[-1] / 1e12 if null else None
        found.append(Usage(**counts, calls=row[0], cost_usd=cost))
    return found[0], found[1]


def generation(connection: sqlite3.Connection, owner: str) -> int | None:
    """The newest generation of an owner's calls; None when it has none."""
    row = connection.execute("SELECT max(generation) FROM calls WHERE owner = ?", (owner,))
    newest: int | None = row.fetchone()[0]
    return newest

"""What lessons were shown to do by trying them off and on; append-only."""

from __future__ import annotations

import sqlite3

from ..records import Proof
from .rows import dump, insert, load, now

TABLE = """
CREATE TABLE IF NOT EXISTS proofs (
  seq INTEGER PRIMARY KEY, lesson TEXT NOT NULL, content TEXT NOT NULL, run TEXT NOT NULL,
  body TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (lesson, run)
) STRICT;
"""
"""The migration that adds the table; it needs no other but the first."""


def put(connection: sqlite3.Connection, made: Proof) -> Proof:
    """The proof that is kept of that lesson and run."""
    row = connection.execute(
        "SELECT body FROM proofs WHERE lesson = ? AND run = ?", (made.lesson, made.run)
    ).fetchone()
    if row is not None:
        return load(Proof, row[0])
    values = {"lesson": made.lesson, "content": made.content, "run": made.run}
    insert(connection, "proofs", values | {"body": dump(made), "at": now()})
    return made


def of(connection: sqlite3.Connection, lesson: str) -> tuple[Proof, ...]:
    """The proofs of a lesson, oldest first."""
    rows = connection.execute("SELECT body FROM proofs WHERE lesson = ? ORDER BY seq", (lesson,))
    return tuple(load(Proof, body) for (body,) in rows)

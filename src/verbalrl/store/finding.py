"""Ids by how they begin, from the indexes that keep them unique."""

from __future__ import annotations

import sqlite3

TABLES = ("runs", "episodes", "critiques", "lessons", "commits", "decisions")
"""What has an id that a person may type."""

_LAST = "\U0010ffff"


def beginning(connection: sqlite3.Connection, prefix: str, limit: int) -> dict[str, list[str]]:
    """By table, the first `limit` ids that begin with `prefix`, in order."""
    bounds = (prefix, prefix + _LAST, limit)
    return {name: [i for (i,) in connection.execute(select(name), bounds)] for name in TABLES}


def select(table: str) -> str:
    """A range of the index on ids, not a look at every row; of lessons, that of their updates."""
    if table == "lessons":
        return (
            "SELECT DISTINCT lesson FROM updates WHERE lesson >= ? AND lesson < ?"
            " AND op IN ('add', 'merge', 'supersede') ORDER BY lesson LIMIT ?"
        )
    return f"SELECT DISTINCT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

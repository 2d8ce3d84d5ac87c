"""The updates, which are the outbox of indexes too: what they are numbered by, and their shape.

A commit writes as few pages as its readers allow: an index stands for each way in which rows are
looked up, and what follows from an update (the texts that a lesson had) is not kept twice.
"""

from __future__ import annotations

import sqlite3

LAST = (
    "SELECT max(coalesce((SELECT max(n) FROM updates), 0),"
    " coalesce((SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'outbox'), 0))"
)
"""The highest number that an update ever had: those that were taken back do not come again."""

TABLES = """
DROP TABLE IF EXISTS lesson_versions;
DROP INDEX IF EXISTS commits_scope;
INSERT INTO facts SELECT 'outbox', CAST(coalesce(max(n), 0) AS TEXT) FROM (
  SELECT seq AS n FROM sqlite_sequence WHERE name = 'updates' UNION SELECT max(n) FROM updates
);

-- Append-only, and the outbox of the indexes: n never repeats. A commit makes one revision, so its
-- updates are found by that.
CREATE TABLE made (
  n INTEGER PRIMARY KEY, commit_id TEXT NOT NULL, branch TEXT NOT NULL, scope TEXT NOT NULL,
  revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, op TEXT NOT NULL, lesson TEXT NOT NULL,
  copied INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (branch, scope, revision, ordinal)
) STRICT;
INSERT INTO made SELECT * FROM updates;
DROP TABLE updates;
ALTER TABLE made RENAME TO updates;
CREATE INDEX updates_lesson ON updates (lesson);

-- A projection of updates.
CREATE TABLE made (
  branch TEXT NOT NULL REFERENCES branches(id), id TEXT NOT NULL, scope TEXT NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, when_text TEXT NOT NULL, when_not TEXT NOT NULL,
  instruction TEXT NOT NULL, aspect TEXT NOT NULL, audience TEXT NOT NULL, status TEXT NOT NULL,
  trust TEXT NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL, position INTEGER NOT NULL,
  content TEXT NOT NULL, tokens INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (branch, scope, id)
) STRICT;
INSERT INTO made SELECT * FROM lessons;
DROP TABLE lessons;
ALTER TABLE made RENAME TO lessons;
"""
"""The migration that brings them into this shape."""


def keep_last(connection: sqlite3.Connection) -> None:
    """Note how far the numbers have come, before updates are taken back."""
    connection.execute(f"INSERT OR REPLACE INTO facts VALUES ('outbox', CAST(({LAST}) AS TEXT))")


def orphans(connection: sqlite3.Connection) -> list[str]:
    """Updates that belong to no commit, one line for each; a sound file has none."""
    rows = connection.execute(
        "SELECT n, commit_id FROM updates WHERE commit_id NOT IN (SELECT id FROM commits) LIMIT 20"
    )
    return [f"update {n} names a missing commit {commit}" for n, commit in rows]

"""The tables of serving: episodes under way, feedback, and what was learned from which of it."""

TABLES = """
-- Names that texts came from, of people and systems that are not the operator.
CREATE TABLE IF NOT EXISTS sources (
  name TEXT PRIMARY KEY, origin TEXT NOT NULL, at TEXT NOT NULL
) STRICT;

-- `body` is the episode as it is recorded should its process die; `token` proves that this lives.
CREATE TABLE IF NOT EXISTS served (
  seq INTEGER PRIMARY KEY, episode TEXT NOT NULL UNIQUE, run TEXT NOT NULL REFERENCES runs(id),
  scope TEXT NOT NULL, instance TEXT NOT NULL, source TEXT, goal TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'abandoned', 'pending', 'consumed')),
  feedback INTEGER NOT NULL DEFAULT 0, consumed INTEGER NOT NULL DEFAULT 0,
  token TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS served_state ON served (state, scope);

-- The steps of open episodes; they move to `steps` when the episode ends.
CREATE TABLE IF NOT EXISTS served_steps (
  episode TEXT NOT NULL REFERENCES served(episode), i INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (episode, i)
) STRICT;

-- Append-only.
CREATE TABLE IF NOT EXISTS feedback (
  episode TEXT NOT NULL REFERENCES served(episode), seq INTEGER NOT NULL, idempotency_key TEXT,
  origin TEXT NOT NULL, source TEXT, reward REAL, success INTEGER, text TEXT NOT NULL,
  step INTEGER, at TEXT NOT NULL, PRIMARY KEY (episode, seq), UNIQUE (episode, idempotency_key)
) STRICT;

-- Append-only: each feedback is learned from once, under one lease.
CREATE TABLE IF NOT EXISTS consumed (
  episode TEXT NOT NULL, seq INTEGER NOT NULL, fence INTEGER NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (episode, seq), FOREIGN KEY (episode, seq) REFERENCES feedback(episode, seq)
) STRICT;
"""
"""The migration that adds them; it needs no other but the first."""

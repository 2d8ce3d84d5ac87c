"""The file: how it is made, opened, checked and migrated.

A new store is made under another name and linked into place, so `verbalrl.db` is either whole or
not there, and two processes that create it at once end with one.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from ..errors import SchemaVersionError, StorageError, StoreHeldError, first_line
from . import outbox, proofs, serving_tables, tombstones
from .locks import FileLock

FILE_NAME = "verbalrl.db"
APPLICATION_ID = 0x76726C31
"""`vrl1`."""

_OLDEST_SQLITE = (3, 37, 0)
_BUSY_MS = 30_000
# Not every build overwrites what it frees: what is edited, or dropped by a migration, would stay
# in the file, and no purge would find it.
_PRAGMAS = (
    *("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"),
    "secure_delete = ON",
)

_VERSION_1 = """
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task TEXT NOT NULL, method TEXT NOT NULL,
  model TEXT NOT NULL, simulated INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT NULL,
  stop_reason TEXT NOT NULL, created_at TEXT NOT NULL, result TEXT
) STRICT;

CREATE TABLE branches (
  id TEXT PRIMARY KEY, run TEXT REFERENCES runs(id), arm TEXT, seed INTEGER,
  parent TEXT REFERENCES branches(id), pinned TEXT NOT NULL, learns INTEGER NOT NULL
) STRICT;
INSERT INTO branches VALUES ('main', NULL, NULL, NULL, NULL, '{}', 1);

CREATE TABLE rounds (
  branch TEXT NOT NULL REFERENCES branches(id), number INTEGER NOT NULL, opened TEXT NOT NULL,
  pinned TEXT NOT NULL, PRIMARY KEY (branch, number)
) STRICT;

CREATE TABLE episodes (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL REFERENCES runs(id),
  arm TEXT NOT NULL, seed INTEGER NOT NULL, instance TEXT NOT NULL, trial INTEGER NOT NULL,
  candidate INTEGER NOT NULL, purpose TEXT NOT NULL, split TEXT NOT NULL, round INTEGER NOT NULL,
  status TEXT NOT NULL, stop_reason TEXT NOT NULL, success INTEGER, reward REAL,
  components TEXT NOT NULL, generation INTEGER NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX episodes_lane ON episodes (run, arm, seed, instance, trial, candidate, purpose);

CREATE TABLE steps (
  episode TEXT NOT NULL REFERENCES episodes(id), i INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (episode, i)
) STRICT;

CREATE TABLE uses (
  episode TEXT NOT NULL REFERENCES episodes(id), slot TEXT NOT NULL, i INTEGER NOT NULL,
  lesson TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL, rank INTEGER NOT NULL,
  outcome TEXT NOT NULL, block TEXT, probability REAL NOT NULL, tokens INTEGER NOT NULL,
  parts TEXT NOT NULL, step INTEGER NOT NULL, role TEXT NOT NULL, PRIMARY KEY (episode, slot, i)
) STRICT;
CREATE INDEX uses_lesson ON uses (lesson);

CREATE TABLE calls (
  seq INTEGER PRIMARY KEY, key TEXT NOT NULL, generation INTEGER NOT NULL, owner TEXT NOT NULL,
  role TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('model', 'hook', 'person')),
  request_sha TEXT NOT NULL, request TEXT NOT NULL, reply TEXT NOT NULL, usage TEXT NOT NULL,
  at TEXT NOT NULL, UNIQUE (key, generation)
) STRICT;
CREATE INDEX calls_owner ON calls (owner, generation);

CREATE TABLE critiques (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, branch TEXT NOT NULL REFERENCES branches(id),
  instance TEXT NOT NULL, trial INTEGER NOT NULL, template TEXT NOT NULL, sample INTEGER NOT NULL,
  status TEXT NOT NULL, refusal TEXT, verdict TEXT NOT NULL, trust TEXT NOT NULL,
  body TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX critiques_lane ON critiques (branch, instance, trial, template, sample);

CREATE TABLE critique_episodes (
  critique TEXT NOT NULL REFERENCES critiques(id), i INTEGER NOT NULL,
  episode TEXT NOT NULL REFERENCES episodes(id), PRIMARY KEY (critique, i)
) STRICT;
CREATE INDEX critique_episodes_episode ON critique_episodes (episode);

CREATE TABLE commits (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, branch TEXT NOT NULL REFERENCES branches(id),
  scope TEXT NOT NULL, base INTEGER NOT NULL, revision INTEGER NOT NULL, fence INTEGER,
  rejected TEXT NOT NULL, failure TEXT NOT NULL, usage TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX commits_scope ON commits (branch, scope);

CREATE TABLE commit_critiques (
  commit_id TEXT NOT NULL REFERENCES commits(id), i INTEGER NOT NULL,
  critique TEXT NOT NULL REFERENCES critiques(id), PRIMARY KEY (commit_id, i)
) STRICT;
CREATE INDEX commit_critiques_critique ON commit_critiques (critique);

-- Append-only, and the outbox of the indexes: n never repeats.
CREATE TABLE updates (
  n INTEGER PRIMARY KEY AUTOINCREMENT, commit_id TEXT NOT NULL REFERENCES commits(id),
  branch TEXT NOT NULL, scope TEXT NOT NULL, revision INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  op TEXT NOT NULL, lesson TEXT NOT NULL, copied INTEGER NOT NULL, body TEXT NOT NULL,
  UNIQUE (branch, scope, revision, ordinal)
) STRICT;
CREATE INDEX updates_commit ON updates (commit_id);
CREATE INDEX updates_lesson ON updates (lesson);

-- A projection of updates.
CREATE TABLE lessons (
  branch TEXT NOT NULL REFERENCES branches(id), id TEXT NOT NULL, scope TEXT NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, when_text TEXT NOT NULL, when_not TEXT NOT NULL,
  instruction TEXT NOT NULL, aspect TEXT NOT NULL, audience TEXT NOT NULL, status TEXT NOT NULL,
  trust TEXT NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL, position INTEGER NOT NULL,
  content TEXT NOT NULL, tokens INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (branch, id)
) STRICT;
CREATE INDEX lessons_scope ON lessons (branch, scope, born, position);
CREATE INDEX lessons_id ON lessons (id);

CREATE TABLE lesson_versions (
  branch TEXT NOT NULL, lesson TEXT NOT NULL, version INTEGER NOT NULL,
  n INTEGER NOT NULL REFERENCES updates(n), body TEXT NOT NULL,
  PRIMARY KEY (branch, lesson, version)
) STRICT;

CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, branch TEXT NOT NULL REFERENCES branches(id),
  kind TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_branch ON decisions (branch);

CREATE TABLE leases (
  branch TEXT PRIMARY KEY REFERENCES branches(id), owner TEXT NOT NULL, token TEXT NOT NULL,
  pid INTEGER NOT NULL, fence INTEGER NOT NULL, held INTEGER NOT NULL
) STRICT;
"""

# Whose bill a call is; calls of work that was never recorded stay without.
_VERSION_2 = """
ALTER TABLE calls ADD COLUMN run TEXT NOT NULL DEFAULT '';
UPDATE calls SET run = coalesce(
  (SELECT e.run FROM episodes e WHERE e.id = calls.owner),
  (SELECT b.run FROM critiques c JOIN branches b ON b.id = c.branch WHERE c.id = calls.owner),
  (SELECT b.run FROM commits c JOIN branches b ON b.id = c.branch WHERE c.id = calls.owner),
  ''
);
CREATE INDEX calls_run ON calls (run);
"""

# What indexes keep: all of it is made again from lessons, so it may be deleted at any time.
_INDEXES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO facts VALUES ('store', lower(hex(randomblob(16))));

-- Which embedder has a fingerprint.
CREATE TABLE embedders (
  fingerprint TEXT PRIMARY KEY, name TEXT NOT NULL, config TEXT NOT NULL
) STRICT;

-- float32, little-endian; a pure function of embedder and text, hence of the key.
CREATE TABLE embeddings (
  fingerprint TEXT NOT NULL, content TEXT NOT NULL, vector BLOB NOT NULL,
  PRIMARY KEY (fingerprint, content)
) STRICT;

-- Up to which number of the outbox an index outside this file has followed.
CREATE TABLE index_state (
  name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, generation INTEGER NOT NULL,
  applied_n INTEGER NOT NULL, rows INTEGER NOT NULL
) STRICT;
"""

_VERSION_3 = _INDEXES

# How attempts went is counted at every look at a run that goes on: from this index alone.
_VERSION_8 = """
DROP INDEX IF EXISTS episodes_lane;
CREATE INDEX episodes_lane ON episodes
  (run, arm, seed, instance, trial, candidate, purpose, split, success, status);
"""

# What a commit lacks because the curator failed at a part of it; commits of before do not say so.
_VERSION_9 = """
ALTER TABLE commits ADD COLUMN lacking TEXT NOT NULL DEFAULT '';
"""

MIGRATIONS: tuple[str, ...] = (
    *(_VERSION_1, _VERSION_2, _VERSION_3),
    *(tombstones.TABLE, serving_tables.TABLES, proofs.TABLE, outbox.TABLES),
    *(_VERSION_8, _VERSION_9),
)
"""Entry n takes a file from version n to n + 1."""


def failure(error: sqlite3.Error, path: Path) -> StorageError:
    """What went wrong in `path`, and what to do, in one line."""
    name = getattr(error, "sqlite_errorname", "") or ""
    said = first_line(str(error))
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")):
        return no_room(path)
    elif name.startswith("SQLITE_BUSY"):
        return StoreHeldError(f"{path} is held by another process; end it, or try again")
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        what = f"{path} cannot be written ({said}); make file and folder writable"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")):
        what = f"{path} is damaged ({said}); move it away, or put a copy in its place"
    elif name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        what = f"{path}: a record names a run, branch, episode or critique that is not stored"
    elif name.startswith("SQLITE_IOERR"):
        what = f"{path} cannot be read or written ({said}); look at the disk"
    else:
        what = f"{path}: {said}"
    return StorageError(what)


def no_room(path: Path) -> StorageError:
    """The error of a disk that is full."""
    return StorageError(f"no room left for {path}; free some space, then resume")


def explained(error: Exception, path: Path) -> Exception:
    """`error`, or one of ours in its place where it came from the database."""
    if isinstance(error, sqlite3.Error):
        return failure(error, path)
    if isinstance(error, OverflowError):
        return StorageError(f"{path}: a number does not fit into 64 bits; use a smaller one")
    if isinstance(error, UnicodeEncodeError):
        return StorageError(
            f"{path}: a name has characters that are no text; nothing has that name"
        )
    return error


def connect(path: Path, *, mode: str = "rw", reads: bool = False) -> sqlite3.Connection:
    """A connection with our settings; `mode` is `rw`, `ro`, or `immutable`.

    `isolation_level` is None: transactions begin and end where the code says so.
    """
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{query}",
        uri=True,
        isolation_level=None,
        timeout=_BUSY_MS / 1000,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if reads:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(path: Path) -> None:
    """Make an empty store at `path`, unless there is one by then."""
    _refuse_old_sqlite()
    handle, name = tempfile.mkstemp(prefix=".verbalrl-", suffix=".new", dir=path.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        with closing(connect(fresh)) as connection:
            # Written in place, so that a disk that is full is told here: a WAL is copied into the
            # file when it is closed, which says nothing of what did not fit.
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        _put_in_place(fresh, path)
        _sync_folder(path.parent)
    finally:
        for leftover in (fresh, Path(f"{name}-wal"), Path(f"{name}-shm")):
            leftover.unlink(missing_ok=True)


def open_reader(path: Path, lock: FileLock) -> tuple[sqlite3.Connection, bool]:
    """A checked connection for reading, and whether the store can be written."""
    _refuse_old_sqlite()
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if writable:
        connection = connect(path, reads=True)
    else:
        # Without its -wal and -shm files SQLite reads a WAL file only if told that nobody writes.
        wal = path.with_name(f"{path.name}-wal")
        alone = not wal.exists() or wal.stat().st_size == 0
        connection = connect(path, mode="immutable" if alone else "ro", reads=True)
    try:
        if check(connection, path) < len(MIGRATIONS) and writable:
            with lock.hold(), closing(connect(path)) as migrating:
                migrate(migrating)
    except (sqlite3.Error, StorageError):
        connection.close()
        raise
    return connection, writable


def check(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of the file; raises one line when it is not ours, or newer than us."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or version < 1:
        raise SchemaVersionError(
            f"{path} is not a verbalrl store (application id {application:#x}); "
            "name another folder, or move the file away"
        )
    if version > len(MIGRATIONS):
        raise SchemaVersionError(
            f"{path} has schema {version}, this version reads up to {len(MIGRATIONS)}; "
            "upgrade verbalrl"
        )
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, each version in one transaction."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Read again inside the transaction: another process may just have done it.
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            if version < len(MIGRATIONS):
                for statement in statements(MIGRATIONS[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if version >= len(MIGRATIONS) - 1:
            return


def statements(script: str) -> list[str]:
    """The statements of `script`; `executescript` would commit what is open."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return found


def _refuse_old_sqlite() -> None:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StorageError(
            f"SQLite {sqlite3.sqlite_version} is too old, the store needs 3.37; "
            "use a newer build of Python"
        )


def _put_in_place(fresh: Path, path: Path) -> None:
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without links; what is there by now is still not overwritten.
        if not path.exists():
            fresh.rename(path)


def _sync_folder(folder: Path) -> None:
    # Makes the new name durable; not every system can open a folder.
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

"""Stage 3: a commit, wholly or not at all."""

from __future__ import annotations

import sqlite3
from itertools import groupby
from pathlib import Path

from ..errors import StorageError
from ..records import Commit, Lesson, MemoryUpdate, Operation, Origin, Status, Usage
from . import leases, runs, tombstones
from .lessons import Cache, Lessons, lessons, owns, projected, revision
from .purging import blank_updates
from .reduce import MAKES, clashes, reduce_with_versions
from .rows import dump, dump_json, insert, insert_many, load, load_json, now

_UPDATE = (
    "commit_id", "branch", "scope", "revision", "ordinal", "op", "lesson", "copied", "body",
)  # fmt: skip
_VERSION = ("branch", "lesson", "version", "n", "body")
_LESSON = (
    "branch", "id", "scope", "kind", "name", "when_text", "when_not", "instruction", "aspect",
    "audience", "status", "trust", "version", "born", "position", "content", "tokens", "body",
)  # fmt: skip
_PURGES = (Operation.PURGE,)


def put(
    connection: sqlite3.Connection, cache: Cache, folder: Path, commit: Commit, fence: int | None
) -> Commit:
    """The commit as first stored: updates, lessons, critiques consumed and the new revision.

    A commit without updates is recorded and leaves the revision as it is.
    """
    stored = get(connection, commit.id)
    if stored is not None:
        return stored
    if not runs.branch(connection, commit.branch).learns and not _takes_away(commit):
        raise StorageError(f"branch {commit.branch} does not learn; commit {commit.id} is refused")
    leases.verify(connection, folder, commit.branch, fence)
    tombstones.check(connection, commit)
    stands_at = revision(connection, commit.branch, commit.scope)
    if commit.base != stands_at:
        raise StorageError(
            f"scope {commit.scope} of branch {commit.branch} stands at revision {stands_at}, "
            f"commit {commit.id} was made against {commit.base}; make it again"
        )
    before, copies = _start(connection, cache, commit)
    made = (*copies, *commit.updates)
    after, versions = reduce_with_versions(before, made, commit.base + 1, commit.scope)
    _check_distinct(commit, before, after)
    _insert(connection, commit, fence)
    numbers = _insert_updates(connection, commit, made, len(copies))
    _project(connection, commit.branch, before, after)
    rows = (
        (commit.branch, lesson.id, lesson.version, numbers[position], dump(lesson.body))
        for position, lesson in versions
    )
    insert_many(connection, "lesson_versions", _VERSION, rows)
    _erase(connection, commit)
    return commit


def purges(commit: Commit) -> bool:
    """Whether a lesson is purged by it."""
    return any(update.op in _PURGES for update in commit.updates)


def _takes_away(commit: Commit) -> bool:
    # What a person revokes is gone from frozen branches too.
    mine = [u.trust is Origin.OPERATOR and u.revokes for u in commit.updates]
    return bool(mine) and all(mine)


def _check_distinct(commit: Commit, before: Lessons, after: Lessons) -> None:
    """Raise when the commit leaves two live lessons that say the same."""
    if not any(u.op in MAKES or u.body is not None for u in commit.updates):
        return
    found = clashes(after) - clashes(before)
    if found:
        same = " and ".join(sorted(found)[0])
        raise StorageError(
            f"commit {commit.id} is refused: {same} would say the same; support one, or merge them"
        )


def _start(
    connection: sqlite3.Connection, cache: Cache, commit: Commit
) -> tuple[Lessons, tuple[MemoryUpdate, ...]]:
    """The lessons that are the branch's own, and the updates that copy those it only reads."""
    if owns(connection, commit.branch, commit.scope):
        return projected(connection, commit.branch, commit.scope), ()
    if not commit.updates:
        return (), ()
    inherited = lessons(connection, cache, commit.branch, commit.scope, keep=False)
    parent = runs.branch(connection, commit.branch).parent or ""
    return (), tuple(copied(lesson, parent) for lesson in inherited)


def copied(lesson: Lesson, branch: str) -> MemoryUpdate:
    """The update that brings over a lesson as it is."""
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson.id,
        snapshot=lesson,
        trust=lesson.trust,
        reason=f"copied from {branch}",
    )


def get(connection: sqlite3.Connection, identity: str) -> Commit | None:
    """The commit of that id."""
    row = connection.execute(
        "SELECT branch, scope, base, rejected, failure, usage FROM commits WHERE id = ?",
        (identity,),
    ).fetchone()
    if row is None:
        return None
    branch, scope, base, rejected, failed, usage = row
    updates = connection.execute(
        "SELECT body FROM updates WHERE commit_id = ? AND copied = 0 ORDER BY ordinal", (identity,)
    )
    critiques = connection.execute(
        "SELECT critique FROM commit_critiques WHERE commit_id = ? ORDER BY i", (identity,)
    )
    return Commit(
        id=identity,
        branch=branch,
        scope=scope,
        base=base,
        updates=tuple(load(MemoryUpdate, body) for (body,) in updates),
        critiques=tuple(critique for (critique,) in critiques),
        rejected=tuple(load_json(rejected)),
        failure=failed,
        usage=load(Usage, usage),
    )


def _insert(connection: sqlite3.Connection, commit: Commit, fence: int | None) -> None:
    values = {
        "id": commit.id,
        "branch": commit.branch,
        "scope": commit.scope,
        "base": commit.base,
        "revision": commit.base + 1 if commit.updates else commit.base,
        "fence": fence,
        "rejected": dump_json(commit.rejected),
        "failure": commit.failure,
        "usage": dump(commit.usage),
        "at": now(),
    }
    insert(connection, "commits", values)
    rows = [(commit.id, i, critique) for i, critique in enumerate(commit.critiques)]
    insert_many(connection, "commit_critiques", ("commit_id", "i", "critique"), rows)


def _insert_updates(
    connection: sqlite3.Connection, commit: Commit, made: tuple[MemoryUpdate, ...], copies: int
) -> range:
    """Insert the updates; gives their numbers in the outbox."""
    place = (commit.id, commit.branch, commit.scope, commit.base + 1)
    if not made:
        return range(0)
    rows = (
        (*place, ordinal, str(update.op), update.lesson, ordinal < copies, dump(update))
        for ordinal, update in enumerate(made)
    )
    insert_many(connection, "updates", _UPDATE, rows)
    # AUTOINCREMENT counts on by one, and nobody else writes meanwhile.
    (last,) = connection.execute("SELECT max(n) FROM updates").fetchone()
    return range(last + 1 - len(made), last + 1)


def _project(connection: sqlite3.Connection, branch: str, before: Lessons, after: Lessons) -> None:
    """Bring the table of lessons up to what the updates made."""
    known = {lesson.id: lesson for lesson in before}
    changed = (x for x in after if (old := known.get(x.id)) is not x and old != x)
    rows = ((branch, *_row(x)) for x in changed)
    insert_many(connection, "lessons", _LESSON, rows, replace=bool(known))


def _row(lesson: Lesson) -> tuple[object, ...]:
    body = lesson.body
    return (
        lesson.id,
        lesson.scope,
        str(body.kind),
        body.name,
        body.when,
        body.when_not,
        body.instruction,
        body.aspect,
        body.audience,
        str(lesson.status),
        str(lesson.trust),
        lesson.version,
        lesson.born,
        lesson.position,
        body.content,
        body.tokens,
        dump(lesson),
    )


def _erase(connection: sqlite3.Connection, commit: Commit) -> None:
    """What a purged lesson said, from its updates and versions on this branch, and its vectors."""
    if not purges(commit):
        return
    for update in commit.updates:
        if update.op is Operation.PURGE:
            blank_updates(connection, commit.branch, update.lesson)


def rebuild(connection: sqlite3.Connection, of: str | None = None) -> int:
    """Make the tables of lessons and versions anew from the updates; how many lessons there are.

    Of the branch `of`, or of all.
    """
    for table in ("lessons", "lesson_versions"):
        connection.execute(f"DELETE FROM {table} WHERE ?1 IS NULL OR branch = ?1", (of,))
    homes = connection.execute(
        "SELECT DISTINCT branch, scope FROM updates WHERE ?1 IS NULL OR branch = ?1"
        " ORDER BY branch, scope",
        (of,),
    )
    count = 0
    for branch, scope in homes.fetchall():
        state: Lessons = ()
        for number, rows in _by_revision(connection, branch, scope):
            made = [load(MemoryUpdate, body) for _, body in rows]
            state, versions = reduce_with_versions(state, made, number, scope)
            written = [
                (branch, lesson.id, lesson.version, rows[position][0], dump(lesson.body))
                for position, lesson in versions
            ]
            insert_many(connection, "lesson_versions", _VERSION, written)
        for lesson in state:
            if lesson.status is Status.PURGED:
                blank_updates(connection, branch, lesson.id)
        _project(connection, branch, (), state)
        count += len(state)
    return count


def _by_revision(
    connection: sqlite3.Connection, branch: str, scope: str
) -> list[tuple[int, list[tuple[int, str]]]]:
    rows = connection.execute(
        "SELECT revision, n, body FROM updates WHERE branch = ? AND scope = ?"
        " ORDER BY revision, ordinal",
        (branch, scope),
    ).fetchall()
    groups = groupby(rows, key=lambda row: row[0])
    return [(number, [(n, body) for _, n, body in group]) for number, group in groups]

"""Stage 3: a commit, wholly or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ..errors import StorageError
from ..records import BranchRecord, Commit, Lesson, MemoryUpdate, Operation, Origin, Status, Usage
from . import leases, runs, tombstones
from .heads import Change, Head, owners_after, owners_of
from .lessons import Cache, Lessons, lessons, newest, projected
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


class Put(NamedTuple):
    """A commit as first stored, and the head that it left; None where it was there, or empty."""

    commit: Commit
    head: Head | None = None


class _Start(NamedTuple):
    """What a commit starts from."""

    revision: int
    lessons: Lessons
    """The branch's own."""
    owners: Mapping[str, str] | None
    """As in a head."""
    copies: tuple[MemoryUpdate, ...] = ()
    """Updates that copy those lessons that the branch only reads."""


def put(
    connection: sqlite3.Connection, cache: Cache, folder: Path, commit: Commit, fence: int | None
) -> Put:
    """The commit as first stored: updates, lessons, critiques consumed and the new revision.

    A commit without updates is recorded and leaves the revision as it is.
    """
    stored = get(connection, commit.id)
    if stored is not None:
        return Put(stored)
    branch = runs.branch(connection, commit.branch)
    if not branch.learns and not _takes_away(commit):
        raise StorageError(f"branch {commit.branch} does not learn; commit {commit.id} is refused")
    leases.verify(connection, folder, commit.branch, fence)
    tombstones.check(connection, commit)
    start = _start(connection, cache, commit, branch)
    made = (*start.copies, *commit.updates)
    after, versions = reduce_with_versions(start.lessons, made, commit.base + 1, commit.scope)
    changes = _changes(start.lessons, after)
    owners = _owners(commit, start, after, changes)
    _insert(connection, commit, fence)
    numbers = _insert_updates(connection, commit, made, len(start.copies))
    _project(connection, commit.branch, (new for _, new in changes), anew=not start.lessons)
    rows = (
        (commit.branch, lesson.id, lesson.version, numbers[position], dump(lesson.body))
        for position, lesson in versions
    )
    insert_many(connection, "lesson_versions", _VERSION, rows)
    _erase(connection, commit)
    return Put(commit, Head(numbers[-1], after, owners) if made else None)


def settle(cache: Cache, done: Put) -> Commit:
    """Bring `cache` up to a commit that is durable by now; gives the commit."""
    if purges(done.commit):
        cache.clear()
    elif done.head is not None:
        cache.heads.put(done.commit.branch, done.commit.scope, done.head)
    return done.commit


def purges(commit: Commit) -> bool:
    """Whether a lesson is purged by it."""
    return any(update.op in _PURGES for update in commit.updates)


def _takes_away(commit: Commit) -> bool:
    # What a person revokes is gone from frozen branches too.
    mine = [u.trust is Origin.OPERATOR and u.revokes for u in commit.updates]
    return bool(mine) and all(mine)


def _start(
    connection: sqlite3.Connection, cache: Cache, commit: Commit, branch: BranchRecord
) -> _Start:
    """What `commit` starts from; raises unless that is what it was made against."""
    stands = newest(connection, branch.id, commit.scope)
    stands_at = branch.pinned.get(commit.scope, 0) if stands is None else stands[0]
    if commit.base != stands_at:
        raise StorageError(
            f"scope {commit.scope} of branch {commit.branch} stands at revision {stands_at}, "
            f"commit {commit.id} was made against {commit.base}; make it again"
        )
    if stands is not None:
        head = cache.heads.get(branch.id, commit.scope, stands[1])
        if head is not None:
            return _Start(stands_at, head.lessons, head.owners)
        return _Start(stands_at, projected(connection, branch.id, commit.scope), None)
    if not commit.updates:
        return _Start(stands_at, (), None)
    inherited = lessons(connection, cache, branch.id, commit.scope, keep=False)
    copies = tuple(copied(lesson, branch.parent or "") for lesson in inherited)
    return _Start(stands_at, (), {}, copies)


def _changes(before: Lessons, after: Lessons) -> list[Change]:
    """The lessons that differ, with what they were."""
    known = {lesson.id: lesson for lesson in before}
    pairs = ((known.get(lesson.id), lesson) for lesson in after)
    return [(old, new) for old, new in pairs if old is not new and old != new]


def _owners(
    commit: Commit, start: _Start, after: Lessons, changes: list[Change]
) -> Mapping[str, str] | None:
    """Who says what afterwards; raises when two live lessons would come to say the same."""
    asked = any(u.op in MAKES or u.body is not None for u in commit.updates)
    owners = start.owners
    if owners is None and asked:
        owners = owners_of(start.lessons)
    if owners is not None:
        owners = owners_after(owners, changes)
    if owners is None and asked:
        found = clashes(after) - clashes(start.lessons)
        if found:
            same = " and ".join(sorted(found)[0])
            raise StorageError(
                f"commit {commit.id} is refused: {same} would say the same; "
                "support one, or merge them"
            )
    return owners


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


def _project(
    connection: sqlite3.Connection, branch: str, changed: Iterable[Lesson], *, anew: bool
) -> None:
    """Write what the updates made of lessons; `anew` where none of them has a row yet."""
    rows = ((branch, *_row(x)) for x in changed)
    insert_many(connection, "lessons", _LESSON, rows, replace=not anew)


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
        _project(connection, branch, state, anew=True)
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

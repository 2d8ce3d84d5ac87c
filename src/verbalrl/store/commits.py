"""Stage 3: a commit, wholly or not at all."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import StorageError
from ..records import Commit, Lesson, MemoryUpdate, Operation, Origin, Status, Usage
from . import leases, tombstones
from .footing import Footing, footing
from .heads import Head, owners_after, owners_of
from .lessons import Cache, lessons, projected, replay, updates
from .purging import blank_updates
from .reduce import MAKES, clashes, reduced
from .rows import (
    dump,
    dump_json,
    insert_many,
    load,
    load_json,
    normalise_if_needed,
    now,
    storable,
)

_COMMIT = (
    "id", "branch", "scope", "base", "revision", "fence", "rejected", "failure", "usage", "at",
    "lacking",
)  # fmt: skip
_UPDATE = (
    "n", "commit_id", "branch", "scope", "revision", "ordinal", "op", "lesson", "copied", "body",
)  # fmt: skip
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

    state: Mapping[str, Lesson]
    """The branch's own lessons by id, in order."""
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
    stands = footing(connection, commit)
    stored = get(connection, commit.id) if stands.stored else None
    if stored is not None:
        return Put(stored)
    if not stands.learns and not _takes_away(commit):
        raise StorageError(f"branch {commit.branch} does not learn; commit {commit.id} is refused")
    leases.check(stands.lease, folder, commit.branch, fence)
    if stands.barred:
        tombstones.check(connection, commit)
    start = _start(connection, cache, commit, stands)
    made = (*start.copies, *commit.updates)
    after, changes = reduced(start.state, made, commit.base + 1, commit.scope)
    owners = _owners(commit, start, after, changes)
    _insert(connection, commit, fence)
    _insert_updates(connection, commit, made, len(start.copies), stands.last + 1)
    changed = (after[name] for name in changes)
    _project(connection, commit.branch, changed, anew=not start.state)
    _erase(connection, commit)
    return Put(commit, Head(stands.last + len(made), after, owners) if made else None)


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


def _start(connection: sqlite3.Connection, cache: Cache, commit: Commit, stands: Footing) -> _Start:
    """What `commit` starts from; raises unless that is what it was made against."""
    newest = stands.newest
    stands_at = stands.pinned.get(commit.scope, 0) if newest is None else newest[0]
    if commit.base != stands_at:
        raise StorageError(
            f"scope {commit.scope} of branch {commit.branch} stands at revision {stands_at}, "
            f"commit {commit.id} was made against {commit.base}; make it again"
        )
    if newest is not None:
        head = cache.heads.get(commit.branch, commit.scope, newest[1])
        if head is not None:
            return _Start(head.lessons, head.owners)
        own = projected(connection, commit.branch, commit.scope)
        return _Start({lesson.id: lesson for lesson in own}, None)
    if not commit.updates:
        return _Start({}, None)
    inherited = lessons(connection, cache, commit.branch, commit.scope, keep=False)
    copies = tuple(copied(lesson, stands.parent or "") for lesson in inherited)
    return _Start({}, {}, copies)


def _owners(
    commit: Commit,
    start: _Start,
    after: Mapping[str, Lesson],
    changes: Mapping[str, Lesson | None],
) -> Mapping[str, str] | None:
    """Who says what afterwards; raises when two live lessons would come to say the same."""
    asked = any(u.op in MAKES or u.body is not None for u in commit.updates)
    owners = start.owners
    if owners is None and asked:
        owners = owners_of(start.state.values())
    if owners is not None:
        changed = (after[name] for name in changes)
        owners = owners_after(owners, changes.values(), changed)
    if owners is None and asked:
        found = clashes(after.values()) - clashes(start.state.values())
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
        "SELECT branch, scope, base, rejected, failure, lacking, usage FROM commits WHERE id = ?",
        (identity,),
    ).fetchone()
    if row is None:
        return None
    branch, scope, base, rejected, failed, lacking, usage = row
    made = connection.execute(
        "SELECT body FROM updates WHERE branch = ? AND scope = ? AND revision = ?"
        " AND commit_id = ? AND copied = 0 ORDER BY ordinal",
        (branch, scope, base + 1, identity),
    )
    critiques = connection.execute(
        "SELECT critique FROM commit_critiques WHERE commit_id = ? ORDER BY i", (identity,)
    )
    return Commit(
        id=identity,
        branch=branch,
        scope=scope,
        base=base,
        updates=tuple(load(MemoryUpdate, body) for (body,) in made),
        critiques=tuple(critique for (critique,) in critiques),
        rejected=tuple(load_json(rejected)),
        failure=failed,
        lacking=lacking,
        usage=load(Usage, usage),
    )


def _insert(connection: sqlite3.Connection, commit: Commit, fence: int | None) -> None:
    values = (
        normalise_if_needed(commit.id),
        commit.branch,
        normalise_if_needed(commit.scope),
        commit.base,
        commit.base + 1 if commit.updates else commit.base,
        fence,
        dump_json(commit.rejected),
        normalise_if_needed(commit.failure),
        dump(commit.usage),
        now(),
        normalise_if_needed(commit.lacking),
    )
    insert_many(connection, "commits", _COMMIT, (values,), storable=True)
    rows = [(commit.id, i, critique) for i, critique in enumerate(commit.critiques)]
    insert_many(connection, "commit_critiques", ("commit_id", "i", "critique"), rows)


def _insert_updates(
    connection: sqlite3.Connection,
    commit: Commit,
    made: tuple[MemoryUpdate, ...],
    copies: int,
    first: int,
) -> None:
    """Insert the updates, the `first` number and those behind it."""
    identity, scope = normalise_if_needed(commit.id), normalise_if_needed(commit.scope)
    place = (identity, commit.branch, scope, commit.base + 1)

    def row(ordinal: int, update: MemoryUpdate) -> tuple[object, ...]:
        update, body = storable(update)
        op, is_copied = str(update.op), ordinal < copies
        return (first + ordinal, *place, ordinal, op, update.lesson, is_copied, body)

    rows = itertools.starmap(row, enumerate(made))
    insert_many(connection, "updates", _UPDATE, rows, storable=True)


def _project(
    connection: sqlite3.Connection, branch: str, changed: Iterable[Lesson], *, anew: bool
) -> None:
    """Write what the updates made of lessons; `anew` where none of them has a row yet."""
    rows = (_row(branch, lesson) for lesson in changed)
    insert_many(connection, "lessons", _LESSON, rows, replace=not anew, storable=True)


def _row(branch: str, lesson: Lesson) -> tuple[object, ...]:
    lesson, text = storable(lesson)
    body = lesson.body
    return (
        branch,
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
        text,
    )


def _erase(connection: sqlite3.Connection, commit: Commit) -> None:
    """What a purged lesson said, from its updates and versions on this branch, and its vectors."""
    if not purges(commit):
        return
    for update in commit.updates:
        if update.op is Operation.PURGE:
            blank_updates(connection, commit.branch, update.lesson)


def rebuild(connection: sqlite3.Connection, of: str | None = None) -> int:
    """Make the table of lessons anew from the updates; how many lessons there are.

    Of the branch `of`, or of all.
    """
    connection.execute("DELETE FROM lessons WHERE ?1 IS NULL OR branch = ?1", (of,))
    homes = connection.execute(
        "SELECT DISTINCT branch, scope FROM updates WHERE ?1 IS NULL OR branch = ?1"
        " ORDER BY branch, scope",
        (of,),
    )
    count = 0
    for branch, scope in homes.fetchall():
        state = replay(updates(connection, branch, scope), scope)
        for lesson in state:
            if lesson.status is Status.PURGED:
                blank_updates(connection, branch, lesson.id)
        _project(connection, branch, state, anew=True)
        count += len(state)
    return count

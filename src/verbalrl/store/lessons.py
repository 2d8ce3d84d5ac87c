"""Lessons as a branch reads them at a revision.

Revisions count per (branch, scope). A branch with a parent starts, in each scope, at the revision
of the parent that it pinned: revision r is the parent's up to there, and its own above. So `base`
is always what `revision` says and a commit always makes `base + 1`, whether or not the branch has
commits of its own. The first of them copies, in the same transaction and ahead of its updates, the
lessons that it read, as ADD updates whose snapshot is the whole lesson: replaying the updates of a
branch alone gives its lessons back.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import groupby

from ..errors import StorageError
from ..records import BranchRecord, Lesson, LessonKind, MemoryUpdate, Operation, RunRecord, Status
from . import runs
from .heads import Heads
from .reduce import reduced
from .rows import load, where

Lessons = tuple[Lesson, ...]


class Cache:
    """Lessons by (branch, scope, revision), which never change; the least recently used go."""

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, str, int], Lessons] = OrderedDict()
        self._lock = threading.Lock()
        self.heads = Heads()
        """What commits start from."""

    def get(self, branch: str, scope: str, revision: int) -> Lessons | None:
        """What is kept, if it is."""
        with self._lock:
            found = self._kept.get((branch, scope, revision))
            if found is not None:
                self._kept.move_to_end((branch, scope, revision))
            return found

    def put(self, branch: str, scope: str, revision: int, lessons: Lessons) -> None:
        """Keep what was read from committed rows."""
        with self._lock:
            self._kept[branch, scope, revision] = lessons
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all: a purge changes even what was."""
        with self._lock:
            self._kept.clear()
        self.heads.clear()


def create_run(
    connection: sqlite3.Connection, run: RunRecord, branches: Iterable[BranchRecord]
) -> RunRecord:
    """The run as stored, with `branches`: a kill leaves all of it or nothing."""
    made = runs.create_run(connection, run)
    for branch in branches:
        create_branch(connection, branch)
    return made


def create_branch(connection: sqlite3.Connection, made: BranchRecord) -> BranchRecord:
    """The branch as stored; a new one pins what its parent stands at, if it names nothing."""
    if made.parent is not None:
        newest = {s: revision(connection, made.parent, s) for s in scopes(connection, made.parent)}
        made = made.model_copy(update={"pinned": made.pinned or newest})
        for scope, number in made.pinned.items():
            if number > newest.get(scope, 0):
                raise StorageError(
                    f"branch {made.id} pins revision {number} of scope {scope}, but "
                    f"{made.parent} stands at {newest.get(scope, 0)}"
                )
    return runs.create_branch(connection, made)


def revision(connection: sqlite3.Connection, branch: str, scope: str) -> int:
    """The revision at which `scope` of `branch` stands; 0 when nothing was ever there."""
    own = newest(connection, branch, scope)
    return runs.branch(connection, branch).pinned.get(scope, 0) if own is None else own[0]


def owns(connection: sqlite3.Connection, branch: str, scope: str) -> bool:
    """Whether the branch has updates of its own in this scope."""
    return newest(connection, branch, scope) is not None


def newest(connection: sqlite3.Connection, branch: str, scope: str) -> tuple[int, int] | None:
    """(revision, number) of the branch's own newest update in a scope; None when it has none."""
    row: tuple[int, int] | None = connection.execute(
        "SELECT revision, n FROM updates WHERE branch = ? AND scope = ?"
        " ORDER BY revision DESC, ordinal DESC LIMIT 1",
        (branch, scope),
    ).fetchone()
    return row


def lessons(
    connection: sqlite3.Connection,
    cache: Cache,
    branch: str,
    scope: str,
    at: int | None = None,
    *,
    keep: bool = True,
) -> Lessons:
    """All lessons of a scope at revision `at`, whatever their status, in order (born, position).

    `keep` must be False where the rows read may not be committed yet.
    """
    last = revision(connection, branch, scope)
    at = last if at is None else at
    if not 0 <= at <= last:
        raise StorageError(f"{branch} has no revision {at} of scope {scope}, the newest is {last}")
    found = cache.get(branch, scope, at)
    if found is None:
        found = _read(connection, cache, branch, scope, at, keep=keep)
        if keep:
            cache.put(branch, scope, at, found)
    return found


def updates(
    connection: sqlite3.Connection,
    branch: str,
    scope: str,
    *,
    after: int = -1,
    upto: int | None = None,
) -> list[tuple[int, MemoryUpdate]]:
    """(revision, update) in the order of application, of revisions above `after` up to `upto`."""
    rows = connection.execute(
        "SELECT revision, body FROM updates WHERE branch = ? AND scope = ? AND revision > ?"
        " AND revision <= ? ORDER BY revision, ordinal",
        (branch, scope, after, 2**62 if upto is None else upto),
    )
    return [(number, load(MemoryUpdate, body)) for number, body in rows]


def replay(made: Iterable[tuple[int, MemoryUpdate]], scope: str, start: Lessons = ()) -> Lessons:
    """The lessons after those updates; pure. `start` is in order."""
    state = {lesson.id: lesson for lesson in start}
    for number, group in groupby(made, key=lambda pair: pair[0]):
        state = reduced(state, [update for _, update in group], number, scope).state
    return tuple(state.values())


def scopes(connection: sqlite3.Connection, branch: str) -> tuple[str, ...]:
    """Scopes in which the branch reads anything, sorted."""
    pinned = runs.branch(connection, branch).pinned
    # A commit with updates is one revision; there are fewer of them than updates.
    own = connection.execute(
        "SELECT DISTINCT scope FROM commits WHERE branch = ? AND revision > base", (branch,)
    )
    return tuple(sorted({s for (s,) in own} | {s for s, number in pinned.items() if number}))


def current(
    connection: sqlite3.Connection,
    cache: Cache,
    branch: str,
    scope: str | None,
    kind: LessonKind | None,
    statuses: Iterable[Status] | None,
) -> Lessons:
    """Lessons at the newest revision, by scope, then in order (born, position)."""
    wanted = None if statuses is None else frozenset(statuses)
    found = each(connection, cache, branch, scope, kind)
    return tuple(lesson for lesson in found if wanted is None or lesson.status in wanted)


def each(
    connection: sqlite3.Connection,
    cache: Cache,
    branch: str,
    scope: str | None = None,
    kind: LessonKind | None = None,
) -> Iterator[Lesson]:
    """The same in any status, a scope at a time: a branch may have thousands."""
    visible = scopes(connection, branch) if scope is None else (scope,)
    for name in visible:
        if owns(connection, branch, name):
            here = projected(connection, branch, name, kind)
        else:
            read = lessons(connection, cache, branch, name)
            here = tuple(lesson for lesson in read if kind is None or lesson.kind is kind)
        yield from here


def projected(
    connection: sqlite3.Connection, branch: str, scope: str, kind: LessonKind | None = None
) -> Lessons:
    """The branch's own lessons of a scope as the table has them, in order (born, position)."""
    clause, arguments = where({"branch": branch, "scope": scope, "kind": kind})
    sql = f"SELECT body FROM lessons{clause} ORDER BY born, position, id"
    return tuple(load(Lesson, body) for (body,) in connection.execute(sql, arguments))


def lesson(
    connection: sqlite3.Connection, cache: Cache, identity: str, branch: str | None
) -> Lesson | None:
    """One lesson at its newest revision: on `branch`, else where it was first written."""
    for home, scope in written(connection, identity):
        found = _one(connection, cache, home if branch is None else branch, scope, identity)
        if found is not None:
            return found
    return None


def _one(
    connection: sqlite3.Connection, cache: Cache, branch: str, scope: str, identity: str
) -> Lesson | None:
    """A lesson of a scope as the branch reads it now."""
    if not owns(connection, branch, scope):
        here = lessons(connection, cache, branch, scope)
        return next((lesson for lesson in here if lesson.id == identity), None)
    row = connection.execute(
        "SELECT body FROM lessons WHERE branch = ? AND id = ? AND scope = ?",
        (branch, identity, scope),
    ).fetchone()
    return None if row is None else load(Lesson, row[0])


def written(connection: sqlite3.Connection, identity: str) -> list[tuple[str, str]]:
    """The branches and scopes in which a lesson was written, the first one first."""
    return connection.execute(
        "SELECT u.branch, u.scope FROM updates u WHERE u.lesson = ? AND u.op IN (?, ?, ?)"
        " ORDER BY u.n",
        (identity, Operation.ADD, Operation.MERGE, Operation.SUPERSEDE),
    ).fetchall()


def births(connection: sqlite3.Connection, branch: str) -> dict[str, str]:
    """The content hash that each lesson of a branch, and of those it reads through, began with.

    It names a lesson without its id, which holds a run's.
    """
    line: list[str] = []
    name: str | None = branch
    while name is not None:
        line.append(name)
        name = runs.branch(connection, name).parent
    found: dict[str, str] = {}
    for ancestor in reversed(line):
        rows = connection.execute(
            "SELECT lesson, body FROM updates WHERE branch = ? AND op IN (?, ?, ?) ORDER BY n",
            (ancestor, Operation.ADD, Operation.MERGE, Operation.SUPERSEDE),
        )
        for identity, body in rows:
            text = load(MemoryUpdate, body).body
            if text is not None:
                found.setdefault(identity, text.content)
    return found


def _read(
    connection: sqlite3.Connection, cache: Cache, branch: str, scope: str, at: int, *, keep: bool
) -> Lessons:
    record = runs.branch(connection, branch)
    pinned = record.pinned.get(scope, 0)
    if at <= pinned:
        if record.parent is None:
            return ()
        return lessons(connection, cache, record.parent, scope, at, keep=keep)
    before = cache.get(branch, scope, at - 1) if at - 1 > pinned else None
    if before is not None:
        return replay(updates(connection, branch, scope, after=at - 1, upto=at), scope, before)
    return replay(updates(connection, branch, scope, upto=at), scope)

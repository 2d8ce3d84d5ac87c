"""What it takes to look after lessons: their whole history, several commits at once, what is gone.

The part of a store that `memory` needs for revoking, rolling back, purging and checking.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from ..records import Commit, Lesson, LessonBody, MemoryUpdate
from . import commits, kinship, lessons, outbox, purging, tombstones, undoing
from .lessons import Cache
from .locks import FileLock
from .rows import load, where
from .texts import texts_of
from .tombstones import Barred, Tombstone

T = TypeVar("T")


class Line(NamedTuple):
    """One update where it was made; lines come in the order in which they were written."""

    n: int
    commit: str
    branch: str
    scope: str
    revision: int
    ordinal: int
    update: MemoryUpdate
    at: str
    """When, for people."""


class Carried(NamedTuple):
    """A prompt that carried a lesson, or from which it was left out."""

    episode: str
    run: str
    instance: str
    trial: int
    role: str
    step: int
    lesson: str
    version: int
    outcome: str
    probability: float
    steps: int
    """Of the episode."""
    simulated: bool
    """Whether the episode is of a run with a simulated model."""
    success: bool | None


class Version(NamedTuple):
    """A text that a lesson had."""

    branch: str
    number: int
    body: LessonBody
    n: int
    """The line that made it."""


class Keeping(Protocol):
    """What the mixin stands on: a store."""

    path: Path
    _file: Path
    _lock: FileLock
    _cache: Cache

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def _put(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class Keepers:
    """The part of a store that looks after lessons."""

    def statuses(self: Keeping, branch: str) -> dict[str, int]:
        """By status, how many lessons a branch has now."""
        return self._read(
            lambda c: Counter(x.status.value for x in lessons.each(c, self._cache, branch))
        )

    def lines(
        self: Keeping, *, lesson: str | None = None, branch: str | None = None
    ) -> tuple[Line, ...]:
        """Every update, of one lesson or one branch or of all, in the order of writing."""
        return self._read(lambda c: tuple(_lines(c, lesson, branch)))

    def lines_around(self: Keeping, wanted: Collection[str]) -> tuple[Line, ...]:
        """Every update that may bear on what becomes of these lessons, or of what is barred."""

        def read(c: sqlite3.Connection) -> tuple[Line, ...]:
            found = kinship.around(c, wanted, tombstones.barred(c))
            lines = [line for name in found for line in _lines(c, name, None)]
            return tuple(sorted(lines, key=lambda line: line.n))

        return self._read(read)

    def homes(self: Keeping) -> frozenset[tuple[str, str]]:
        """The branches and scopes that have updates of their own."""
        # A commit that makes updates makes a revision; there are fewer commits than updates.
        sql = "SELECT DISTINCT branch, scope FROM commits WHERE revision > base"
        return frozenset(self._read(lambda c: c.execute(sql).fetchall()))

    def home(self: Keeping, lesson: str) -> str | None:
        """The branch on which a lesson was first written."""
        return self._read(lambda c: next((b for b, _ in lessons.written(c, lesson)), None))

    def versions(self: Keeping, lesson: str, branch: str | None = None) -> tuple[Version, ...]:
        """The texts that a lesson had, on one branch or all, by branch and number."""
        found = self._read(lambda c: tuple(_lines(c, lesson, branch)))
        lines = sorted(found, key=lambda line: (line.branch, line.n))
        return tuple(
            Version(branch, number, body, n)
            for branch, made in groupby(lines, key=lambda line: line.branch)
            for number, body, n in texts_of((line.n, line.update) for line in made)
        )

    def carried(
        self: Keeping, wanted: Collection[str], *, outcome: str | None = None
    ) -> tuple[Carried, ...]:
        """The prompts for which these lessons were considered, by episode."""
        return self._read(lambda c: tuple(_carried(c, wanted, outcome)))

    def carried_in(self: Keeping, episodes: Collection[str]) -> dict[str, tuple[Carried, ...]]:
        """By episode, what its prompts carried."""
        return self._read(lambda c: {name: _carried_in(c, name) for name in sorted(episodes)})

    def used(self: Keeping) -> frozenset[str]:
        """The ids of lessons that some prompt has carried."""
        rows = self._read(
            lambda c: c.execute(
                "SELECT DISTINCT lesson FROM uses WHERE outcome = 'injected'"
            ).fetchall()
        )
        return frozenset(lesson for (lesson,) in rows)

    def barred(self: Keeping) -> Barred:
        """What no lesson may rest on any more."""
        return self._read(tombstones.barred)

    def tombstones(self: Keeping) -> tuple[Tombstone, ...]:
        """What was revoked or purged."""
        return self._read(tombstones.all_of)

    async def put_commits(
        self: Keeping,
        made: Sequence[Commit],
        fences: Mapping[str, int],
        *,
        stones: Iterable[Tombstone] = (),
        erase: purging.Erase | None = None,
    ) -> None:
        """Store several commits, tombstones and what is to be erased in one transaction.

        Raises as `put_commit` does; then nothing is written. A caller that is cancelled meanwhile
        hears so once all of it is done.
        """

        def work(c: sqlite3.Connection) -> None:
            for commit in made:
                commits.put(c, self._cache, self.path, commit, fences.get(commit.branch))
            tombstones.add(c, stones)
            if erase is not None:
                purging.erase(c, erase)

        async def written() -> None:
            await self._put(work)
            self._cache.clear()
            if erase is not None:
                purging.cut_log(self._file, self._lock)

        await _to_its_end(written())

    def replayed(self: Keeping, branch: str, scope: str) -> tuple[Lesson, ...]:
        """The lessons that the branch's own updates alone make."""
        return self._read(lambda c: lessons.replay(lessons.updates(c, branch, scope), scope))

    def projected(self: Keeping, branch: str, scope: str) -> tuple[Lesson, ...]:
        """The branch's own lessons as the table has them."""
        return self._read(lambda c: lessons.projected(c, branch, scope))

    def owned(self: Keeping, branch: str) -> tuple[str, ...]:
        """The scopes in which the branch has updates of its own."""
        rows = self._read(
            lambda c: c.execute(
                "SELECT DISTINCT scope FROM updates WHERE branch = ? ORDER BY scope", (branch,)
            ).fetchall()
        )
        return tuple(scope for (scope,) in rows)

    def damage(self: Keeping) -> tuple[str, ...]:
        """What SQLite finds wrong with the file; empty when nothing is."""
        found = self._read(lambda c: [r for (r,) in c.execute("PRAGMA integrity_check(20)")])
        loose = self._read(lambda c: c.execute("PRAGMA foreign_key_check").fetchall())
        orphans = [f"a row of {row[0]} names a missing {row[2]}" for row in loose]
        return (*(line for line in found if line != "ok"), *orphans, *self._read(outbox.orphans))

    async def rebuild_lessons(self: Keeping) -> int:
        """Make the table of lessons anew from the updates; how many rows it has then."""
        count = await self._put(commits.rebuild)
        self._cache.clear()
        return count

    async def undo(self: Keeping, branches: Mapping[str, undoing.Kept]) -> int:
        """Delete of these branches what does not stay; how many episodes went.

        The caller holds their leases. Raises `ConfigurationError`, with nothing changed, where a
        person or another branch has made use of what would go.
        """
        count = await self._put(lambda c: undoing.undo(c, branches))
        self._cache.clear()
        return count


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work`, also where the caller is cancelled.

    What is under way cannot be taken back, and what has to follow on it must not be left out.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise


def _lines(
    connection: sqlite3.Connection, lesson: str | None, branch: str | None
) -> Iterable[Line]:
    # A condition that may be empty would keep the database from its indexes.
    clause, arguments = where({"u.lesson": lesson, "u.branch": branch})
    rows = connection.execute(
        "SELECT u.n, u.commit_id, u.branch, u.scope, u.revision, u.ordinal, u.body, c.at"
        f" FROM updates u JOIN commits c ON c.id = u.commit_id{clause} ORDER BY u.n",
        arguments,
    )
    for n, commit, home, scope, revision, ordinal, body, at in rows:
        yield Line(n, commit, home, scope, revision, ordinal, load(MemoryUpdate, body), at)


_CARRIED = (
    "SELECT e.id, e.run, e.instance, e.trial, u.role, u.step, u.lesson, u.version, u.outcome,"
    " u.probability, (SELECT count(*) FROM steps s WHERE s.episode = e.id), r.simulated,"
    " e.success FROM uses u JOIN episodes e ON e.id = u.episode JOIN runs r ON r.id = e.run"
)


def _carried(
    connection: sqlite3.Connection, wanted: Collection[str], outcome: str | None
) -> Iterable[Carried]:
    sql = f"{_CARRIED} WHERE u.lesson = ?1 AND (?2 IS NULL OR u.outcome = ?2)"
    for name in sorted(wanted):
        rows = connection.execute(f"{sql} ORDER BY e.seq, u.slot, u.i", (name, outcome))
        yield from map(_use, rows.fetchall())


def _carried_in(connection: sqlite3.Connection, episode: str) -> tuple[Carried, ...]:
    sql = f"{_CARRIED} WHERE u.episode = ? AND u.outcome = 'injected' ORDER BY u.slot, u.i"
    return tuple(map(_use, connection.execute(sql, (episode,))))


def _use(row: tuple[Any, ...]) -> Carried:
    success = None if row[-1] is None else bool(row[-1])
    return Carried._make((*row[:-2], bool(row[-2]), success))

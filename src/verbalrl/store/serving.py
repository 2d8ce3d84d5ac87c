"""The part of a store that coaches serve and learn through."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeVar

from ..records import (
    BranchRecord,
    Commit,
    Critique,
    Episode,
    Feedback,
    RunRecord,
    Served,
    ServingState,
    Step,
)
from . import commits, leases, lessons, served
from .lessons import Cache
from .locks import Liveness, is_alive
from .rows import load

T = TypeVar("T")
MAIN = "main"
_LONGEST_S = 30.0


class Serving(Protocol):
    """What the mixin stands on: a store."""

    path: Path
    _alive: Liveness
    _cache: Cache

    def token(self) -> str:
        """What proves that the store object lives."""

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def _put(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    def _within(self, work: Callable[[sqlite3.Connection], T], seconds: float) -> T: ...

    def _post(
        self, work: Callable[[sqlite3.Connection], T], *, patient: bool = False
    ) -> Future[T]: ...


class Servings:
    """Episodes while serving, feedback, and what was learned from it.

    What an agent has recorded waits for as long as others hold the store, in order.
    """

    def begin_session(self: Serving, run: RunRecord, branch: BranchRecord) -> Future[RunRecord]:
        """Store the run that a process serves, with its branch; the id must be free."""
        return self._post(lambda c: lessons.create_run(c, run, [branch]), patient=True)

    def begin_served(self: Serving, made: Served, body: Episode) -> Future[None]:
        """Begin an episode of this process; `body` is what it is should the process die."""
        token = self.token()
        return self._post(lambda c: served.begin(c, made, token, body), patient=True)

    def update_served(self: Serving, body: Episode) -> Future[None]:
        """What is known of an open episode by now, such as its guidance."""
        return self._post(lambda c: served.rewrite(c, body), patient=True)

    def add_step(self: Serving, episode: str, step: Step) -> Future[None]:
        """Record a step of an open episode."""
        return self._post(lambda c: served.add_step(c, episode, step), patient=True)

    def end_served(self: Serving, bare: Episode) -> Future[bool]:
        """End an open episode, with the steps that were recorded; False where it had ended."""
        return self._post(lambda c: served.end(c, bare.id, bare), patient=True)

    def take_served(
        self: Serving, made: Served, whole: Episode, said: tuple[Feedback, str] | None = None
    ) -> Future[bool]:
        """Record an episode that is over and, under its key, what was said of it; all or nothing.

        Whether it is new: of one that is known, only what was not said yet is added.
        """
        token = self.token()
        return self._post(lambda c: served.take(c, made, token, whole, said))

    def put_feedback(
        self: Serving, said: Feedback, key: str | None = None, seconds: float = _LONGEST_S
    ) -> int:
        """Append feedback; its number among that of its episode, the old one for a known `key`.

        Raises `UnknownNameError` when no such episode was ever begun, `StorageError` when it is
        not kept after `seconds`.
        """
        return self._within(lambda c: served.say(c, said, key), seconds)

    def feedback(self: Serving, episode: str) -> tuple[Feedback, ...]:
        """What was said of an episode, as it arrived."""
        return self._read(lambda c: served.of(c, episode))

    def served(self: Serving, prefix: str) -> Served:
        """The served episode whose id is, or alone begins with, `prefix`."""
        return self._read(lambda c: served.find(c, prefix))

    def all_served(
        self: Serving,
        states: Sequence[ServingState] = (),
        *,
        scope: str | None = None,
        limit: int | None = None,
    ) -> tuple[Served, ...]:
        """Served episodes in these states (none: all), as they began."""
        return self._read(lambda c: served.listed(c, states, scope, limit))

    def served_among(self: Serving, episodes: Collection[str]) -> dict[str, Served]:
        """Those of `episodes` that were served, by id."""

        def read(c: sqlite3.Connection) -> dict[str, Served]:
            return {name: found for name in episodes if (found := served.known(c, name))}

        return self._read(read)

    def states(self: Serving, episodes: Collection[str]) -> dict[str, str]:
        """How far each of `episodes` has come that was served."""

        def read(c: sqlite3.Connection) -> dict[str, str]:
            sql = "SELECT state FROM served WHERE episode = ?"
            found = {name: c.execute(sql, (name,)).fetchone() for name in episodes}
            return {name: row[0] for name, row in found.items() if row}

        return self._read(read)

    def token(self: Serving) -> str:
        """What proves, by `lives`, that this store object lives."""
        self._alive.start()
        return self._alive.token

    def lives(self: Serving, token: str) -> bool:
        """Whether the holder of `token` still runs."""
        return is_alive(self.path, token)

    def abandon_dead(self: Serving) -> int:
        """End the open episodes of processes that are gone; how many there were."""
        tokens = self._read(served.open_tokens)
        dead = [t for t in tokens if t != self._alive.token and not is_alive(self.path, t)]
        return self._do(lambda c: served.abandon(c, dead)) if dead else 0

    def critiques_of(self: Serving, episode: str) -> tuple[Critique, ...]:
        """All critiques that read an episode, as they were written."""
        rows = self._read(
            lambda c: c.execute(
                "SELECT c.body FROM critique_episodes x JOIN critiques c ON c.id = x.critique"
                " WHERE x.episode = ? ORDER BY c.seq",
                (episode,),
            ).fetchall()
        )
        return tuple(load(Critique, body) for (body,) in rows)

    def curated(self: Serving, critiques: Collection[str]) -> frozenset[str]:
        """Those of `critiques` that a commit has consumed."""

        def read(c: sqlite3.Connection) -> frozenset[str]:
            sql = "SELECT 1 FROM commit_critiques WHERE critique = ?"
            return frozenset(i for i in critiques if c.execute(sql, (i,)).fetchone())

        return self._read(read)

    def curation_failure(self: Serving, critique: str) -> str:
        """What the curation of a critique failed with; empty where none did."""

        def read(c: sqlite3.Connection) -> str:
            row = c.execute(
                "SELECT m.failure FROM commit_critiques x JOIN commits m ON m.id = x.commit_id"
                " WHERE x.critique = ? AND m.failure != '' LIMIT 1",
                (critique,),
            ).fetchone()
            return "" if row is None else str(row[0])

        return self._read(read)

    async def put_learned(
        self: Serving,
        made: Sequence[Commit],
        learned: Iterable[tuple[str, int]],
        fence: int,
        *,
        branch: str = MAIN,
    ) -> None:
        """Store commits and what they learned from, (episode, feedback number), all or nothing.

        Raises `LeaseError` when the lease is over, and as `put_commit` does.
        """
        pairs = sorted(learned)

        def work(c: sqlite3.Connection) -> None:
            leases.verify(c, self.path, branch, fence)
            for commit in made:
                commits.put(c, self._cache, self.path, commit, fence)
            served.consume(c, pairs, fence)

        await self._put(work)

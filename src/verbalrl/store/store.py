"""The store: one SQLite file that holds all that a run did and all that was learned."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Self, TypeVar

from pydantic import JsonValue

from ..errors import StorageError, check_kind
from ..records import (
    BranchRecord,
    CallRecord,
    Commit,
    Critique,
    Decision,
    Episode,
    Lesson,
    LessonKind,
    MemoryUpdate,
    Purpose,
    RoundRecord,
    RunRecord,
    RunStatus,
    Status,
)
from . import commits, digest, episodes, journal, leases, lessons, publish, purging, runs, schema
from .columns import Columns
from .keeping import Keepers
from .leases import Lease
from .listing import Lists
from .locks import FileLock, Liveness
from .reading import Readers
from .serving import Servings
from .snapshot import Snapshots
from .vectors import Vectors
from .writer import Work, Writer, close_connection

T = TypeVar("T")

LOCK_NAME = "verbalrl.lock"


def open_store(path: str | Path, *, create: bool = False) -> Store:
    """The store in the folder `path`; with `create`, made there if there is none.

    Raises `StorageError` when there is none or it cannot be read, and `SchemaVersionError` when it
    is of a newer version, or not a store. A store that cannot be written opens for reading.
    """
    check_kind(path, (str, PathLike), "open_store takes a folder, such as '.verbalrl'")
    folder = Path(path).expanduser()
    file = folder / schema.FILE_NAME
    try:
        if create and not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            schema.create(file)
        if not file.is_file():
            raise StorageError(
                f"there is no store in {folder}; make one with a run, or name another"
            )
        return Store(folder)
    except sqlite3.Error as error:
        raise schema.failure(error, file) from error
    except StorageError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise schema.no_room(file) from error
        raise StorageError(
            f"{folder} cannot be used as a store ({error.strerror}); name another folder"
        ) from error


class Store(Snapshots, Readers, Keepers, Servings, Lists, Columns):
    """All that is kept, through one writer and one reader connection; a context manager.

    Coroutines and methods that write return once their rows are on the disk; what is put under an
    id that is there is left as it is, and the stored record is returned. It is models' `Journal`.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._file = folder / schema.FILE_NAME
        self._lock = FileLock(folder / LOCK_NAME)
        self._reading = threading.RLock()
        self._reader, self.writable = schema.open_reader(self._file, self._lock)
        self._writer = Writer(self._file, self._connect_writer, self._lock)
        self._cache = lessons.Cache()
        self._alive = Liveness(folder)
        self._closed, self._made = False, {}
        if self.writable:
            purging.settle(self._reader, self._file, FileLock(folder / LOCK_NAME, timeout=1.0))
        self.vectors = Vectors(self._read, self._do, self._post)
        """What indexes keep in the file."""

    def close(self) -> None:
        """Write what is under way, give up all leases, and close; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._alive.stop()
        with self._reading:
            if self.writable:
                close_connection(self._reader, self._lock)
            else:
                self._reader.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs and branches

    def create_run(self, run: RunRecord, branches: Iterable[BranchRecord] = ()) -> RunRecord:
        """Store a new run and its branches, all or nothing, with the time; the id must be free."""
        return self._do(lambda c: lessons.create_run(c, run, branches))

    def update_run(
        self,
        identity: str,
        *,
        status: RunStatus | None = None,
        stop_reason: str | None = None,
        result: dict[str, JsonValue] | None = None,
        config: dict[str, JsonValue] | None = None,
    ) -> RunRecord:
        """Change what is given, None leaves it; gives the run."""
        given = {"status": status, "stop_reason": stop_reason, "result": result, "config": config}
        changes = {name: value for name, value in given.items() if value is not None}
        return self._do(lambda c: runs.update_run(c, runs.run(c, identity).id, changes))

    def run(self, identity: str) -> RunRecord:
        """The run of that id, or the only one whose id begins so; raises `UnknownNameError`."""
        return self._read(lambda c: runs.run(c, identity))

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, oldest first."""
        return self._read(runs.all_runs)

    def create_branch(self, branch: BranchRecord) -> BranchRecord:
        """Store a branch. One with a parent and nothing pinned pins what the parent has now."""
        return self._do(lambda c: lessons.create_branch(c, branch))

    def branch(self, identity: str) -> BranchRecord:
        """The branch of that id; raises `UnknownNameError`."""
        return self._read(lambda c: runs.branch(c, identity))

    def branches(self, run: str | None = None) -> tuple[BranchRecord, ...]:
        """The branches of a run, or all: `main`, then in the order in which they were made."""
        return self._read(lambda c: runs.branches(c, run))

    async def pin_round(self, made: RoundRecord) -> RoundRecord:
        """Pin a round; one that is pinned already is returned with its first revisions."""
        return await self._put(lambda c: runs.pin_round(c, made))

    def rounds(self, branch: str) -> tuple[RoundRecord, ...]:
        """The pinned rounds of a branch, by number."""
        return self._read(lambda c: runs.rounds(c, branch))

    async def put_decision(self, decision: Decision) -> Decision:
        """Record a choice."""
        return await self._put(lambda c: runs.put_decision(c, decision))

    def decision(self, identity: str) -> Decision | None:
        """The decision of that id."""
        return self._read(lambda c: runs.decision(c, identity))

    def decisions(self, branch: str) -> tuple[Decision, ...]:
        """The decisions of a branch, by id."""
        return self._read(lambda c: runs.decisions(c, branch))

    # Episodes, critiques, and the journal of calls

    async def put_episode(self, episode: Episode) -> Episode:
        """Store an episode, its steps, uses and reward. Rewards that are NaN become None."""
        return await self._put(lambda c: episodes.put_episode(c, episode))

    def episode(self, identity: str) -> Episode | None:
        """The episode of that id, equal to the record that was put."""
        return self._read(lambda c: episodes.get_episode(c, identity))

    def episodes(
        self,
        *,
        run: str | None = None,
        arm: str | None = None,
        seed: int | None = None,
        instance: str | None = None,
        purpose: Purpose | None = None,
        limit: int | None = None,
        offset: int = 0,
        steps: bool = True,
    ) -> tuple[Episode, ...]:
        """Episodes by (run, arm, seed, instance, trial, candidate, purpose).

        `steps=False` leaves trajectories and uses empty, for figures over many episodes.
        """
        asked = {"run": run, "arm": arm, "seed": seed, "instance": instance, "purpose": purpose}
        return self._read(
            lambda c: tuple(episodes.list_episodes(c, asked, limit, offset, with_steps=steps))
        )

    async def put_critique(self, critique: Critique, branch: str) -> Critique:
        """Store a critique, accepted, refused or failed; its episodes must be there."""
        return await self._put(lambda c: episodes.put_critique(c, critique, branch))

    def critique(self, identity: str) -> Critique | None:
        """The critique of that id."""
        return self._read(lambda c: episodes.get_critique(c, identity))

    def critiques(
        self,
        *,
        branch: str | None = None,
        run: str | None = None,
        instance: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[Critique, ...]:
        """Critiques by (branch, instance, trial, template, sample)."""
        asked = {"c.branch": branch, "b.run": run, "c.instance": instance, "c.status": status}
        return self._read(lambda c: tuple(episodes.list_critiques(c, asked, limit, offset)))

    def lookup(self, key: str, generation: int) -> CallRecord | None:
        """The journaled answer to a call."""
        return self._read(lambda c: journal.lookup(c, key, generation))

    async def append(self, record: CallRecord) -> None:
        """Journal an answer; raises `StorageError` when the call has another answer already."""
        await self.begin(record)

    def begin(self, record: CallRecord) -> asyncio.Future[None]:
        """The same; it is done also where nobody waits for it."""
        self._check_writable()
        row = journal.row_of(record)
        return self._writer.begin(lambda c: journal.append(c, row))

    def generation(self, owner: str) -> int | None:
        """The newest generation of an episode's, critique's or curation's calls; None of none."""
        return self._read(lambda c: journal.generation(c, owner))

    # Lessons

    async def put_commit(self, commit: Commit, fence: int | None = None) -> Commit:
        """Store a commit in one transaction: updates, lessons, critiques consumed, the revision.

        Raises `LeaseError` when the lease is not (or no longer) with the caller, `StorageError`
        when the scope has moved on from `base`, the branch does not learn, or an update is not
        allowed.
        """
        done = await self._put(lambda c: commits.put(c, self._cache, self.path, commit, fence))
        return commits.settle(self._cache, done)

    def commit(self, identity: str) -> Commit | None:
        """The commit of that id."""
        return self._read(lambda c: commits.get(c, identity))

    def updates(self, branch: str, scope: str) -> tuple[tuple[int, MemoryUpdate], ...]:
        """(revision, update) of a scope in order; the branch's own, with what it copied first."""
        return self._read(lambda c: tuple(lessons.updates(c, branch, scope)))

    def revision(self, branch: str, scope: str) -> int:
        """The revision at which a scope stands; the `base` of the next commit."""
        return self._read(lambda c: lessons.revision(c, branch, scope))

    def scopes(self, branch: str) -> tuple[str, ...]:
        """The scopes in which a branch has lessons, its own or its parent's."""
        return self._read(lambda c: lessons.scopes(c, branch))

    def lessons(
        self, branch: str, scope: str, *, revision: int | None = None
    ) -> tuple[Lesson, ...]:
        """All lessons of a scope at a revision, in the order (born, position)."""
        return self._read(lambda c: lessons.lessons(c, self._cache, branch, scope, revision))

    def current_lessons(
        self,
        branch: str,
        *,
        scope: str | None = None,
        kind: LessonKind | None = None,
        statuses: Iterable[Status] | None = None,
    ) -> tuple[Lesson, ...]:
        """Lessons as they are now, by scope and then in order; None asks for all."""
        return self._read(lambda c: lessons.current(c, self._cache, branch, scope, kind, statuses))

    def lesson(self, identity: str, *, branch: str | None = None) -> Lesson | None:
        """A lesson as it is now on a branch, by default on the one where it was written."""
        return self._read(lambda c: lessons.lesson(c, self._cache, identity, branch))

    async def publish(
        self,
        from_branch: str,
        to: str = "main",
        *,
        kinds: Collection[LessonKind] = (LessonKind.BEHAVIOR, LessonKind.BELIEF),
        approve: bool,
    ) -> dict[str, int]:
        """Copy usable lessons: to active ones if a person approves, else quarantined.

        Equal texts merge. Gives counts of added, merged, unchanged and refused (revoked there).
        """
        with self.acquire_lease(to, f"publish of {from_branch}") as lease:
            return await self._put(
                lambda c: publish.publish(
                    c,
                    self._cache,
                    self.path,
                    from_branch,
                    to,
                    kinds=kinds,
                    approve=approve,
                    fence=lease.fence,
                )
            )

    def acquire_lease(self, branch: str, owner: str) -> Lease:
        """The right to change the lessons of a branch; raises `LeaseError` while another has it."""
        self._check_writable()
        self._alive.start()
        token = self._alive.token
        fence = self._do(lambda c: leases.take(c, self.path, branch, owner, token))

        def release() -> None:
            with suppress(StorageError):
                self._do(lambda c: leases.give_up(c, branch, fence))

        return Lease(branch, owner, fence, release)

    def living(self) -> frozenset[str]:
        """The owners of leases that are held now, runs by their ids."""
        return self._read(lambda c: leases.living(c, self.path))

    # Digests

    def memory_digest(self, branch: str) -> str:
        """The digest of what the branch has learned."""
        return self._read(lambda c: digest.memory_digest(lessons.each(c, self._cache, branch)))

    def episodes_digest(
        self, run: str, arm: str, seed: int, known: Mapping[str, digest.EpisodeLine] = {}
    ) -> str:
        """The digest of what agents and critics did on one arm and seed.

        Episodes that are `known` by their ids are not read again.
        """

        def read(c: sqlite3.Connection) -> str:
            branch = f"{run}/{arm}/{seed}"
            asked = {"run": run, "arm": arm, "seed": seed}
            return digest.episodes_digest(
                episodes.but_known(c, asked, known),
                episodes.list_critiques(c, {"c.branch": branch}, None, 0),
                lessons.births(c, branch),
            )

        return self._read(read)

    def _check_writable(self) -> None:
        if not self.writable:
            raise StorageError(f"{self._file} is read-only; make file and folder writable")

    async def _put(self, work: Work[T]) -> T:
        self._check_writable()
        return await self._writer.put(work)

    def _do(self, work: Work[T]) -> T:
        self._check_writable()
        return self._writer.do(work)

    def _within(self, work: Work[T], seconds: float) -> T:
        self._check_writable()
        return self._writer.within(work, seconds)

    def _post(self, work: Work[T], *, patient: bool = False) -> Future[T]:
        self._check_writable()
        return self._writer.post(work, patient=patient)

    def _connect_writer(self) -> sqlite3.Connection:
        connection = schema.connect(self._file)
        # Pages of a large commit that no longer fit are written to the log, and read and written
        # again: of ten thousand lessons at once that was a tenth of the time.
        connection.execute("PRAGMA cache_size = -8000")
        return connection

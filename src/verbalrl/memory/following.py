"""A Chroma index that follows the store: never the truth, and never trusted.

It catches up from the outbox of updates by upserts that may be repeated. A folder is opened by one
process at a time, only where our mark is, and only after a child process has looked at it: a
damaged file of its graph ends the process that reads it. Whatever fails, the exact scan answers,
and the next generation of the index is made from the stored vectors beside it.

Standing aside is never final: another process that has the folder open ends, and the child of one
that was killed closes it after a while; a server comes back. A later search starts a thread that
looks again, about once a second for a folder that is held, more rarely for what failed, and the
exact scan answers until that thread has opened or made what is newest by then.

A server has no lock, and several processes may follow the store there. A generation's number is
claimed in the store before it is made, and none that the server holds is taken; who comes second
helps to make it, by the same upserts.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .._logging import get_logger
from ..errors import ConfigurationError, EpisodeError, IndexFailure, ModelError, StorageError
from ..store import Store
from ..store.locks import OwnerLock
from ..store.vectors import IndexState
from .chroma import SILENT_S, ChromaIndex, is_url
from .index import Hit
from .outbox import Vectors, follow
from .probe import PROBE_S, look
from .sums import SUMS_NAME, sums_differ, write_sums
from .turns import Turn

if TYPE_CHECKING:
    from .embed import Vector

log = get_logger(__name__)


MARK_NAME = "verbalrl-index.json"
LOCK_NAME = "verbalrl-index.lock"
SCAN_BELOW = 20_000
"""Views with fewer lessons are scanned exactly: that takes a millisecond."""
_AT_ONCE = 5_000
"""So many updates are caught up with before a search; more are left to a thread."""
AGAIN_S = 30.0
"""So long after it failed an index is tried again, at the earliest."""
_HELD_S = 1.0
"""So long after another process had the folder open; to ask for its lock costs next to nothing."""
_REST = 20
"""And at least so many times what the attempt took, lest what keeps failing is a load."""


class Follower:
    """One index outside the store, for one embedder.

    Args:
        place: A folder, or the URL of a `chroma run` server.
        store: What it follows.
        vectors: Of one embedder.
    """

    def __init__(self, place: str, store: Store, vectors: Vectors) -> None:
        self.scan_below, self.again_s, self.silent_s = SCAN_BELOW, AGAIN_S, SILENT_S
        self.reason = ""
        """Why the exact scan answers in its place; empty while it serves."""
        self._place, self._store, self._vectors = place, store, vectors
        self._fingerprint = fingerprint = vectors.fingerprint
        self._name = f"vr-{store.vectors.store_id()[:8]}-{fingerprint[:8]}"
        self._index: ChromaIndex | None = None
        self._state = IndexState(fingerprint, 0, 0, 0)
        self._folder = None if is_url(place) else Path(place).expanduser().absolute()
        self._lock = None if self._folder is None else OwnerLock(self._folder / LOCK_NAME)
        self._builder: threading.Thread | None = None
        self._building = False
        self._looked, self._closing = threading.Event(), threading.Event()
        self._again_at = 0.0
        self._warned = ""
        """The reason told last; empty once it serves."""
        self._turn = Turn()

    @classmethod
    def of(cls, index: str, store: Store, vectors: Vectors) -> Follower | None:
        """The follower that `index` names; None for `exact`.

        Raises `ConfigurationError` for another name, or a folder that is not ours.
        """
        place = place_of(index)
        if place is None:
            return None
        follower = cls(place, store, vectors)
        follower._check_folder()
        return follower

    @property
    def key(self) -> str:
        """Its name in the store's table of indexes."""
        place = self._place if self._folder is None else str(self._folder)
        return f"chroma:{place} {self._name}"

    @property
    def generation(self) -> int:
        """Which generation serves, or is being made; 0 before the first search."""
        return self._state.generation

    async def search(
        self, scopes: Iterable[str], vector: Vector, k: int, view: Container[str]
    ) -> list[Hit] | None:
        """At most `k` rows whose content is in `view`; None where the exact scan has to answer."""
        try:
            async with asyncio.timeout(PROBE_S):
                await self._turn.take()
        except TimeoutError:
            return None
        try:
            if not await self._ready():
                return None
            return await self._turn.lend(partial(self._search, list(scopes), vector, k, view))
        except IndexFailure as error:
            why = str(error)
            self.reason = why
            self._beside(partial(self._renew, self._state.generation, why))
        except (ModelError, StorageError) as error:
            # It could not catch up, and is as good as before.
            await self._turn.lend(partial(self._stand_aside, str(error), self.again_s))
        finally:
            self._turn.give_back()
        return None

    def wait(self, timeout_s: float) -> bool:
        """Wait for a generation that is being opened or made; whether none is any more."""
        if self._builder is not None:
            self._builder.join(timeout_s)
        return not self._building

    def close(self) -> None:
        """Stop what is being made, close, and note the sums of a folder's files."""
        self._closing.set()
        if self._builder is not None:
            self._builder.join()
        self._turn.join()
        if self._index is not None and self._shut() and self._folder is not None:
            write_sums(self._generation_folder(self._state.generation))
        if self._lock is not None:
            self._lock.let_go()
        self.reason = self.reason or "closed"

    def _search(
        self, scopes: list[str], vector: Vector, k: int, view: Container[str]
    ) -> list[Hit] | None:
        assert self._index is not None
        asked = k
        while True:
            hits = self._index.search(scopes, vector, asked)
            seen = [hit for hit in hits if hit.content in view]
            if len(seen) >= k:
                return seen[:k]
            if asked > 16 * k or len(hits) < asked:
                # Too many rows of other views are nearer.
                return None
            asked *= 4

    async def _ready(self) -> bool:
        """Whether the index may be asked, once it has caught up."""
        if self._closing.is_set() or self._building:
            return False
        if (self.reason or self._index is None) and not await self._opened():
            return False
        behind = self._store.vectors.newest() - self._state.applied_n
        if behind > _AT_ONCE:
            self._tell_making("it is far behind")
            self._beside(self._bring_up)
            return False
        if behind > 0:
            await self._catch_up()
        return True

    async def _opened(self) -> bool:
        """Begin to open it, if it is time to; only the first search waits for that."""
        first = not self.reason
        if not first and time.monotonic() < self._again_at:
            return False
        self.reason = self.reason or "it is being opened"
        self._beside(self._renew)
        if first:
            await asyncio.to_thread(self._looked.wait)
        return first and not self.reason

    def _beside(self, work: Callable[[], None]) -> None:
        """Do `work` in a thread; the exact scan answers meanwhile."""
        if self._building or self._closing.is_set():
            return
        self._building, self._again_at = True, time.monotonic() + self.again_s
        # In a copy of the context, so that its events say whose they are.
        run = copy_context().run
        self._builder = threading.Thread(
            target=run, args=(self._attempt, work), name="verbalrl-index", daemon=True
        )
        self._builder.start()

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do `work`; where it fails, stand aside for long beside what it took."""
        began = time.monotonic()
        try:
            work()
        except (EpisodeError, OSError) as error:
            took = time.monotonic() - began
            self._stand_aside(str(error), max(self.again_s, _REST * took))
        finally:
            self._building = False
            self._looked.set()

    def _renew(self, spoilt: int = 0, why: str = "") -> None:
        """Open the newest generation if it is sound and not `spoilt`, else make the next one."""
        self._shut()
        if self._lock is not None and not self._lock.take():
            self._stand_aside(f"another process has {self._folder} open", _HELD_S)
            return
        # Others may have come further since we looked last.
        known = self._store.vectors.state(self.key)
        self._state = known or IndexState(self._fingerprint, 0, 0, 0)
        if known is None:
            why = "it is new"
        elif known.generation != spoilt:
            why = self._unsound()
        if not why:
            self._serve(self._at(self._state.generation), self._state)
            return
        before = self._state.generation
        made = IndexState(self._fingerprint, self._next(before), 0, 0)
        if self._folder is None and not self._store.vectors.claim(self.key, before, made):
            self._renew()
            return
        self._state = made
        if not self._warned:
            self._tell_making(why)
        self._looked.set()
        if self._folder is not None:
            self._clear_place(made.generation)
        self.reason = self._making(why)
        self._index = self._at(made.generation)
        self._bring_up()
        self._clear_place(before)

    def _next(self, generation: int) -> int:
        """The number that follows `generation`; on a server, one that nobody has used there."""
        if self._folder is not None:
            return generation + 1
        index, head = self._at(generation), f"{self._name}-g"
        try:
            used = [name.removeprefix(head) for name in index.names() if name.startswith(head)]
        finally:
            index.close()
        return 1 + max([generation, *(int(number) for number in used if number.isdecimal())])

    def _unsound(self) -> str:
        """What is wrong with the generation in use, found out where it cannot hurt."""
        if self._folder is None:
            index = self._at(self._state.generation)
            try:
                return index.check(self._state.rows)
            finally:
                index.close()
        folder = self._generation_folder(self._state.generation)
        wrong = sums_differ(folder)
        (folder / SUMS_NAME).unlink(missing_ok=True)
        return wrong or look(folder, self._collection(), self._state.rows, self._lock)

    async def _catch_up(self) -> None:
        """Apply what stands in the outbox."""
        assert self._index is not None
        self._state = await follow(
            self._index, self._store, self._state, self._vectors, self._closing, self._turn.lend
        )
        await self._turn.lend(partial(self._store.vectors.put_state, self.key, self._state))

    def _bring_up(self) -> None:
        """Let the index follow to the end of the outbox, and serve."""
        assert self._index is not None
        made = asyncio.run(self._follow_from_the_start(self._index))
        self._store.vectors.put_state(self.key, made)
        log.info("index.built", index=self.key, generation=made.generation, rows=made.rows)
        self._serve(self._index, made)

    def _serve(self, index: ChromaIndex, state: IndexState) -> None:
        self._state, self._index, self.reason = state, index, ""
        if self._warned:
            self._warned = ""
            log.info("index.took_over", index=self.key, generation=state.generation)

    def _stand_aside(self, why: str, wait_s: float) -> None:
        """Leave the place to others for so many seconds; told once for each new reason."""
        self._shut()
        if self._closing.is_set():
            return
        if self._lock is not None:
            self._lock.let_go()
        self.reason, self._again_at = why, time.monotonic() + wait_s
        if why != self._warned:
            self._warned = why
            log.warning("index.stood_aside", index=self.key, why=why)

    def _shut(self) -> bool:
        """Close what is open; whether that went well."""
        index, self._index = self._index, None
        with suppress(IndexFailure):
            if index is not None:
                index.close()
            return True
        return False

    def _making(self, why: str) -> str:
        return f"generation {self._state.generation} is being made: {why}"

    def _tell_making(self, why: str) -> None:
        log.info("index.building", index=self.key, generation=self._state.generation, why=why)
        self.reason = self._making(why)

    async def _follow_from_the_start(self, index: ChromaIndex) -> IndexState:
        try:
            return await follow(index, self._store, self._state, self._vectors, self._closing)
        finally:
            # This loop ends with the thread.
            await self._vectors.aclose()

    def _clear_place(self, generation: int) -> None:
        """Delete what a generation left behind, if there is anything."""
        if generation < 1:
            return
        if self._folder is not None:
            shutil.rmtree(self._generation_folder(generation), ignore_errors=True)
            return
        self._at(generation).drop()

    def _at(self, generation: int) -> ChromaIndex:
        if self._folder is None:
            return ChromaIndex(self._place, f"{self._name}-g{generation}", self.silent_s)
        return ChromaIndex(str(self._generation_folder(generation)), self._collection())

    def _collection(self) -> str:
        return f"{self._name}-g{self._state.generation}"

    def _generation_folder(self, generation: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}-g{generation}"

    def _check_folder(self) -> None:
        """Make the folder ours if it is new or empty; refuse it if it is somebody else's."""
        folder = self._folder
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark = folder / MARK_NAME
            if not mark.exists():
                if any(entry.name != LOCK_NAME for entry in folder.iterdir()):
                    raise ConfigurationError(
                        f"index chroma:{folder}: the folder holds other things; "
                        "name an empty or a new one"
                    )
                mark.write_text('{"made_by": "verbalrl", "may_be_deleted": true}\n', "utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"index chroma:{folder} cannot be used ({error.strerror}); name another folder"
            ) from error


def place_of(index: str) -> str | None:
    """The folder or URL of `chroma:PLACE`; None for `exact`."""
    if index == "exact":
        return None
    kind, _, place = index.partition(":")
    if kind != "chroma" or not place.strip():
        raise ConfigurationError(f"index {index!r}: write exact, chroma:FOLDER or chroma:URL")
    return place

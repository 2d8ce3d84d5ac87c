"""A Chroma index that follows the store: never the truth, and never trusted.

It catches up from the outbox of updates by upserts that may be repeated. A folder is opened by one
process at a time, only where our mark is, and only after a child process has looked at it: a
damaged file of its graph ends the process that reads it. Whatever fails, the exact scan answers,
and the next generation of the index is made from the stored vectors beside it.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .._logging import get_logger
from ..errors import ConfigurationError, EpisodeError, IndexFailure, StorageError
from ..records import Usage
from ..store import Store
from ..store.locks import OwnerLock
from ..store.vectors import IndexState, Outgoing
from .chroma import ChromaIndex, is_url
from .embed import text_of
from .index import Hit, Key
from .sums import SUMS_NAME, sums_differ, write_sums

if TYPE_CHECKING:
    from .embed import Matrix, Vector

log = get_logger(__name__)


class Vectors(Protocol):
    """Makes vectors, or takes them from the store, where those of lessons are by then."""

    fingerprint: str

    async def rows(self, texts: Mapping[str, str], /) -> tuple[Matrix, Usage]:
        """A row for each text by content, and what was paid."""

    async def aclose(self) -> None:
        """Close connections of the running loop."""


MARK_NAME = "verbalrl-index.json"
LOCK_NAME = "verbalrl-index.lock"
SCAN_BELOW = 20_000
"""Views with fewer lessons are scanned exactly: that takes a millisecond."""
_AT_ONCE = 5_000
"""So many updates are caught up with before a search; more are left to a thread."""
_PROBE_S = 120.0


class Follower:
    """One index outside the store, for one embedder.

    Args:
        place: A folder, or the URL of a `chroma run` server.
        store: What it follows.
        vectors: Of one embedder.
    """

    def __init__(self, place: str, store: Store, vectors: Vectors) -> None:
        self.scan_below = SCAN_BELOW
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
        self._closing = threading.Event()
        self._turn = threading.Lock()

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
        free = self._turn.acquire(blocking=False)
        if not free and not await asyncio.to_thread(self._turn.acquire, timeout=_PROBE_S):
            return None
        try:
            if not await self._ready():
                return None
            return await asyncio.to_thread(self._search, list(scopes), vector, k, view)
        except (IndexFailure, StorageError) as error:
            self._give_up(str(error))
            return None
        finally:
            self._turn.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a generation that is being made; whether none is any more."""
        if self._builder is not None:
            self._builder.join(timeout_s)
        return not self._building

    def close(self) -> None:
        """Stop what is being made, close, and note the sums of a folder's files."""
        self._closing.set()
        if self._builder is not None:
            self._builder.join()
        index, self._index = self._index, None
        if index is not None:
            with suppress(IndexFailure):
                index.close()
                if self._folder is not None:
                    write_sums(self._generation_folder(self._state.generation))
        if self._lock is not None:
            self._lock.let_go()
        self.reason = self.reason or "closed"

    @property
    def _building(self) -> bool:
        return self._builder is not None and self._builder.is_alive()

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
        if self._closing.is_set() or self._building or (self.reason and self._index is None):
            return False
        if self._index is None and not await asyncio.to_thread(self._open):
            return False
        behind = self._store.vectors.newest() - self._state.applied_n
        if behind > _AT_ONCE:
            self._build("it is far behind")
            return False
        if behind > 0:
            await self._catch_up()
        return True

    def _open(self) -> bool:
        """Open the newest generation if it is sound, else begin the next one."""
        if self._lock is not None and not self._lock.take():
            self._stand_aside(f"another process has {self._folder} open")
            return False
        known = self._store.vectors.state(self.key)
        if known is None:
            self._state = IndexState(self._fingerprint, 1, 0, 0)
            self._build("it is new")
            return False
        self._state = known
        wrong = self._unsound()
        if wrong:
            self._next_generation(wrong)
            return False
        self._index = self._at(known.generation)
        return True

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
        return wrong or _probe(folder, self._collection(), self._state.rows, self._lock)

    async def _catch_up(self) -> None:
        """Apply what stands in the outbox."""
        assert self._index is not None
        self._state = await _follow(
            self._index, self._store, self._state, self._vectors, self._closing
        )
        self._store.vectors.put_state(self.key, self._state)

    def _give_up(self, why: str) -> None:
        index, self._index = self._index, None
        if index is not None:
            with suppress(IndexFailure):
                index.close()
        if self._folder is None and index is None:
            # A server that cannot be reached: nothing can be made there either.
            self._stand_aside(why)
        else:
            self._next_generation(why)

    def _stand_aside(self, why: str) -> None:
        self.reason = why
        log.warning("index.stood_aside", index=self.key, why=why)

    def _next_generation(self, why: str) -> None:
        self._state = IndexState(self._fingerprint, self._state.generation + 1, 0, 0)
        self._build(why)

    def _build(self, why: str) -> None:
        """Make the generation in a thread; the exact scan answers meanwhile."""
        if self._building or self._closing.is_set():
            return
        log.info("index.building", index=self.key, generation=self._state.generation, why=why)
        self.reason = f"generation {self._state.generation} is being made: {why}"
        self._builder = threading.Thread(target=self._make, name="verbalrl-index", daemon=True)
        self._builder.start()

    def _make(self) -> None:
        index = self._index or self._at(self._state.generation)
        try:
            if self._index is None:
                self._clear_place(self._state.generation)
            made = asyncio.run(self._follow_from_the_start(index))
            self._store.vectors.put_state(self.key, made)
            self._state, self._index, self.reason = made, index, ""
            log.info("index.built", index=self.key, generation=made.generation, rows=made.rows)
            self._clear_place(made.generation - 1)
        except (EpisodeError, OSError) as error:
            if not self._closing.is_set():
                self._index = None
                self._stand_aside(str(error))

    async def _follow_from_the_start(self, index: ChromaIndex) -> IndexState:
        try:
            return await _follow(index, self._store, self._state, self._vectors, self._closing)
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
            return ChromaIndex(self._place, f"{self._name}-g{generation}")
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


async def _follow(
    index: ChromaIndex, store: Store, state: IndexState, source: Vectors, stop: threading.Event
) -> IndexState:
    """Apply the outbox to `index`, piece by piece; gives how far it came."""
    while not stop.is_set():
        piece = store.vectors.outbox(state.applied_n, 2000)
        if not piece:
            break
        texts = _texts(piece)
        if texts:
            vectors, _ = await source.rows(texts)
            places = {content: n for n, content in enumerate(texts)}
            keys = list(
                dict.fromkeys(Key(u.scope, u.body.content) for u in piece if u.body is not None)
            )
            chosen = vectors[[places[key.content] for key in keys]]
            await asyncio.to_thread(index.upsert, keys, chosen)
        for scope in {update.scope for update in piece if update.purges}:
            left = store.vectors.contents(scope)
            gone = [key for key in index.keys(scope) if key.content not in left]
            await asyncio.to_thread(index.delete, gone)
        state = state._replace(applied_n=piece[-1].n, rows=await asyncio.to_thread(index.count))
    return state


def _texts(piece: Iterable[Outgoing]) -> dict[str, str]:
    return {u.body.content: text_of(u.body) for u in piece if u.body is not None}


def _probe(folder: Path, collection: str, rows: int, lock: OwnerLock | None) -> str:
    """What a child process says is wrong with the index in `folder`; empty when it is sound."""
    command = [sys.executable, "-m", f"{__package__}.probe", str(folder), collection, str(rows)]
    # Should we be killed meanwhile, the child holds the lock on until it has closed the folder.
    fd = None if lock is None or sys.platform == "win32" else lock.fd
    held = () if fd is None else (fd,)
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_PROBE_S, check=False, pass_fds=held
        )
    except subprocess.TimeoutExpired:
        return f"looking at it took more than {_PROBE_S:g} s"
    if done.returncode == 0:
        return ""
    said = done.stdout.decode("utf-8", "replace").strip()
    return said or f"reading it ends a process (exit code {done.returncode})"

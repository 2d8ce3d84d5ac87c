"""The lessons of a view whose vectors are nearest to a situation's.

Vectors come from the store, or from the embedder and then into the store. An exact scan always can
answer; an index outside the store, where one is asked for, may answer for large views.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .._logging import get_logger
from ..errors import ModelError, StorageError
from ..records import Usage
from ..store import Store
from .embed import Embedder, fingerprint
from .following import Follower
from .index import ExactIndex, Key, Slots
from .pool import Item, Shelf
from .turns import Turn

if TYPE_CHECKING:
    from .embed import Matrix, Vector
    from .index import Places

log = get_logger(__name__)

_BATCH = 256


class VectorCache:
    """Vectors by content: from the store if they are there, else made and kept there."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.embedder = embedder
        self.fingerprint = fingerprint(embedder)
        self._store = store

    async def rows(self, texts: Mapping[str, str]) -> tuple[Matrix, Usage]:
        """A row for each of `texts` (content to text), in their order, and what was paid."""
        import numpy as np

        contents = list(texts)
        found = self._store.vectors.get(self.fingerprint, contents)
        missing = [content for content in contents if content not in found]
        paid = Usage()
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            made, usage = await self.embedder.embed([texts[content] for content in part])
            if len(made) != len(part):
                raise ModelError(
                    f"{self.embedder.name} gave {len(made)} vectors for {len(part)} texts"
                )
            new = {c: row.astype("<f4").tobytes() for c, row in zip(part, made, strict=True)}
            self._keep(new, paid=usage != Usage())
            found |= new
            paid += usage
        if len({len(vector) for vector in found.values()}) > 1:
            raise ModelError(
                f"{self.embedder.name} gives vectors of another size than before; "
                "give it another name, or name its dimensions"
            )
        joined = b"".join(found[content] for content in contents)
        rows = np.frombuffer(joined, dtype="<f4").reshape(len(contents), -1)
        return rows.astype(np.float32, copy=False), paid

    async def aclose(self) -> None:
        """Close the connections that the embedder holds on the running loop, if it holds any."""
        closing = getattr(self.embedder, "aclose", None)
        if closing is not None:
            await closing()

    def _keep(self, vectors: Mapping[str, bytes], *, paid: bool) -> None:
        own = self.embedder
        try:
            kept = self._store.vectors.put_later((self.fingerprint, own.name, own.config), vectors)
            if paid:
                kept.result()
                return
        except StorageError as error:
            # They can be made again; recall does not need them on the disk.
            log.warning("vectors.not_kept", why=str(error))
        else:
            # What cost nothing is not waited for: whoever asks may do so on an event loop, and
            # others may hold the store.
            kept.add_done_callback(_told)


def _told(kept: Future[int]) -> None:
    """Say why vectors were not kept."""
    error = kept.exception()
    if error is not None:
        log.warning("vectors.not_kept", why=str(error))


class Nearest:
    """Finds lessons of a shelf by vector."""

    def __init__(self, store: Store, embedder: Embedder, index: str) -> None:
        self._cache = VectorCache(store, embedder)
        self._exact = ExactIndex()
        self._far = Follower.of(index, store, self._cache)
        self._prepared: WeakKeyDictionary[Shelf, Slots] = WeakKeyDictionary()
        self._turn = Turn()

    async def prepare(self, shelf: Shelf) -> Usage:
        """Have all vectors of `shelf` at hand; gives what was paid for them."""
        if shelf in self._prepared:
            return Usage()
        async with self._turn:
            missing = [
                Key(*key) for key in dict.fromkeys(_keys(shelf.items)) if not self._exact.has(key)
            ]
            paid = Usage()
            if missing:
                texts = {key.content: shelf.texts[key.content] for key in missing}
                rows, paid = await self._cache.rows(texts)
                places = {content: n for n, content in enumerate(texts)}
                self._exact.upsert(missing, rows[[places[key.content] for key in missing]])
            self._prepared[shelf] = self._exact.slots(_keys(shelf.ordered))
        return paid

    async def search(self, shelf: Shelf, vector: Vector, k: int) -> Places:
        """The places in the order of a prepared shelf of at most `k` of its lessons."""
        import numpy as np

        if self._far is not None and len(shelf.by_content) >= self._far.scan_below:
            found = await self._far.search(shelf.revisions, vector, k, shelf.by_content)
            if found is not None:
                places = [shelf.places[hit.content] for hit in found]
                return np.array(places, dtype=np.int64)
        return self._exact.nearest(self._prepared[shelf], vector, k)

    def vectors(self, shelf: Shelf, places: Places) -> Matrix:
        """The rows of items of a prepared shelf, by their places in its order."""
        return self._exact.vectors(self._prepared[shelf], places)

    @property
    def far(self) -> Follower | None:
        """The index outside the store, where there is one."""
        return self._far

    async def aclose(self) -> None:
        """Close the embedder's connections on this loop, and then the rest."""
        await self._cache.aclose()
        self.close()

    def close(self) -> None:
        """Let go of memory and of the index outside."""
        self._exact.close()
        if self._far is not None:
            self._far.close()


def _keys(items: Iterable[Item]) -> list[tuple[str, str]]:
    return [(item.lesson.scope, item.content) for item in items]

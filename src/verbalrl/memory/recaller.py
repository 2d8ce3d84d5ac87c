"""Recall for the prompts of a run: the pure decision, with what it needs found in time.

Everything that decides is a function of the view's lessons and the situation: the shelf, the words'
statistics, the vectors. What is kept between prompts only saves making it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from .._logging import get_logger
from ..prompts import PromptLibrary
from ..records import Guidance, GuidanceSpec, Lesson, Usage
from ..store import Store
from .embed import Embedder, HashEmbedder
from .lexical import Lexical
from .nearest import Nearest
from .pool import Pool, Shelf
from .ranking import CANDIDATES, Channels, Ranking, merit_of, rank
from .recall import overflows, recall

if TYPE_CHECKING:
    from .embed import Vector
    from .index import Places
    from .pool import Floats

T = TypeVar("T")

log = get_logger(__name__)


class Asker(Protocol):
    """Whose prompt it is: embeds its situation (and may journal that), and pays."""

    async def vector(self, text: str, /) -> Vector:
        """The vector of a situation."""

    def charge(self, usage: Usage, /) -> None:
        """Bill what embedding lessons has cost."""


SITUATION_CHARS = 8000
"""So much of a situation is embedded; what stands first is the goal."""
_SHELVES = 64
_TABLES = 16
_LARGE = 1000
"""From so many texts on, a table of words is brought forward rather than made afresh."""


class Recaller:
    """Gives prompts their guidance; one for a run, on one event loop.

    Args:
        store: Keeps the vectors.
        embedder: By default `hash`.
        index: `exact`, or `chroma:DIR` or `chroma:URL`.
    """

    def __init__(
        self, store: Store, embedder: Embedder | None = None, index: str = "exact"
    ) -> None:
        self.embedder = embedder or HashEmbedder()
        self.nearest = Nearest(store, self.embedder, index)
        self._shelves: _Recent[tuple[object, ...], tuple[Sequence[Lesson], Shelf]]
        self._shelves = _Recent(_SHELVES)
        self._tables: _Recent[int, tuple[Shelf, Lexical]] = _Recent(_TABLES)

    async def recall(
        self,
        lessons: Sequence[Lesson],
        own: Sequence[Lesson],
        spec: GuidanceSpec,
        situation: str,
        *,
        prompts: PromptLibrary,
        place: tuple[str, int] = ("actor", 0),
        asker: Asker | None = None,
        judged: Mapping[str, bool] = {},
    ) -> Guidance:
        """What a prompt gets from `lessons`, which many prompts share, and its `own`.

        Args:
            lessons: Shared ones of the view; the same object for as long as they are the same.
            own: Reflections of the instance.
            spec: What is asked for.
            situation: Goal and observation.
            prompts: Words the text.
            place: The role and the step that it is for.
            asker: Embeds the situation and pays; by default the embedder does, unpaid.
            judged: By lesson id whether its condition holds, where a model was asked.
        """
        pool = self.pool(lessons, own, spec)
        ranking = None
        if overflows(pool, spec, situation, judged):
            ranking = await self.ranking(pool.shared, situation, asker)
        role, step = place
        return recall(
            pool,
            spec,
            situation=situation,
            prompts=prompts,
            role=role,
            step=step,
            ranking=ranking,
            judged=judged,
        )

    async def ready(self, lessons: Sequence[Lesson], spec: GuidanceSpec) -> None:
        """Make what `recall` keeps for all prompts of a view: the shelf, its vectors and words."""
        shelf = self.pool(lessons, (), spec).shared
        if shelf.may_overflow(spec.budget):
            await self.nearest.prepare(shelf)
            self._words(shelf)

    def pool(self, lessons: Sequence[Lesson], own: Sequence[Lesson], spec: GuidanceSpec) -> Pool:
        """What `spec` asks for, with the shared lessons arranged once."""
        plain = spec.source == "recall" and not spec.force_in and not spec.force_out
        if not plain:
            return Pool.of((*lessons, *own), spec)
        shelf = self._shelf(lessons, spec)
        return Pool.of((*shelf.apart, *own), spec, shelf)

    async def ranking(self, shelf: Shelf, situation: str, asker: Asker | None = None) -> Ranking:
        """How well the best of `shelf` by words and by vector fit `situation`."""
        cost = await self.nearest.prepare(shelf)
        text = situation[:SITUATION_CHARS]
        if asker is None:
            vector = await self.vector(text)
        else:
            asker.charge(cost)
            vector = await asker.vector(text)
        said, scores = self._words(shelf).nearest(situation, CANDIDATES)
        near = await self.nearest.search(shelf, vector, CANDIDATES)
        places = _candidates(shelf, said, near)
        if not len(places):
            return Ranking()
        ordered = shelf.ordered
        items = [ordered[place] for place in places.tolist()]
        words = _spread(said, scores, shelf, places)
        channels = Channels(vector, self.embedder.semantic, words)
        return rank(items, self.nearest.vectors(shelf, places), channels, _merits(shelf, places))

    async def vector(self, text: str) -> Vector:
        """The vector of a situation."""
        rows, _ = await self.embedder.embed([text])
        first: Vector = rows[0]
        return first

    async def aclose(self) -> None:
        """Close the embedder's connections on this loop, and then the rest."""
        await self.nearest.aclose()
        self.close()

    def close(self) -> None:
        """Let go of indexes and tables."""
        self.nearest.close()
        for _, table in self._tables.values():
            table.close()

    def _shelf(self, lessons: Sequence[Lesson], spec: GuidanceSpec) -> Shelf:
        key = (id(lessons), spec.scopes, spec.kinds, spec.audience)
        found = self._shelves.get(key)
        if found is None:
            # The newest shelf for the same wish knows most of them already.
            before = next((s for k, (_, s) in self._shelves.newest() if k[1:] == key[1:]), None)
            # The lessons are kept with it, so that their id cannot come to mean others.
            found = (lessons, Shelf.of(lessons, spec, before))
            self._shelves.put(key, found)
        return found[1]

    def _words(self, shelf: Shelf) -> Lexical:
        found = self._tables.get(id(shelf))
        if found is not None:
            return found[1]
        texts = shelf.texts
        table = self._brought_forward(texts.keys())
        if table is None:
            table = Lexical(texts)
        else:
            table.bring_to(texts)
        for _, old in self._tables.put(id(shelf), (shelf, table)):
            old.close()
        return table

    def _brought_forward(self, contents: Iterable[str]) -> Lexical | None:
        """A large table that is nearly right already, taken from its shelf."""
        wanted = set(contents)
        if len(wanted) < _LARGE:
            return None
        off, key = min(
            ((table.differs(wanted), key) for key, (_, table) in self._tables.newest()),
            default=(len(wanted), 0),
        )
        return self._tables.pop(key)[1] if off < len(wanted) / 2 else None


def _merits(shelf: Shelf, places: Places) -> Floats:
    """Found out once for each lesson of a shelf."""
    import numpy as np

    if shelf.merits is None:
        shelf.merits = np.full((len(shelf.ordered), 2), np.nan)
    found: Floats = shelf.merits[places]
    for n in np.flatnonzero(np.isnan(found[:, 0])).tolist():
        lesson = shelf.ordered[int(places[n])].lesson
        found[n] = shelf.merits[places[n]] = merit_of(lesson, shelf.revisions)
    return found


def _candidates(shelf: Shelf, said: Places, near: Places) -> Places:
    """The places of the lessons found in either channel, in their order.

    `said` are contents by places among the sorted ones, `near` lessons by those in `ordered`.
    """
    import numpy as np

    groups = shelf.groups
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.zeros(len(shelf.by_content), dtype=bool)
    found[said] = True
    found[groups[near]] = True
    # With each of them all that say the same, in whichever scope.
    return np.flatnonzero(found if len(found) == len(groups) else found[groups])


def _spread(said: Places, scores: Floats, shelf: Shelf, places: Places) -> Floats:
    """The score of each of `places` where its content was found by words; else 0."""
    import numpy as np

    found: Floats = np.zeros(len(shelf.by_content))
    found[said] = scores
    spread: Floats = found[shelf.groups[places]]
    return spread


K = TypeVar("K")


class _Recent(OrderedDict[K, T]):
    """A dictionary of the `size` entries used last."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, key: K, default: T | None = None) -> T | None:  # type: ignore[override]
        """The entry, which counts as used."""
        if key in self:
            self.move_to_end(key)
            return self[key]
        return default

    def put(self, key: K, value: T) -> list[T]:
        """Keep `value`; gives what had to go for it."""
        self[key] = value
        gone: list[T] = []
        while len(self) > self._size:
            gone.append(self.popitem(last=False)[1])
        return gone

    def newest(self) -> list[tuple[K, T]]:
        """All entries, those used last first."""
        return list(reversed(self.items()))

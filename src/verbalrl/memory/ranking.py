"""How well lessons fit a situation: parts of a score, each with a fixed range, added up. Pure.

No part depends on which other candidates there are, apart from the largest BM25, which scales that
channel to 0…1; so scores of one view compare between its situations. Reciprocal ranks are not used:
with one weak channel they made the good one worse (R@5 .76 → .59).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..records import Lesson
from .pool import Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .embed import Matrix, Vector

    Floats = NDArray[np.floating[Any]]

Merit = tuple[float, float]

PARTS = ("cosine", "bm25", "effect", "recency", "support")
"""What a score is the sum of."""
CANDIDATES = 64
"""Of each channel, so many lessons are scored; the others follow in their fixed order."""
_BM25_BESIDE_COSINE = 0.1
_HASH_BESIDE_BM25 = 0.3
_EFFECT, _RECENCY, _SUPPORT = 0.15, 0.05, 0.05
_HALF_LIFE = 4
"""In revisions of the scope, which count episodes: each is one round, or one instance's trial."""
_DIGITS = 6
_DIGITS_ALIKE = 4


class Ranking:
    """What was found out about candidates, which stand in the order of (content, lesson id)."""

    def __init__(
        self,
        items: Sequence[Item] = (),
        parts: Floats | None = None,
        vectors: Any = None,
    ) -> None:
        self.items = items
        self._parts, self._vectors = parts, vectors
        """A row for each of `PARTS`, a column for each item."""

    @cached_property
    def scores(self) -> Floats:
        """The sum of its parts for each of them."""
        import numpy as np

        parts = np.zeros((len(PARTS), 0)) if self._parts is None else self._parts
        found: Floats = parts.sum(axis=0).round(_DIGITS)
        return found

    @cached_property
    def alike(self) -> Floats:
        """The cosines between them."""
        found: Floats = (self._vectors @ self._vectors.T).round(_DIGITS_ALIKE)
        return found

    def parts(self, place: int) -> dict[str, float]:
        """What the score of one of them is the sum of."""
        return dict(zip(PARTS, self._columns[place], strict=True))

    @cached_property
    def _columns(self) -> list[list[float]]:
        found: list[list[float]] = [] if self._parts is None else self._parts.T.tolist()
        return found


@dataclass(frozen=True, slots=True)
class Channels:
    """What was found for one situation."""

    vector: Vector
    semantic: bool
    """Whether the vector's embedder reads meaning; decides which channel leads."""
    words: Floats
    """BM25 of each candidate; 0 for those that are not among the best by words."""


def rank(
    candidates: Sequence[Item],
    vectors: Matrix,
    found: Channels,
    merits: Floats,
    effects: Mapping[str, float] | None = None,
) -> Ranking:
    """The ranking of `candidates`, which must stand in the order of (content, lesson id).

    Args:
        candidates: What was found in either channel.
        vectors: A row of length 1 for each.
        found: The situation in both channels.
        merits: A row for each: what speaks for it in any situation, as `merit_of` says.
        effects: By content, the measured effect in -1…1; without one it counts 0.
    """
    import numpy as np

    cosines = vectors.astype(np.float64) @ found.vector.astype(np.float64)
    parts = np.zeros((len(PARTS), len(candidates)))
    parts[0] = cosines if found.semantic else _HASH_BESIDE_BM25 * cosines
    parts[1] = found.words / (found.words.max(initial=0.0) or 1.0)
    if found.semantic:
        parts[1] *= _BM25_BESIDE_COSINE
    if effects:
        parts[2] = [effects.get(item.content, 0.0) for item in candidates]
        parts[2] *= _EFFECT
    parts[3:] = merits.T
    # Rounded, so that the last bits of a sum, which differ between machines, decide nothing.
    return Ranking(candidates, parts.round(_DIGITS) + 0.0, vectors)


def merit_of(lesson: Lesson, newest: Mapping[str, int]) -> Merit:
    """(recency, support): what speaks for a lesson whatever the situation.

    `newest` is by scope the revision that ages are counted back from.
    """
    age = max(0, newest.get(lesson.scope, 0) - max(lesson.born, lesson.kept_at))
    held, against = lesson.votes.get("support", 0), lesson.votes.get("against", 0)
    recency = round(_RECENCY * 0.5 ** (age / _HALF_LIFE), _DIGITS)
    return recency, round(_SUPPORT * (held + 1) / (held + against + 2), _DIGITS)

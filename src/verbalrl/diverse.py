"""Diverse subsets by the elliptic bonus (RepExp): each pick is what the picks so far span least.

The paper takes mean-pooled hidden states of a model, which hosted models do not give; here the
vectors are the caller's, such as counts of words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r"\w+")
_TIE = 1e-4
"""Vectors are rounded: bonuses that are no further apart count as equal."""


class Pick(NamedTuple):
    """One pick: its place among the vectors, and its bonus when it was picked."""

    place: int
    bonus: float


def elliptic(vectors: Sequence[Sequence[float]], k: int, *, ridge: float = 1.0) -> list[Pick]:
    """At most `k` picks, greedily by the bonus hᵀΣ⁻¹h with Σ = `ridge`·I + Σ hhᵀ of the picks.

    Equal bonuses go to the lowest index.
    """
    left = dict(enumerate(tuple(map(float, v)) for v in vectors))
    # Σ⁻¹h for every vector that is left, kept up to date by Sherman and Morrison's formula.
    solved = {n: tuple(x / ridge for x in v) for n, v in left.items()}
    picks: list[Pick] = []
    while left and len(picks) < k:
        bonus = {n: _dot(left[n], solved[n]) for n in left}
        best = max(bonus.values())
        chosen = next(n for n in left if bonus[n] >= best - _TIE)
        picks.append(Pick(chosen, bonus[chosen]))
        at = solved[chosen]
        shrink = 1 + bonus[chosen]
        del left[chosen]
        for n, vector in left.items():
            share = _dot(vector, at) / shrink
            solved[n] = tuple(x - share * y for x, y in zip(solved[n], at, strict=True))
    return picks


def word_vectors(texts: Sequence[str]) -> list[tuple[float, ...]]:
    """Counts of words over all `texts`, each vector of length 1; of a text without words, 0."""
    found = [_WORD.findall(text.casefold()) for text in texts]
    places = {word: n for n, word in enumerate(sorted({w for words in found for w in words}))}
    vectors = []
    for words in found:
        counts = [0.0] * len(places)
        for word in words:
            counts[places[word]] += 1
        size = math.sqrt(_dot(counts, counts)) or 1.0
        vectors.append(tuple(c / size for c in counts))
    return vectors


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))

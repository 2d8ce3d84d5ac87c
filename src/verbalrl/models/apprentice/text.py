"""Words, clauses, features and stable chance: what every role does with text.

Nothing here knows a prompt, a role or a task. A feature is a stem or two neighbouring stems of one
clause. Chance is a hash of its arguments, so equal input gives equal output in every process.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from .words import STOP_WORDS

Features = frozenset[str]

_WORD: Final = re.compile(r"\d+(?:[.,:]\d+)+|[^\W_]+")
_CLAUSE_END: Final = re.compile(r"[.;!?]+(?=\s|$)|\n")
_SUFFIXES: Final = ("edly", "ing", "ies", "ed", "es", "s", "e")
_MIN_STEM: Final = 3
_EVERYWHERE: Final = 0.05
_SEVERAL: Final = 4
_MOST: Final = 0.6


def unit(*parts: object) -> float:
    """A number in [0, 1) that depends on the arguments alone."""
    data = "\x1f".join(str(part) for part in parts).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") / 2.0**64


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case; apostrophes are dropped, numbers stay whole."""
    return tuple(_WORD.findall(text.lower().replace("'", "").replace("\u2019", "")))


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without its common English ending; words with digits stay as they are."""
    if not word.isalpha():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and not word.endswith("ss"):
            kept = word[: -len(suffix)]
            if len(kept) >= _MIN_STEM:
                return kept
    return word


@lru_cache(maxsize=8192)
def clauses(text: str) -> tuple[str, ...]:
    """The sentences and lines of a text, without those that hold no word."""
    return tuple(part.strip() for part in _CLAUSE_END.split(text) if words(part))


@lru_cache(maxsize=8192)
def stems(clause: str) -> tuple[str, ...]:
    """The stems of a clause in order, without function words."""
    return tuple(stem(word) for word in words(clause) if word not in STOP_WORDS)


@lru_cache(maxsize=8192)
def features(clause: str) -> Features:
    """The stems of a clause and its pairs of neighbouring stems."""
    found = stems(clause)
    return frozenset(found) | {f"{a} {b}" for a, b in pairwise(found)}


@lru_cache(maxsize=8192)
def clause_features(text: str) -> tuple[Features, ...]:
    """The features of each clause; pairs never cross a clause."""
    return tuple(found for clause in clauses(text) if (found := features(clause)))


@lru_cache(maxsize=8192)
def text_features(text: str) -> Features:
    """The features of all clauses together."""
    return frozenset().union(*clause_features(text))


def has_digit(feature: str) -> bool:
    """Whether a feature holds a number."""
    return any(char.isdigit() for char in feature)


def common_stems(conditions: Sequence[Features]) -> Features:
    """Stems that most of several conditions share: how they are worded, not what they are of."""
    if len(conditions) < _SEVERAL:
        return frozenset()
    seen = Counter(f for condition in conditions for f in condition if " " not in f)
    return frozenset(f for f, n in seen.items() if n > _MOST * len(conditions))


class Weights:
    """How much a feature tells: much if it is rare in the documents at hand, little if common."""

    def __init__(self, documents: Sequence[Features], conditions: Sequence[Features] = ()) -> None:
        self._frame = common_stems(conditions)
        self._seen: Counter[str] = Counter()
        for document in documents:
            self._seen.update(document)
        self._total = len(documents)

    def of(self, feature: str) -> float:
        """The weight of one feature."""
        seen = self._seen[feature]
        if self._total >= 3 and seen >= self._total:
            return _EVERYWHERE
        return math.log((self._total + 1) / (seen + 0.5))

    def told(self, part: Features, seen: Features) -> Features:
        """`part` less the words in which all lessons are put and that the situation lacks."""
        if not self._frame:
            return part
        return frozenset(
            f for f in part if f in seen or has_digit(f) or self._frame.isdisjoint(f.split())
        )

    def mass(self, found: Iterable[str]) -> float:
        """The weight of several features; `fsum` makes the order irrelevant."""
        return math.fsum(self.of(feature) for feature in found)

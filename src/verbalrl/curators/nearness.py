"""How near two texts of lessons are, whether they contradict, whether one restates the other: pure.

No threshold separates duplicates from contradictions: of pairs that differ by a small edit, most of
those that contradict are as near as those that say the same. So nearness only nominates pairs for
whoever decides, and `restates` asks for far more than nearness.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from ..memory.conditions import STOP_WORDS as STOP
from ..memory.conditions import stem
from ..memory.conditions import words_of as words

NEAR = 0.6
"""Nominated from here on: cosine over words and pieces of words, or the share of common words."""
# Below this share of common words the pieces need not be counted.
_LITTLE = 0.2

_NEGATING = "avoid cannot don doesn isn aren never no nor not refrain skip stop without"
_NEGATIONS = frozenset(_NEGATING.split())
_OPPOSITES = (
    "accept reject",
    "add remove",
    "allow forbid",
    "allow deny",
    "always never",
    "ascending descending",
    "before after",
    "down up",
    "east west",
    "enable disable",
    "first last",
    "high low",
    "include exclude",
    "increase decrease",
    "keep drop",
    "left right",
    "less more",
    "long short",
    "lower raise",
    "most least",
    "north south",
    "off on",
    "open close",
    "same different",
    "slow fast",
    "start end",
    "true false",
)
_PAIRS = tuple(tuple(map(stem, pair.split())) for pair in _OPPOSITES)
_ORDER = frozenset(
    [
        "above",
        "after",
        "before",
        "below",
        "from",
        "instead",
        "over",
        "rather",
        "than",
        "to",
        "under",
        "until",
    ]
)
_LEADING = """
    advice again continue follow given guidance ensure just keep lesson lessons make noted please
    remember simply still sure told
"""
_LEADS = frozenset(map(stem, _LEADING.split()))


class Wording(Protocol):
    """Whatever has the texts of a lesson."""

    @property
    def when(self) -> str:
        """The condition."""

    @property
    def when_not(self) -> str:
        """The exception."""

    @property
    def instruction(self) -> str:
        """What to do."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the guidance that an episode had."""

    lesson: str = ""
    """Its id; empty for a text that a method gave."""
    when: str = ""
    when_not: str = ""
    instruction: str = ""


def nearness(a: Wording, b: Wording) -> float:
    """How near two texts are, from 0 to 1; by words and pieces of words, not by meaning."""
    one, other = _whole(a), _whole(b)
    shared = _overlap(_content(one), _content(other))
    if shared < _LITTLE:
        return shared
    return max(_cosine(_pieces(one), _pieces(other)), shared)


def opposed(a: Wording, b: Wording) -> bool:
    """True where one of two near texts negates, or names the opposite of, what the other says."""
    for one, other in ((a.when, b.when), (a.instruction, b.instruction)):
        if (_negations(one) - _negations(other)) % 2:
            return True
        first, second = _stems(one), _stems(other)
        only, others = first - second, second - first
        if any((p in only and q in others) or (q in only and p in others) for p, q in _PAIRS):
            return True
    return False


def restates(said: Wording, given: Wording) -> bool:
    """True where `said` tells nothing that `given` does not.

    It has no word of its own, all words of the condition, most of the instruction, and the same
    negations, numbers and orders ("A before B"). A text with a wider condition is another claim.
    """
    new, old = _content(_whole(said)), _content(_whole(given))
    if not new or not new - _LEADS <= old:
        return False
    asked = _content(given.when)
    advised = _content(given.instruction) - _LEADS
    if not asked <= new or len(advised & new) < 0.6 * len(advised):
        return False
    if _content(said.when) and not asked and not _content(said.when) <= _content(given.instruction):
        return False
    same = _negations(_whole(said)) == _negations(_said_of(said, given))
    return same and _links(said) <= _links(given)


def _said_of(said: Wording, given: Wording) -> str:
    """The texts of `given` without an exception that `said` does not repeat."""
    exception = given.when_not if said.when_not.strip() else ""
    return " . ".join((given.when, exception, given.instruction))


def _whole(of: Wording) -> str:
    return " . ".join((of.when, of.when_not, of.instruction))


@lru_cache(maxsize=4096)
def _content(text: str) -> frozenset[str]:
    return frozenset(stem(w) for w in words(text) if w not in STOP and w not in _NEGATIONS)


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, words(text)))


def _negations(text: str) -> int:
    return sum(w in _NEGATIONS for w in words(text))


def _links(of: Wording) -> frozenset[tuple[str, ...]]:
    """What stands on both sides of words of order, and before numbers."""
    found: set[tuple[str, ...]] = set()
    for text in (of.when, of.when_not, of.instruction):
        kept = [w for w in words(text) if w in _ORDER or w not in STOP]
        for a, b in pairwise(kept):
            if any(c.isdigit() for c in b) and a not in _ORDER:
                found.add((stem(a), b))
        for a, b, c in zip(kept, kept[1:], kept[2:], strict=False):
            # "Remember to go" has no order in it.
            if b in _ORDER and not {a, c} & _ORDER and stem(a) not in _LEADS:
                found.add((stem(a), b, stem(c)))
    return frozenset(found)


@lru_cache(maxsize=4096)
def _pieces(text: str) -> tuple[Counter[str], float]:
    found: Counter[str] = Counter()
    for word in words(text):
        if word in STOP and word not in _NEGATIONS:
            continue
        found[word] += 2
        edged = f"<{word}>"
        found.update(edged[n : n + 3] for n in range(len(edged) - 2))
    return found, math.sqrt(sum(n * n for n in found.values()))


def _cosine(a: tuple[Counter[str], float], b: tuple[Counter[str], float]) -> float:
    (one, length), (other, width) = a, b
    if len(one) > len(other):
        one, other = other, one
    dot = sum(n * other[piece] for piece, n in one.items() if piece in other)
    return dot / (length * width) if dot else 0.0


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a & b else 0.0

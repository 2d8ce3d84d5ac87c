"""Finds short rules "these words, therefore this action" in situations whose outcome is known.

Each situation counts once, however often it was tried. A rule's score is how much better it
explains the outcomes than guessing among the actions would; it assumes that about one action is
right in a situation, so a failed action speaks a little for all others. It works on words alone:
no synonym, no number as a quantity, no rule of more than two cues.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .text import Features

NOISE: Final = 0.05
"""Share of situations in which a good rule may fail."""

SINGLE_COST: Final = 2.0
"""Score that a rule of one cue must exceed; it keeps chance words out."""

PAIR_COST: Final = 3.0
"""The same for a rule of two cues, of which there are many more."""

PRECISION: Final = 0.75
"""Share of known outcomes, smoothed, that must agree with a rule."""

MOST_RULES: Final = 24
_MOST_PAIR_CUES: Final = 40
_CLASH_COST: Final = 1.0
_DIRECT: Final = 2


@dataclass(slots=True)
class Case:
    """A situation and what is known of it: the action that was right, those that were wrong."""

    features: Features
    right: str | None = None
    wrong: set[str] = field(default_factory=set)
    evidence: list[tuple[int, str, bool]] = field(default_factory=list)

    def loglik(self, action: str, count: int) -> float:
        """How much better "action is right here" explains the outcomes than a guess among `count`."""
        if self.right == action:
            return math.log((1 - NOISE) * count)
        if self.right is not None:
            return math.log(NOISE * count / (count - 1))
        if action in self.wrong:
            return math.log(NOISE)
        return math.log(count / max(1, count - len(self.wrong)))


@dataclass(frozen=True, slots=True)
class Rule:
    """All cues seen and no exception: the action."""

    cues: tuple[str, ...]
    action: str
    exceptions: tuple[str, ...] = ()

    def covers(self, found: Features) -> bool:
        """Whether the rule applies to a situation with these features."""
        return all(c in found for c in self.cues) and not any(e in found for e in self.exceptions)


class Inducer:
    """One induction over a list of cases; bit masks stand for sets of cases."""

    def __init__(
        self, cases: Sequence[Case], actions: Sequence[str], favoured: Iterable[tuple[str, ...]]
    ) -> None:
        self.cases = cases
        self.actions = tuple(actions)
        self.count = max(2, len(self.actions))
        self.favoured = frozenset(favoured)
        self.everyone = (1 << len(cases)) - 1
        self.masks: dict[str, int] = {}
        for place, case in enumerate(cases):
            for feature in sorted(case.features):
                self.masks[feature] = self.masks.get(feature, 0) | 1 << place
        self.known = self._mask(lambda case: case.right is not None)
        self.right = {a: self._mask(lambda case, a=a: case.right == a) for a in self.actions}
        self.wrong = {
            a: self._mask(lambda case, a=a: case.right is None and a in case.wrong)
            for a in self.actions
        }
        tried = Counter(len(c.wrong) for c in cases if c.right is None)
        self.tried = {
            n: self._mask(lambda case, n=n: case.right is None and len(case.wrong) == n)
            for n in sorted(tried)
        }
        self.order = self._order_of_appearance()

    def _mask(self, test: object) -> int:
        mask = 0
        for place, case in enumerate(self.cases):
            if test(case):  # type: ignore[operator]
                mask |= 1 << place
        return mask

    def _order_of_appearance(self) -> dict[str, int]:
        order: dict[str, int] = {}
        for case in self.cases:
            for feature in sorted(case.features):
                order.setdefault(feature, len(order))
        return order

"""The ledger: what is added up of the trials of each lesson, whole or a round at a time.

Within one round, given how many episodes had the lesson, which ones had it is a fair draw: the coin
knew nothing of them. So the sum of (with or without, less the share that had it) x (outcome, less
the mean) has mean zero if the lesson does nothing, and a variance known from the draw alone. Rounds
add up. How its instance did in earlier rounds tells more than the mean of the round, so that is
taken off an outcome first; known beforehand, it biases nothing.

The statistic is the stratified difference of Mantel and Haenszel (1959), its variance that of the
permutation test. Sums are all that is kept, so results do not depend on the order of commits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .trials import Trial, Trials

if TYPE_CHECKING:
    import numpy as np

    from .trials import Floats, Ints

    Sums = np.ndarray[tuple[int, int], np.dtype[np.float64]]

IN, OUT, GOOD_IN, GOOD_OUT, MISSED, TOKENS, SCORE, SPREAD, VAR, VAR_1, VAR_2 = range(11)
"""The columns: outcomes seen with and without the lesson, and their sums; outcomes missing; tokens
injected where outcomes are seen; the score S and the spread D, of which S / D is the difference;
and the variance of S - t·D, the score under a difference of t: VAR - 2·t·VAR_1 + t²·VAR_2."""
_COLUMNS = 11
_PRIOR = 2.0
"""Trials that the mean of all weighs in what is expected of an instance; an episode in which
several lessons were tossed for is as many."""


class Ledger:
    """Sums by lesson. Rounds are added once each, in their order; within one, order is nothing."""

    def __init__(self) -> None:
        import numpy as np

        self._numbers: dict[str, int] = {}
        self._units: dict[str, int] = {}
        self._sums: Sums = np.zeros((0, _COLUMNS))
        self._past: Sums = np.zeros((0, 2))
        """By unit: outcomes of earlier rounds, one for each trial, how many and their sum."""
        self.rounds: int | None = None
        """The last round added."""

    @classmethod
    def of(cls, rows: Iterable[Trial]) -> Ledger:
        """The sums of `rows`, of any rounds in any order, at once."""
        ledger = cls()
        trials = Trials.of(rows, ledger._numbers, ledger._units)
        if len(trials):
            ledger._take(trials, _expected_over_rounds(trials))
        return ledger

    @property
    def lessons(self) -> tuple[str, ...]:
        """The lessons met, in the order of the rows of `sums`."""
        return tuple(self._numbers)

    @property
    def sums(self) -> Sums:
        """By lesson and column."""
        return self._sums[: len(self._numbers)]

    def add(self, rows: Iterable[Trial]) -> None:
        """Add the trials of one round, later than those before.

        Raises:
            ValueError: They are of several rounds, or of one that is added already.
        """
        trials = Trials.of(rows, self._numbers, self._units)
        if not len(trials):
            return
        first, last = int(trials.round.min()), int(trials.round.max())
        if first != last or (self.rounds is not None and first <= self.rounds):
            raise ValueError(f"one later round at a time: {first} to {last} after {self.rounds}")
        self._past = _grown(self._past, len(self._units))
        n, total = self._past.sum(axis=0)
        found = self._past[trials.unit]
        mean = total / n if n else 0.0
        self._take(trials, (_PRIOR * mean + found[:, 1]) / (_PRIOR + found[:, 0]))

    def _take(self, trials: Trials, expected: Floats) -> None:
        """Add what the outcomes are beside those that were expected."""
        import numpy as np

        self._sums = _grown(self._sums, len(self._numbers))
        self._past = _grown(self._past, len(self._units))
        seen = np.flatnonzero(~np.isnan(trials.outcome))
        _count(self._sums, trials, seen)
        _score(self._sums, trials, seen, expected)
        np.add.at(self._past[:, 0], trials.unit[seen], 1.0)
        np.add.at(self._past[:, 1], trials.unit[seen], trials.outcome[seen])
        self.rounds = int(trials.round.max())


def _grown(rows: Sums, wanted: int) -> Sums:
    """`rows` with room for as many as are `wanted`, and for as many again."""
    import numpy as np

    if len(rows) >= wanted:
        return rows
    return np.concatenate((rows, np.zeros((2 * wanted - len(rows), rows.shape[1]))))


def _count(sums: Sums, trials: Trials, seen: Ints) -> None:
    import numpy as np

    def add(column: int, rows: Ints | slice, weights: Floats) -> None:
        np.add.at(sums[:, column], trials.lesson[rows], weights)

    inside, outcome = trials.inside[seen], trials.outcome[seen]
    add(IN, seen, inside)
    add(OUT, seen, 1.0 - inside)
    add(GOOD_IN, seen, inside * outcome)
    add(GOOD_OUT, seen, (1.0 - inside) * outcome)
    add(TOKENS, seen, inside * trials.tokens[seen])
    add(MISSED, slice(None), np.isnan(trials.outcome).astype(np.float64))


def _score(sums: Sums, trials: Trials, seen: Ints, expected: Floats) -> None:
    """Score, spread and variances by stratum: round, lesson and chance."""
    import numpy as np

    if not len(seen):
        return
    lesson, inside = trials.lesson[seen], trials.inside[seen]
    left = trials.outcome[seen] - expected[seen]
    _, chance = np.unique(trials.chance[seen], return_inverse=True)
    number = trials.round[seen] - trials.round[seen].min()
    key = (number * (int(chance.max()) + 1) + chance) * len(sums) + lesson
    _, first, stratum = np.unique(key, return_index=True, return_inverse=True)
    n = np.bincount(stratum).astype(np.float64)
    share = np.bincount(stratum, inside) / n
    mean = np.bincount(stratum, left) / n
    off, gap = inside - share[stratum], left - mean[stratum]
    score = np.bincount(stratum, off * gap)
    spread = np.bincount(stratum, off * off)
    scale = spread / np.maximum(n - 1.0, 1.0)
    columns = (
        score,
        spread,
        scale * np.bincount(stratum, gap * gap),
        scale * score,
        scale * spread,
    )
    for column, values in zip((SCORE, SPREAD, VAR, VAR_1, VAR_2), columns, strict=True):
        np.add.at(sums[:, column], lesson[first], values)


def _expected_over_rounds(trials: Trials) -> Floats:
    """What each outcome was expected to be by the rounds before its own; units start unknown."""
    import numpy as np

    seen = ~np.isnan(trials.outcome)
    known, outcome = seen.astype(np.float64), np.where(seen, trials.outcome, 0.0)
    _, number = np.unique(trials.round, return_inverse=True)
    by_round = np.bincount(number, known), np.bincount(number, outcome)
    n, total = (np.cumsum(x) - x for x in by_round)
    mean = np.divide(total, n, out=np.zeros_like(total), where=n > 0)[number]
    # Cells of unit and round, ordered so that those of a unit stand together, the earliest first.
    cell_key, cell = np.unique(trials.unit * (int(number.max()) + 1) + number, return_inverse=True)
    unit = cell_key // (int(number.max()) + 1)
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    lengths = np.diff(starts, append=len(unit))

    def before(values: Floats) -> Floats:
        sums = np.bincount(cell, values).astype(np.float64)
        running: Floats = np.cumsum(sums) - sums
        result: Floats = (running - np.repeat(running[starts], lengths))[cell]
        return result

    expected: Floats = (_PRIOR * mean + before(outcome)) / (_PRIOR + before(known))
    return expected

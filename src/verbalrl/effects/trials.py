"""Trials: one lesson, one episode in which its condition held, and what the coin said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
    Truths = np.ndarray[tuple[int], np.dtype[np.bool_]]
    Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


SHARE, LEAST = 0.1, 3
"""Of what all others have in a test, one source counts for a tenth, but for three at least."""


class Trial(NamedTuple):
    """One episode in which a lesson was tossed for."""

    lesson: str
    """What was under test: the content of its text, and the role that read it."""
    round: int
    """Looks are taken between rounds; in serving, the number of the week."""
    unit: str
    """The instance, which may come again in later rounds."""
    inside: bool
    """Whether the coin let it in, even if something else then kept it out: what is tested is the
    decision to offer the lesson."""
    chance: float
    """With which the coin lets it in."""
    outcome: float | None
    """Success as 0 or 1, else the reward; None: it broke, or nobody judged it."""
    tokens: int = 0
    """What the lesson took of the prompt."""


def bounded(rows: Iterable[tuple[Trial, str | None]]) -> list[Trial]:
    """The trials of `rows`, each with the name of who judged it, of which nobody has too many.

    Of a lesson's trials in a round no source has more than `SHARE` of those of all others, or
    `LEAST`. The first ones count, whatever came of them, so that the coin stays a fair one; those
    that nobody judged are bounded apart. What has no name is not bounded.
    """
    rows = list(rows)
    keys = [(trial.lesson, trial.round, trial.outcome is None) for trial, _ in rows]
    whole = Counter(keys)
    of_source = Counter((key, source) for key, (_, source) in zip(keys, rows, strict=True))
    taken: Counter[tuple[object, str]] = Counter()
    found: list[Trial] = []
    for key, (trial, source) in zip(keys, rows, strict=True):
        if source is not None:
            most = max(LEAST, int(SHARE * (whole[key] - of_source[key, source])))
            taken[key, source] += 1
            if taken[key, source] > most:
                continue
        found.append(trial)
    return found


@dataclass(frozen=True, slots=True)
class Trials:
    """Many trials as columns, all of length n; lessons and units by number."""

    lesson: Ints
    round: Ints
    unit: Ints
    inside: Floats
    """0 or 1."""
    chance: Floats
    outcome: Floats
    """NaN where it is missing."""
    tokens: Ints

    def __len__(self) -> int:
        return len(self.lesson)

    @classmethod
    def of(cls, rows: Iterable[Trial], lessons: dict[str, int], units: dict[str, int]) -> Trials:
        """`rows` as columns; names not met before get the next number in `lessons` and `units`."""
        import numpy as np

        columns: tuple[tuple[Any, ...], ...] = tuple(zip(*rows, strict=True)) or ((),) * 7
        names, rounds, where, inside, chance, outcome, tokens = columns
        for known, met in ((lessons, names), (units, where)):
            for name in dict.fromkeys(met):
                known.setdefault(name, len(known))
        return cls(
            np.fromiter(map(lessons.__getitem__, names), np.int64, len(names)),
            np.fromiter(rounds, np.int64, len(names)),
            np.fromiter(map(units.__getitem__, where), np.int64, len(names)),
            np.fromiter(inside, np.float64, len(names)),
            np.fromiter(chance, np.float64, len(names)),
            np.array(outcome, dtype=np.float64),
            np.fromiter(tokens, np.int64, len(names)),
        )

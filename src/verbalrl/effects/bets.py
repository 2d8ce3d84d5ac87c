"""Bets: evidence that may be looked at after every round, and intervals that always hold.

A mixture of bets on every size of the effect, weighted by a normal curve, multiplies a stake by
exp(S² / 2(V + r)) · sqrt(r / (V + r)). If there is no effect the stake does not grow on average,
whenever one looks; so a stake of 1 reaches x with a chance of at most 1/x (Ville). Robbins (1970);
the one-sided form is Howard et al. 2021 (arXiv 1810.08240), proposition 6. With the variance of the
permutations for V this holds as strata become many ("asymptotic", Waudby-Smith et al., arXiv
2103.06476); `benchmarks.effect` shows what is left of it with few.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trials import Floats, Truths

RESERVE = 0.5
"""r, in squared outcomes: bets are sharpest once the variance is some ten times this, which takes
about 130 episodes of success at even odds with a fifth withheld. It keeps the first few quiet."""


def stakes(score: Floats, variance: Floats) -> Floats:
    """What a stake of 1 on "it helps" has become, as a natural logarithm; `-score`: "it harms"."""
    import numpy as np

    room = variance + RESERVE
    at = score / np.sqrt(room)
    grown: Floats = np.log(2.0) + 0.5 * np.log(RESERVE / room) + at * at / 2 + _log_normal(at)
    return grown


def half_widths(variance: Floats, level: float) -> Floats:
    """How far from the score a mean of it may lie that `level` does not rule out, at any look."""
    import numpy as np

    room = variance + RESERVE
    width: Floats = np.sqrt(room * (2 * np.log(1 / level) + np.log(room / RESERVE)))
    return width


def discoveries(log_stakes: Floats, family: int, level: float) -> Truths:
    """True for the claims that e-BH makes among `family`: the false share of them stays at `level`.

    Wang and Ramdas 2022 (arXiv 2009.02824): the k largest, for the largest k with all of them at
    least family / (k · level); under any dependence between the lessons.
    """
    import numpy as np

    order = np.argsort(-log_stakes, kind="stable")
    needed = np.log(family / (np.arange(1, len(order) + 1) * level))
    enough = np.flatnonzero(log_stakes[order] >= needed)
    made: Truths = np.zeros(len(order), dtype=bool)
    if len(enough):
        made[order[: int(enough[-1]) + 1]] = True
    return made


def _log_normal(x: Floats) -> Floats:
    """The logarithm of the standard normal distribution function; fit for x far below zero."""
    import numpy as np

    def one(value: float) -> float:
        if value > -30:
            return math.log(0.5 * math.erfc(-value / math.sqrt(2)))
        return -value * value / 2 - math.log(-value) - 0.5 * math.log(2 * math.pi)

    return np.array([one(float(v)) for v in x])

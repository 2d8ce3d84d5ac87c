"""Measures of daily trading: returns, Sharpe, drawdown, tail loss, turnover, a paired test.

Pure functions. A *result* is the profit or loss of one day as a share of the capital at its start;
a *position* is the signed share of the capital that is invested (1 long, 0 out, -1 short).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

DAYS = 252
"""Trading days of a year."""
ALPHA = 0.01
"""The tail of CVaR in FinCon (section 3.3 of the paper)."""
_EXACT = 25
"""Pairs up to which the signed-rank test counts all signs, as long as their ranks are whole."""


def log_return(closes: Sequence[float], positions: Sequence[float]) -> float:
    """FinCon's cumulative return: the sum of ln(p[t+1] / p[t]) times the position of day t.

    Without costs and not compounded for shorts; the share, not percent.

    Raises:
        ValueError: There is not one close more than positions.
    """
    if len(closes) != len(positions) + 1:
        raise ValueError(f"{len(positions)} positions need {len(positions) + 1} closes")
    pairs = zip(closes, closes[1:], positions, strict=False)
    return math.fsum(position * math.log(after / before) for before, after, position in pairs)


def compounded(results: Sequence[float]) -> float:
    """What the capital has grown by: the product of 1 + result, less 1."""
    return math.prod(1 + result for result in results) - 1


def sharpe(results: Sequence[float], risk_free: float = 0.0, days: int = DAYS) -> float:
    """The mean result above `risk_free` (a day) by its standard deviation, over a year's root.

    The deviation is that of a sample (n - 1). 0 where the results do not differ or are fewer than
    two.
    """
    if len(results) < 2 or min(results) == max(results):
        return 0.0
    mean = math.fsum(results) / len(results)
    spread = math.sqrt(math.fsum((r - mean) ** 2 for r in results) / (len(results) - 1))
    return (mean - risk_free) / spread * math.sqrt(days)


def max_drawdown(results: Sequence[float]) -> float:
    """The deepest fall of the capital from a peak before it, as a share of that peak (0 to 1).

    What was earned before the peak does not show in it, not even in its last digit.
    """
    of_peak, deepest = 1.0, 0.0
    for result in results:
        of_peak = min(1.0, of_peak * (1 + result))
        deepest = max(deepest, 1 - of_peak)
    return deepest


def cvar(results: Sequence[float], alpha: float = ALPHA) -> float:
    """The mean of the worst `alpha` of the results: the results at or below the VaR.

    At least one counts, so with fewer than 2/alpha days this is the worst day; 0 without a day.
    """
    if not results:
        return 0.0
    count = max(1, math.floor(len(results) * alpha + 1e-9))
    return math.fsum(sorted(results)[:count]) / count


def turnover(weights: Sequence[Sequence[float]]) -> float:
    """The mean daily change of the weights, summed over assets; the start is all in cash."""
    if not weights:
        return 0.0
    before: Sequence[float] = [0.0] * len(weights[0])
    total = 0.0
    for now in weights:
        total += math.fsum(abs(a - b) for a, b in zip(now, before, strict=True))
        before = now
    return total / len(weights)


def signed_rank(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Wilcoxon's signed-rank test of paired runs: the smaller rank sum, and the two-sided chance.

    Pairs that are equal are left out; equal differences share their mean rank. The chance counts
    all signs exactly up to 25 pairs, ties included; beyond it is the normal approximation with the
    correction for ties. 1.0 where nothing differs.

    Raises:
        ValueError: The two are not as many.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True) if a != b]
    if not differences:
        return 0.0, 1.0
    ranks = _ranks([abs(d) for d in differences])
    total = sum(ranks)
    above = sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0)
    smaller = min(above, total - above)
    if len(ranks) <= _EXACT:
        return smaller, _exact_chance(ranks, smaller)
    n = len(ranks)
    ties = sum(count**3 - count for count in Counter(ranks).values())
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)
    return smaller, math.erfc((total / 2 - smaller) / spread / math.sqrt(2))


def _ranks(sizes: Sequence[float]) -> list[float]:
    """The ranks of `sizes` from 1; equal ones share the mean of theirs."""
    ordered = sorted(sizes)
    first = {size: place for place, size in reversed(list(enumerate(ordered, start=1)))}
    counts = Counter(ordered)
    return [first[size] + (counts[size] - 1) / 2 for size in sizes]


def _exact_chance(ranks: Sequence[float], smaller: float) -> float:
    """How often random signs give a rank sum this small or, on the other side, this large."""
    # Shared ranks are halves, so twice a rank is whole.
    ways = Counter({0: 1})
    for rank in ranks:
        moved = Counter({value + round(2 * rank): n for value, n in ways.items()})
        ways = ways + moved
    tail = sum(n for value, n in ways.items() if value <= round(2 * smaller))
    return float(min(1.0, 2 * tail / 2 ** len(ranks)))

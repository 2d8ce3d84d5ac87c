"""Intervals and rates over instances (design section 13). Pure; numpy is imported on use.

The unit is the instance: seeds of one instance are averaged first, then instances are resampled.
Resampling episodes as if they were independent would make every interval too narrow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

DRAWS = 2_000
_SEED = 20_260_101
EXACT = 1_000
"""Instances up to which a test counts all ways in which signs can fall, and draws are made one by
one.
"""
LEVEL = 0.05
_Z = 1.959964
_SAME = 1e-12
_STEPS = 2_520
_SEEDS = 1_000
"""The most that a difference may be a mean of."""
_WIDEST = 200_000
_FEW = 64
"""The most different values of which it is drawn how often each falls."""
_AT_ONCE = 1 << 16
"""Values that are drawn at a time."""


Ends = tuple[float, float]
RATES: Ends = (0.0, 1.0)
DIFFERENCES: Ends = (-1.0, 1.0)


class Interval(NamedTuple):
    """A mean with its 95 % interval over `n` instances: percentiles of the bootstrap.

    Draws of values that are all alike are alike, so the bootstrap would be sure of what it cannot
    know; `agreed` has what takes its place.
    """

    mean: float
    low: float | None
    """None where nothing can be said: of one instance, or of equal values without ends."""
    high: float | None
    n: int

    @property
    def pair(self) -> tuple[float, float] | None:
        """Both ends with four digits; None where there are none."""
        if self.low is None or self.high is None:
            return None
        return round(self.low, 4), round(self.high, 4)


def interval(per_instance: Sequence[float], ends: Ends | None = RATES) -> Interval | None:
    """The mean of `per_instance`, which lie between `ends`, with its interval.

    None without values; without `ends` the values may be anything.
    """
    return intervals((per_instance,), ends)[0]


def intervals(
    samples: Sequence[Sequence[float]], ends: Ends | None = RATES
) -> tuple[Interval | None, ...]:
    """Each of `samples` as `interval` has it; what has the same length is drawn for once."""
    import numpy as np

    whole = {i: agreed(sample, ends) for i, sample in enumerate(samples) if _alike(sample)}
    found = dict(whole)
    for n in sorted({len(sample) for i, sample in enumerate(samples) if i not in whole} - {0}):
        alike = [i for i, x in enumerate(samples) if len(x) == n and i not in whole]
        values = [np.asarray(samples[i], dtype=float) for i in alike]
        for i, here, means in zip(alike, values, _means(values), strict=True):
            low, high = np.percentile(means, (2.5, 97.5))
            found[i] = Interval(float(here.mean()), float(low), float(high), n)
    return tuple(found.get(i) for i in range(len(samples)))


def agreed(values: Sequence[float], ends: Ends | None) -> Interval:
    """The interval of values that are all the same.

    Of n instances none differs from the others, so by Wilson's score interval ("Probable
    Inference", 1927) at most z² / (n + z²) of all do; their values lie between `ends`, which gives
    the ends of the mean. Of a rate of 0 or 1 this is Wilson's interval itself.
    """
    n, mean = len(values), float(values[0])
    if n < 2 or ends is None:
        return Interval(mean, None, None, n)
    others = _Z * _Z / (n + _Z * _Z)
    low, high = (mean + others * (end - mean) for end in ends)
    return Interval(mean, low, high, n)


def _alike(values: Sequence[float]) -> bool:
    return len(values) > 0 and max(values) - min(values) < _SAME


def _means(values: Sequence[Floats]) -> list[Floats]:
    """Of each of `values`, all of length n, the means of `DRAWS` draws of n."""
    counted = [_counted(of) if len(of) > EXACT else None for of in values]
    rest = [of for of, means in zip(values, counted, strict=True) if means is None]
    drawn = iter(_drawn(rest) if rest else ())
    return [next(drawn) if means is None else means for means in counted]


def _counted(of: Floats) -> Floats | None:
    """The means of draws of many that have few values; None where they have not.

    How often each value is drawn is multinomial: the same bootstrap, without a draw of each.
    """
    import numpy as np

    values, counts = np.unique(of, return_counts=True)
    if len(values) > _FEW:
        return None
    # In an order that does not turn with all signs: one less the other mirrors the other less one.
    order = np.lexsort((np.abs(values), counts))
    values, counts = values[order], counts[order]
    rng = np.random.default_rng(_SEED)
    means: Floats = rng.multinomial(len(of), counts / len(of), size=DRAWS) @ values / len(of)
    return means


def _drawn(values: Sequence[Floats]) -> list[Floats]:
    """Of each of `values`, all of length n, the means of the same `DRAWS` draws of n."""
    import numpy as np

    n = len(values[0])
    rng = np.random.default_rng(_SEED)
    # The draws come one after the other from the generator however many are asked for at once, so
    # a few rows at a time give the same means; all of 5,000 instances would take 160 MB.
    rows = max(1, _AT_ONCE // n)
    means: list[list[Floats]] = [[] for _ in values]
    for done in range(0, DRAWS, rows):
        drawn = rng.integers(0, n, size=(min(rows, DRAWS - done), n))
        for here, of in zip(values, means, strict=True):
            of.append(here.take(drawn).mean(axis=1))
    return [np.concatenate(of) for of in means]


def mean_by_instance(values: Mapping[tuple[str, int], float]) -> dict[str, float]:
    """`values` by (instance, seed) → the mean over seeds by instance, in sorted order."""
    ordered = sorted(values)
    alone = {key[0]: values[key] for key in ordered}
    if len(alone) == len(ordered):
        # Of one seed, which is the usual case, there is no mean to take.
        return alone
    grouped: dict[str, list[float]] = {}
    for key in ordered:
        grouped.setdefault(key[0], []).append(values[key])
    return {instance: sum(found) / len(found) for instance, found in grouped.items()}


def paired_difference(
    ours: Mapping[tuple[str, int], float], theirs: Mapping[tuple[str, int], float]
) -> Interval | None:
    """The mean of ours minus theirs, rates both, over the instances and seeds that both have."""
    return interval(differences(ours, theirs), DIFFERENCES)


def differences(
    ours: Mapping[tuple[str, int], float], theirs: Mapping[tuple[str, int], float]
) -> list[float]:
    """Ours minus theirs by instance, in sorted order, of the instances and seeds that both have."""
    # In the order that rows came in, which is mostly sorted: a set would have to be sorted anew.
    apart = {key: value - theirs[key] for key, value in ours.items() if key in theirs}
    return list(mean_by_instance(apart).values())


def shared_mean(
    ours: Mapping[tuple[str, int], float], theirs: Mapping[tuple[str, int], float]
) -> float | None:
    """The mean of ours over what `differences` pairs with theirs; None where they share nothing.

    The mean of all of ours is over other instances where the two do not have the same.
    """
    means = mean_by_instance({key: value for key, value in ours.items() if key in theirs})
    return math.fsum(means.values()) / len(means) if means else None


def paired_chance(
    ours: Mapping[tuple[str, int], float], theirs: Mapping[tuple[str, int], float]
) -> float | None:
    """How often chance alone makes a mean difference as large as that of ours and theirs.

    A two-sided sign-flip test over instances: where the arms do not differ, the difference of an
    instance, averaged over its seeds, has either sign alike. Exact up to `EXACT` instances, for
    outcomes of 0 and 1; differences without a common denominator, as of other rewards, are rounded
    to 1/2520. Beyond, the normal approximation. One tail is half of it. None where they share
    nothing.
    """
    return sign_flip(differences(ours, theirs))


def sign_flip(means: Sequence[float]) -> float | None:
    """What `paired_chance` gives for these differences of instances; None without any."""
    if not means:
        return None
    steps = _whole(means)
    unit = math.gcd(*steps)
    sizes = [abs(step) // unit for step in steps if step] if unit else []
    seen = abs(sum(steps)) // unit if unit else 0
    if not seen:
        return 1.0
    if len(sizes) > EXACT or sum(sizes) > _WIDEST:
        spread = math.sqrt(2 * sum(size * size for size in sizes))
        return math.erfc(seen / spread)
    return _flipped(sizes, seen)


def _whole(means: Sequence[float]) -> list[int]:
    """`means` as multiples of one step, so that sums which are equal are equal."""
    # Of thousands of instances only a few differ.
    often = Counter(means)
    known = {mean: Fraction(mean).limit_denominator(_SEEDS) for mean in often}
    shared = math.lcm(*(f.denominator for f in known.values()))
    steps = {mean: round(f * shared) for mean, f in known.items()}
    if sum(abs(steps[mean]) * n for mean, n in often.items()) > _WIDEST:
        steps = {mean: round(f * _STEPS) for mean, f in known.items()}
    return [steps[mean] for mean in means]


def shown_by(difference: float, chance: float) -> str:
    """What a comparison shows: `gain`, `loss` or `neither`, at 5 % two-sided.

    So a method that changes nothing is reported as a gain in at most 2.5 % of all tables.
    """
    if chance >= LEVEL:
        return "neither"
    return "gain" if difference > 0 else "loss"


def _flipped(sizes: Sequence[int], seen: int) -> float:
    """The chance that sizes with random signs add up to `seen` or more, or to as much below 0."""
    import numpy as np

    chances = np.ones(1)
    for size in sizes:
        # The sum so far moves by size up or down; places stand for sums from the lowest.
        longer = np.zeros(len(chances) + 2 * size)
        longer[: len(chances)] += chances / 2
        longer[2 * size :] += chances / 2
        chances = longer
    middle = sum(sizes)
    tail = float(chances[middle + seen :].sum())
    return min(1.0, 2 * tail)


def smallest_effect(instances: int, seeds: int = 1) -> float:
    """The smallest paired difference of success rates that is shown with 80 % power.

    Two-sided at 5 %: (1.96 + 0.84) · sd / √instances. The difference of one instance has variance
    2·p·(1 - p) with p = .5, the worst case for arms that are independent given the instance; the
    mean over seeds, correlated by .5, has the share (1 + 1/seeds)/2 of it.
    """
    variance = 0.5 * (1 + 1 / seeds) / 2
    return (_Z + 0.841621) * math.sqrt(variance / instances)

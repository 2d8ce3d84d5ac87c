"""From past returns to portfolio weights: mean-variance and minimum variance, with shrinkage.

Pure functions over arrays; numpy is imported on use. Returns are (days, assets), oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

AVERSION = 5.0
"""How much a unit of variance weighs against one of expected return."""
_STEPS = 300
_CLOSE = 1e-12
_LEAST = 3
"""Days below which nothing is estimated and weights are equal."""


def shrunk_covariance(returns: Array) -> Array:
    """The covariance, shrunk towards equal variances (Ledoit and Wolf 2004, section 3).

    The share of the target is the estimate of that paper, between 0 and 1.
    """
    import numpy as np

    days, assets = returns.shape
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / days
    target = np.eye(assets) * np.trace(sample) / assets
    apart = float(((sample - target) ** 2).sum())
    if apart <= _CLOSE**2:
        return np.asarray(target)
    # The mean squared distance of one day's outer product from the sample covariance.
    noise = float(((centred**2).T @ (centred**2) / days - sample**2).sum()) / days
    share = min(1.0, max(0.0, noise / apart))
    return np.asarray(share * target + (1 - share) * sample)


def shrunk_mean(returns: Array) -> Array:
    """The mean return of each asset, shrunk towards that of all (James and Stein's factor)."""
    import numpy as np

    days, assets = returns.shape
    means = returns.mean(axis=0)
    middle = float(means.mean())
    apart = float(((means - middle) ** 2).sum())
    if assets < 4 or apart <= _CLOSE**2:
        # With fewer than four assets the factor is not positive; half is a plain compromise.
        return np.asarray((means + middle) / 2)
    noise = float(returns.var(axis=0).mean()) / days
    kept = max(0.0, 1 - (assets - 3) * noise / apart)
    return np.asarray(middle + kept * (means - middle))


def mean_variance(
    returns: Array, directions: Sequence[int], aversion: float = AVERSION
) -> tuple[float, ...]:
    """Weights in the given directions (1 up, 0 out, -1 down) whose sizes add up to 1.

    As in FinCon (section 3.2.2): the direction is decided elsewhere, past returns decide how much.
    An asset is expected to move in its direction by the size of its shrunk mean. All 0 where every
    direction is 0; equal where the past is shorter than three days.
    """
    import numpy as np

    chosen = [n for n, direction in enumerate(directions) if direction]
    weights = [0.0] * len(directions)
    if not chosen:
        return tuple(weights)
    signs = np.array([directions[n] for n in chosen], dtype=float)
    if len(chosen) == 1 or len(returns) < _LEAST:
        sizes = np.full(len(chosen), 1 / len(chosen))
    else:
        covariance = shrunk_covariance(returns)[np.ix_(chosen, chosen)] * np.outer(signs, signs)
        sizes = on_simplex(np.abs(shrunk_mean(returns))[chosen], covariance, aversion)
    for place, number in enumerate(chosen):
        weights[number] = float(sizes[place] * signs[place])
    return tuple(weights)


def long_only(returns: Array, aversion: float = AVERSION) -> tuple[float, ...]:
    """The mean-variance weights of a buyer who has no view but the past."""
    import numpy as np

    if len(returns) < _LEAST:
        return tuple([1 / returns.shape[1]] * returns.shape[1])
    found = on_simplex(shrunk_mean(returns), shrunk_covariance(returns), aversion)
    return tuple(float(weight) for weight in np.asarray(found))


def minimum_variance(returns: Array) -> tuple[float, ...]:
    """The weights, none negative, whose past variance is least."""
    import numpy as np

    if len(returns) < _LEAST:
        return tuple([1 / returns.shape[1]] * returns.shape[1])
    found = on_simplex(np.zeros(returns.shape[1]), shrunk_covariance(returns), 1.0)
    return tuple(float(weight) for weight in found)


def on_simplex(gains: Array, covariance: Array, aversion: float) -> Array:
    """The sizes, none negative and together 1, that maximise gain less aversion/2 × variance.

    By projected gradient with a step that the largest curvature allows.
    """
    import numpy as np

    sizes = np.full(len(gains), 1 / len(gains))
    curvature = aversion * float(np.linalg.eigvalsh(covariance)[-1])
    if curvature <= _CLOSE:
        best = np.zeros(len(gains))
        best[int(np.argmax(gains))] = 1.0
        return best if float(np.ptp(gains)) > _CLOSE else sizes
    for _ in range(_STEPS):
        after = _projected(sizes + (gains - aversion * covariance @ sizes) / curvature)
        moved = float(np.abs(after - sizes).max())
        sizes = after
        if moved < _CLOSE:
            break
    return sizes


def _projected(point: Array) -> Array:
    """The nearest point whose parts are not negative and add up to 1."""
    import numpy as np

    ordered = np.sort(point)[::-1]
    beyond = (np.cumsum(ordered) - 1) / np.arange(1, len(point) + 1)
    kept = int(np.nonzero(ordered > beyond)[0][-1])
    return np.asarray(np.maximum(point - beyond[kept], 0.0))

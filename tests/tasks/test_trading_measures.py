"""Measures of trading on a fixed series, against values worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from verbalrl.tasks import trading_measures as measured
from verbalrl.tasks import weights

CLOSES = (100.0, 110.0, 99.0, 108.9, 98.01)
"""Up a tenth, down a tenth, up, down."""
RESULTS = (0.1, -0.1, 0.1, -0.1)


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-9, rel=1e-9)


def test_the_log_sum_is_that_of_the_paper() -> None:
    # Long over +10 %, short over -10 %, out, long over -10 %: ln 1.1 - ln .9 + 0 + ln .9.
    assert measured.log_return(CLOSES, (1, -1, 0, 1)) == near(math.log(1.1))
    assert measured.log_return(CLOSES, (1, 1, 1, 1)) == near(math.log(0.9801))
    with pytest.raises(ValueError, match="2 positions need 3 closes"):
        measured.log_return(CLOSES, (1, 1))


def test_compounding_multiplies() -> None:
    assert measured.compounded(RESULTS) == near(0.9801 - 1)
    assert measured.compounded(()) == 0.0


def test_sharpe_is_mean_by_sample_deviation_over_a_year() -> None:
    # 1, 2, 3 percent: mean 2, deviation 1, so 2 × √252; with 1 % free half of it.
    assert measured.sharpe((0.01, 0.02, 0.03)) == near(2 * math.sqrt(252))
    assert measured.sharpe((0.01, 0.02, 0.03), 0.01) == near(math.sqrt(252))
    assert measured.sharpe((0.1, 0.1, 0.1)) == measured.sharpe((0.1,)) == 0.0


def test_drawdown_is_from_the_last_peak() -> None:
    # 1.1, .99, 1.089, .9801: deepest .9801 / 1.1.
    assert measured.max_drawdown(RESULTS) == near(1 - 0.9801 / 1.1)
    assert measured.max_drawdown((0.1, 0.2)) == 0.0
    assert measured.max_drawdown((-0.5,)) == near(0.5)


def test_the_same_fall_is_the_same_drawdown_whatever_was_earned_before() -> None:
    fall = (-0.0233, -0.0199, 0.0041)
    found = {measured.max_drawdown((earned, *fall)) for earned in (0.0, 0.0213, 0.03, 0.07)}
    assert len(found) == 1


def test_cvar_is_the_worst_day_until_there_are_enough_days() -> None:
    assert measured.cvar((0.02, -0.03, 0.01)) == near(-0.03)
    days = tuple(n / 1000 for n in range(-100, 100))
    assert measured.cvar(days) == near((-0.1 - 0.099) / 2)
    assert measured.cvar(days[:199]) == near(-0.1)
    assert measured.cvar((-0.4, -0.2, 0.0, 0.2), 0.5) == near(-0.3)
    assert measured.cvar(()) == 0.0


def test_turnover_counts_the_first_purchase() -> None:
    # 1, then 2 (long to short), then 0, then 1 by leaving.
    assert measured.turnover([(1.0,), (-1.0,), (-1.0,), (0.0,)]) == near(1.0)
    assert measured.turnover([(0.5, 0.5), (0.25, 0.75)]) == near(0.75)
    assert measured.turnover([]) == 0.0


def test_signed_rank_on_hand_values() -> None:
    # Differences 1, 2, 3, -4, 5: ranks of the negative side 4; 7 of 32 sign patterns give <= 4.
    ours, theirs = (1, 2, 3, 0, 5), (0, 0, 0, 4, 0)
    assert measured.signed_rank(ours, theirs) == (4.0, near(14 / 32))
    assert measured.signed_rank((1, 2), (1, 2)) == (0.0, 1.0)
    assert measured.signed_rank((1, 2, 3, 4, 5, 6), (0,) * 6) == (0.0, near(2 / 64))


def test_signed_rank_counts_every_sign_with_ties_too() -> None:
    differences = (1.0, 1.0, -1.0, 2.0, 3.0, -0.5)
    smaller, chance = measured.signed_rank(differences, (0.0,) * 6)
    ranks = (3.0, 3.0, 3.0, 5.0, 6.0, 1.0)
    sums = [
        sum(r for r, s in zip(ranks, signs, strict=True) if s)
        for signs in itertools.product((0, 1), repeat=6)
    ]
    assert smaller == 4.0
    assert chance == near(2 * sum(found <= 4.0 for found in sums) / 64)


def test_signed_rank_of_many_is_near_the_exact_one() -> None:
    differences = [((n * 7919) % 1000 - 420) / 100 for n in range(1, 26)]
    _, exact = measured.signed_rank(differences, [0.0] * 25)
    more = [*differences, 1e-9]
    _, normal = measured.signed_rank(more, [0.0] * 26)
    assert normal == pytest.approx(exact, abs=0.03)


def returns(seed: int = 0, days: int = 60, scale: tuple[float, ...] = (1, 2, 3)) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(days, len(scale)))
    return np.asarray(drawn * np.array(scale) / 100)


def test_shrinkage_keeps_the_trace_and_narrows_the_spread() -> None:
    found = returns()
    sample = np.cov(found.T, bias=True)
    shrunk = weights.shrunk_covariance(found)
    assert np.trace(shrunk) == pytest.approx(np.trace(sample))
    assert np.linalg.cond(shrunk) < np.linalg.cond(sample)
    assert np.abs(weights.shrunk_covariance(np.repeat(found, 500, axis=0)) - sample).max() < 1e-5


def test_two_assets_without_correlation_share_by_inverse_variance() -> None:
    covariance = np.diag([1.0, 4.0])
    assert weights.on_simplex(np.zeros(2), covariance, 1.0) == pytest.approx([0.8, 0.2], abs=1e-9)
    # With gains: w1 = (a·s2 + g1 - g2) / (a·(s1 + s2)).
    found = weights.on_simplex(np.array([1.0, 0.0]), covariance, 2.0)
    assert found == pytest.approx([0.9, 0.1], abs=1e-9)
    assert weights.on_simplex(np.array([9.0, 0.0]), covariance, 1.0) == pytest.approx([1.0, 0.0])


def test_directions_set_the_signs_and_sizes_add_up_to_one() -> None:
    found = weights.mean_variance(returns(), (1, -1, 0), aversion=500.0)
    assert found[0] > 0 > found[1]
    assert found[2] == 0.0
    assert sum(map(abs, found)) == pytest.approx(1.0)
    assert weights.mean_variance(returns(), (0, 0, 0)) == (0.0, 0.0, 0.0)
    assert weights.mean_variance(returns()[:2], (1, -1, 0)) == (0.5, -0.5, 0.0)


def test_minimum_variance_prefers_the_calm_asset() -> None:
    found = weights.minimum_variance(returns())
    assert found[0] > found[1] > found[2] >= 0
    assert sum(found) == pytest.approx(1.0)
    assert sum(weights.long_only(returns())) == pytest.approx(1.0)
    assert weights.long_only(returns()[:1]) == weights.minimum_variance(returns()[:1])

"""The ledger adds up what a plain loop does, in any order, whole or round by round."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.effect import plain
from verbalrl.effects import Ledger, bets
from verbalrl.effects.ledger import SCORE, SPREAD, VAR
from verbalrl.effects.trials import LEAST, Trial, bounded

trials = st.builds(
    Trial,
    lesson=st.sampled_from(["a", "b", "c"]),
    round=st.integers(0, 4),
    unit=st.sampled_from(["i", "j", "k", "l"]),
    inside=st.booleans(),
    chance=st.sampled_from([0.5, 0.8]),
    outcome=st.sampled_from([None, 0.0, 1.0, 0.25]),
    tokens=st.integers(0, 40),
)


def by_lesson(ledger: Ledger) -> dict[str, list[float]]:
    return dict(zip(ledger.lessons, ledger.sums.tolist(), strict=True))


def close(a: dict[str, list[float]], b: dict[str, list[float]]) -> bool:
    return a.keys() == b.keys() and all(np.allclose(a[k], b[k], rtol=0, atol=1e-12) for k in a)


@given(st.lists(trials, max_size=60))
def test_it_adds_up_what_a_plain_loop_does(rows: list[Trial]) -> None:
    assert close(by_lesson(Ledger.of(rows)), plain(rows))


@given(st.lists(trials, max_size=60), st.randoms(use_true_random=False))
def test_neither_order_nor_rounds_matter(rows: list[Trial], draw: random.Random) -> None:
    whole = by_lesson(Ledger.of(rows))
    shuffled = draw.sample(rows, len(rows))
    assert close(whole, by_lesson(Ledger.of(shuffled)))
    step = Ledger()
    for number in sorted({r.round for r in rows}):
        step.add(r for r in shuffled if r.round == number)
    assert close(whole, by_lesson(step))


def test_a_round_is_added_once_and_alone() -> None:
    def one(number: int) -> Trial:
        return Trial("a", number, "i", True, 0.8, 1.0)

    ledger = Ledger()
    ledger.add([one(3)])
    for rows in ([one(3)], [one(2)], [one(4), one(5)]):
        with pytest.raises(ValueError, match="one later round at a time"):
            ledger.add(rows)
    ledger.add([])
    assert ledger.rounds == 3


def test_the_score_of_all_draws_has_mean_zero_and_the_variance_that_is_kept() -> None:
    outcomes = [0.0, 1.0, 1.0, 0.0, 1.0]
    scores, kept = [], []
    for chosen in itertools.combinations(range(5), 2):
        rows = [Trial("a", 0, str(i), i in chosen, 0.4, y) for i, y in enumerate(outcomes)]
        row = Ledger.of(rows).sums[0]
        scores.append(row[SCORE])
        kept.append(row[VAR])
    assert sum(scores) == pytest.approx(0)
    assert sum(s * s for s in scores) / len(scores) == pytest.approx(kept[0])
    assert max(kept) == pytest.approx(min(kept))


def test_what_an_instance_did_before_is_taken_off() -> None:
    """Hard and easy instances that come again leave less chance in the difference."""
    draw = random.Random(0)

    def rows(recur: bool) -> list[Trial]:
        return [
            Trial("a", r, f"{i}" if recur else f"{i}.{r}", draw.random() < 0.5, 0.5, float(i % 2))
            for r in range(12)
            for i in range(20)
        ]

    again, never = Ledger.of(rows(True)).sums[0], Ledger.of(rows(False)).sums[0]
    assert again[VAR] / again[SPREAD] < 0.5 * never[VAR] / never[SPREAD]


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_an_interval_ends_where_a_bet_on_either_side_reaches_its_level(level: float) -> None:
    variance = np.array([0.0, 1.0, 40.0])
    room, wide = variance + bets.RESERVE, bets.half_widths(variance, level)
    stake = np.sqrt(bets.RESERVE / room) * np.exp(wide**2 / (2 * room))
    assert stake == pytest.approx([1 / level] * 3)


def test_a_stake_on_nothing_does_not_grow_on_average() -> None:
    """Over every draw of the coins, at even odds, over rounds of eight."""
    outcomes = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    draw = random.Random(1)
    for rounds in (1, 4, 16):
        stakes = []
        for _ in range(400):
            rows = [
                Trial("a", r, f"{r}.{i}", draw.random() < 0.8, 0.8, y)
                for r in range(rounds)
                for i, y in enumerate(outcomes)
            ]
            row = Ledger.of(rows).sums[:1]
            stakes.append(math.exp(bets.stakes(row[:, SCORE], row[:, VAR])[0]))
        spread = float(np.std(stakes)) / math.sqrt(len(stakes))
        assert float(np.mean(stakes)) <= 1 + 3 * spread


def test_no_source_has_more_than_its_share_of_a_test() -> None:
    def trial(n: int, week: int = 0, outcome: float | None = 1.0) -> Trial:
        return Trial("le", week, str(n), n % 2 == 0, 0.5, outcome)

    many = [(trial(n), "mallory") for n in range(50)]
    others = [(trial(n), f"c{n}") for n in range(60)]
    unnamed = [(trial(n), None) for n in range(20)]
    assert bounded([*many, *others, *unnamed]) == [t for t, _ in (*many[:8], *others, *unnamed)]
    assert len(bounded(many)) == LEAST
    # Weeks and what nobody judged count apart.
    apart = [(trial(n, n % 5), "ann") for n in range(15)]
    missing = [(trial(n, 0, None), "ann") for n in range(5)]
    assert len(bounded([*apart, *missing])) == 15 + LEAST

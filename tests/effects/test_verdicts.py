"""Claims are made when enough was risked on them, and say so in words."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from benchmarks.effect import PLANTED, World, null, planted
from verbalrl.effects import Effect, Ledger, Rules, bets, in_words, judge
from verbalrl.effects.trials import Trial


def lived(effect: float, n: int, seed: int = 0, lesson: str = "a", lost: float = 0) -> list[Trial]:
    draw = random.Random(f"{seed} {lesson}")
    rows = []
    for i in range(n):
        inside = draw.random() < 0.8
        right = float(draw.random() < 0.5 + effect * inside)
        outcome = None if draw.random() < lost else right
        rows.append(Trial(lesson, i // 50, f"{i}", inside, 0.8, outcome, 30))
    return rows


def test_what_helps_what_harms_and_what_does_nothing() -> None:
    rows = lived(0.3, 1500, lesson="good") + lived(-0.3, 1500, lesson="bad") + lived(0, 1500)
    found = judge(Ledger.of(rows))
    assert {k: e.finding for k, e in found.items()} == {
        "good": "helps",
        "bad": "harms",
        "a": "undecided",
    }
    for name, truth in (("good", 0.3), ("bad", -0.3), ("a", 0.0)):
        effect = found[name]
        assert effect.low is not None
        assert effect.high is not None
        assert effect.low <= truth <= effect.high
        assert (effect.n, effect.rent) == (1500, 30)
    assert in_words(found["good"]).startswith("helps: +0.")
    assert in_words(found["bad"]).startswith("harms: -0.")


def test_a_lesson_that_was_tried_long_enough_is_idle() -> None:
    rows = lived(0, 1500)
    assert judge(Ledger.of(rows), Rules(idle_after=1000))["a"].finding == "idle"
    assert judge(Ledger.of(rows), Rules(idle_after=0))["a"].finding == "undecided"


def test_nothing_is_decided_where_too_many_outcomes_are_missing() -> None:
    effect = judge(Ledger.of(lived(0.4, 4000, lost=0.5)))["a"]
    assert effect.finding == "undecided"
    assert "outcomes are missing" in in_words(effect)
    assert effect.rent == 30


def test_what_was_never_withheld_is_not_tested() -> None:
    rows = [Trial("a", 0, str(i), True, 0.8, 1.0) for i in range(20)]
    effect = judge(Ledger.of(rows))["a"]
    assert (effect.difference, effect.low, effect.high) == (None, None, None)
    assert in_words(effect) == "not tested yet"
    assert judge(Ledger()) == {}


def test_the_more_lessons_the_more_each_must_show() -> None:
    one = lived(0.13, 900, seed=3)
    alone = judge(Ledger.of(one))["a"]
    crowd = [row for n in range(200) for row in lived(0, 20, lesson=f"n{n}")]
    among = judge(Ledger.of(one + crowd))["a"]
    assert (alone.finding, among.finding) == ("helps", "undecided")
    assert among.helps == pytest.approx(alone.helps, abs=0.5)


def test_the_claims_of_e_bh() -> None:
    """Four stakes of 80, 45, 20 and 3 among four lessons at 5 %: needed are 80, 40, 26.7 and 20."""
    stakes = np.log(np.array([20.0, 80.0, 3.0, 45.0]))
    assert bets.discoveries(stakes, 4, 0.05).tolist() == [False, True, False, True]
    assert not bets.discoveries(stakes - math.log(2), 4, 0.05).any()


def test_stakes_far_below_zero_stay_numbers() -> None:
    stakes = bets.stakes(np.array([-500.0, 0.0]), np.array([10.0, 10.0]))
    assert np.isfinite(stakes).all()
    assert stakes[0] < stakes[1] < 0


def test_the_gate_on_planted_effects_and_on_none() -> None:
    """The benchmark at a small size; at its own by `python -m benchmarks.effect`."""
    world = World(PLANTED, episodes=8_000)
    found = planted(world, range(3))
    assert found["harmful_active"] == 0
    assert found["helpful_active"] >= 6
    assert found["covered"] >= 0.93
    idle = null(world._replace(effects=(0.0,) * 20, episodes=4_000), range(8))
    assert max(idle["helps"], idle["harms"]) <= idle["bar"]


def test_an_effect_is_a_plain_tuple() -> None:
    assert isinstance(judge(Ledger.of(lived(0, 10)))["a"], Effect)

"""An A/A test: coins that decide nothing, tossed over episodes that ran without any lesson.

Whatever the gate claims of such a lesson is false, so how often it does is its rate of false claims
on exactly these outcomes: this task, this agent, these rounds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from .ledger import Ledger
from .trials import Trial
from .verdicts import USUAL, Rules, judge

LESSONS, OFFERED, CHANCE = 12, 2, 0.8
"""Placebo lessons, how many of them fit an episode, and the coin of the gate."""


class Claims(NamedTuple):
    """Of how many draws anything was claimed at any look."""

    draws: int
    helps: int
    harms: int


def claims(
    outcomes: Sequence[tuple[str, float]],
    *,
    draws: int = 1_000,
    look: int = 32,
    seed: int = 0,
    rules: Rules = USUAL,
) -> Claims:
    """What the gate claims of placebos over `outcomes`, as (instance, success) in their order."""
    helped = harmed = 0
    for draw in range(draws):
        found = _draw(outcomes, look, random.Random(f"placebo {seed} {draw}"), rules)
        helped += "helps" in found
        harmed += "harms" in found
    return Claims(draws, helped, harmed)


def _draw(
    outcomes: Sequence[tuple[str, float]], look: int, coin: random.Random, rules: Rules
) -> set[str]:
    """All findings of one draw, over all of its looks."""
    ledger, found = Ledger(), set[str]()
    for start in range(0, len(outcomes), look):
        ledger.add(
            Trial(f"placebo {n}", start, unit, coin.random() < CHANCE, CHANCE, outcome)
            for unit, outcome in outcomes[start : start + look]
            for n in coin.sample(range(LESSONS), OFFERED)
        )
        found |= {effect.finding for effect in judge(ledger, rules).values()}
    return found

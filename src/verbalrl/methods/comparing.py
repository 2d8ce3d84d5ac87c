"""Two attempts at one instance beside each other: agreement, worth, and the trades to be shown.

Pure functions after FinCon (Yu et al. 2024, arXiv 2407.06567, section 3.3): the overlap of trading
decisions, the objective J, the sustained profitable and losing trades.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Protocol

from ..records import (
    Batch,
    CompareEpisodes,
    Episode,
    InstanceView,
    Overlap,
    SharedView,
    Shows,
    Trade,
    Trajectory,
    WriteCritique,
    decision_of,
    trades_of,
)
from . import plans

TRADES = "critic/trades"
OTHER = "other"
"""The aspect of what belongs to no role; it is for whoever decides alone."""
LEAST = 3
"""Decisions with a partner below which an overlap says nothing."""
GROUP = 4
"""Critiques per proposing call: a few steps each, of two episodes."""
LONGEST = 5
"""Steps of one trade that are shown: of a longer one those that earned or lost most."""


class Wishes(Protocol):
    """How two attempts are compared."""

    @property
    def discount(self) -> float:
        """Of the objective."""

    @property
    def portion(self) -> int:
        """Trades per critique."""

    @property
    def portions(self) -> int:
        """Critiques."""

    @property
    def aspects(self) -> tuple[str, ...]:
        """Roles that a lesson may be about."""


def compared(view: InstanceView, wishes: Wishes) -> Batch | None:
    """The record of how far the last two attempts agree, and the critiques of their trades.

    None where that is done, or one of them is not there or broke.
    """
    rounds = (view.number - 1, view.number)
    pair = [e for n in rounds for e in view.attempts if e.spec.round == n]
    if len(pair) < 2 or not all(map(plans.worth_a_critique, pair)):
        return None
    names = tuple(e.id for e in pair)
    if any(d.episodes == names for d in view.decisions):
        return None
    # The better one stands last; of equals that is the later one.
    shown = sorted(pair, key=lambda e: objective(e, wishes.discount))
    critiques = (
        WriteCritique(
            episodes=tuple(e.id for e in shown),
            template=TRADES,
            shows=Shows(earlier=False),
            steps=steps,
            aspects=tuple(audiences(wishes.aspects)),
            sample=n,
        )
        for n, steps in enumerate(portions(shown, wishes.portion, wishes.portions))
    )
    record = CompareEpisodes(episodes=names, discount=wishes.discount)
    return Batch(work=(record, *critiques))


def agreed(view: SharedView) -> float | None:
    """The overlap of the last round with the one before, over the steps of all instances."""
    last = view.rounds[-1].decisions if view.rounds else ()
    return sum((d.overlap for d in last if d.overlap), Overlap()).share(LEAST)


def audiences(aspects: Sequence[str]) -> dict[str, str]:
    """Every aspect that is offered → the role that gets such beliefs beside whoever decides."""
    return {**{name: name for name in aspects}, OTHER: ""} if aspects else {}


def overlap(one: Trajectory, other: Trajectory) -> Overlap:
    """How far the decisions of two attempts agree; steps are aligned by their numbers."""
    decided = [{s.n: decision_of(s.action) for s in t.steps} for t in (one, other)]
    both = decided[0].keys() & decided[1].keys()
    return Overlap(
        same=sum(decided[0][n] == decided[1][n] for n in both),
        aligned=len(both),
        steps=len(decided[0].keys() | decided[1].keys()),
    )


def objective(episode: Episode, discount: float) -> float:
    """J, the sum of discount^t · r_t over the steps t = 0, 1, …; without reward 0.

    Where no step has one it is the reward of the episode, and without that 1 for a success.
    """
    steps = episode.trajectory.steps
    rewards = [(t, s.reward) for t, s in enumerate(steps) if s.reward is not None]
    if rewards:
        return math.fsum(discount**t * reward for t, reward in rewards)
    value = episode.reward.value
    return float(episode.success is True) if value is None else value


def portions(
    attempts: Sequence[Episode], size: int, most: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """What is shown of `attempts` in each of at most `most` critiques: per attempt its steps.

    A portion holds about `size` trades, each attempt's share of them half won and half lost, those
    with the largest profits and losses first; trades that earned nothing are left out. Where none
    won or lost anything all are shown, in their order.
    """
    each = max(1, size // (2 * len(attempts)))
    ranked = [_ranked(trades_of(e.trajectory), each) for e in attempts]
    found = []
    for parts in zip_longest(*ranked, fillvalue=()):
        shown = tuple(tuple(sorted(n for t in part for n in _steps(t))) for part in parts)
        found.append(shown)
    return tuple(found[:most])


def _ranked(trades: Sequence[Trade], each: int) -> list[tuple[Trade, ...]]:
    """The trades of one attempt in portions of `each` won and `each` lost ones."""
    if not any(t.profit for t in trades):
        return _cut(trades, 2 * each)
    won = sorted((t for t in trades if (t.profit or 0) > 0), key=lambda t: -(t.profit or 0))
    lost = sorted((t for t in trades if (t.profit or 0) < 0), key=lambda t: t.profit or 0)
    pairs = zip_longest(_cut(won, each), _cut(lost, each), fillvalue=())
    return [(*ours, *theirs) for ours, theirs in pairs]


def _cut(trades: Sequence[Trade], size: int) -> list[tuple[Trade, ...]]:
    return [tuple(trades[n : n + size]) for n in range(0, len(trades), size)]


def _steps(trade: Trade) -> Iterable[int]:
    """The numbers of the steps that are shown of `trade`."""
    sign = 1 if (trade.profit or 0) >= 0 else -1
    by_worth = sorted(trade.steps, key=lambda s: -sign * (s.reward or 0))
    return [s.n for s in by_worth[:LONGEST]]

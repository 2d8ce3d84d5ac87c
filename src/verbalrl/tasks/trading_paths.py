"""What decisions on a desk came to, day by day, and the measures of that.

Pure functions. A *path* is one period as one agent or control traded it; a *run* of an arm is its
path in one period under one seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from ..records import Action, Instance
from . import trading_measures as measured
from .base import Task
from .desk import Desk
from .trading_controls import Traded, rule_of

Period = tuple[str, int]
"""One period of a market as one seed traded it: (instance, seed)."""

MEASURES = ("log_return", "compounded", "sharpe", "max_drawdown", "cvar", "turnover")


class Path(NamedTuple):
    """One period as it was traded."""

    results: tuple[float, ...]
    """Profit or loss of each day as a share of the capital, after costs."""
    weights: tuple[tuple[float, ...], ...]
    """By day, the signed share of the capital in each asset."""
    traded: tuple[float, ...]
    """By day, the share of the capital that changed hands."""
    log_return: float
    """The cumulative return of the paper: without costs, not compounded (`log_return`)."""
    whole: bool
    """Whether it reached the end of the period."""


def world_of(task: Task) -> Traded | None:
    """The world of a task that is traded; None of any other."""
    world = getattr(task, "world", None)
    return world if isinstance(world, Traded) else None


def walked(desk: Desk, decisions: Iterable[str]) -> Path:
    """What `decisions`, one a day, come to on `desk`; those after its end are not taken."""
    desk.reset(0)
    results, weights, traded, whole = [], [], [], False
    for text in decisions:
        day = desk.step(Action(text=text))
        results.append(day.reward or 0.0)
        weights.append(desk.weighted)
        traded.append(day.components["traded"])
        whole = day.terminated
        if whole:
            break
    return Path(tuple(results), tuple(weights), tuple(traded), _log_sum(desk, weights), whole)


def controlled(name: str, world: Traded, instance: Instance, seed: int = 0) -> Path:
    """The path of the control `name`; `seed` is that of `random`.

    Raises:
        UnknownNameError: There is no such control.
    """
    desk, rule = world.desk(instance), rule_of(name, instance, seed)
    return walked(desk, (rule(desk.market, desk.first, day) for day in count(desk.first)))


def _log_sum(desk: Desk, weights: Sequence[tuple[float, ...]]) -> float:
    stop = desk.first + len(weights) + 1
    return math.fsum(
        measured.log_return(asset.closes[desk.first : stop], [day[place] for day in weights])
        for place, asset in enumerate(desk.market.assets)
    )


def measures(path: Path) -> dict[str, float]:
    """The measures of one path by name: `MEASURES`."""
    return {
        "log_return": path.log_return,
        "compounded": measured.compounded(path.results),
        "sharpe": measured.sharpe(path.results),
        "max_drawdown": measured.max_drawdown(path.results),
        "cvar": measured.cvar(path.results),
        "turnover": math.fsum(path.traded) / max(1, len(path.traded)),
    }


def capital(results: Sequence[float]) -> list[float]:
    """The capital before the first day and after each, from 1."""
    found = [1.0]
    for result in results:
        found.append(found[-1] * (1 + result))
    return found


def drawdowns(results: Sequence[float]) -> list[float]:
    """By day, the fall of the capital from its peak so far as a share of that; 0 to -1."""
    peak, found = 1.0, []
    for now in capital(results):
        peak = max(peak, now)
        found.append(now / peak - 1)
    return found


def mean_by_day(series: Iterable[Sequence[float]]) -> list[float]:
    """The mean of several series by day; one that has ended keeps its last value."""
    kept = [list(one) for one in series if one]
    last = max(map(len, kept), default=0)
    return [
        math.fsum(one[min(day, len(one) - 1)] for one in kept) / len(kept) for day in range(last)
    ]


def paired(
    ours: Mapping[Period, float], theirs: Mapping[Period, float]
) -> dict[str, float | int] | None:
    """Wilcoxon's signed-rank test over the runs that both have; None where they share none.

    `diff` is the mean of ours less theirs, `w` the smaller rank sum, `p` the two-sided chance.
    """
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    one, other = ([side[run] for run in shared] for side in (ours, theirs))
    smaller, chance = measured.signed_rank(one, other)
    diff = math.fsum(a - b for a, b in zip(one, other, strict=True)) / len(shared)
    return {"diff": diff, "w": smaller, "p": chance, "n": len(shared)}

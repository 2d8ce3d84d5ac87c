"""A market day by day: what was known on a day, in words, and what foresight would have earned.

Pure functions. A *day* is a place in the rows of a market; what is said of it uses that day and
the days before it alone, which `looks_ahead` checks of any function of a market and a day.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from .trading_measures import cvar

MOMENTUM_DAYS = 5
_VOLATILITY_DAYS = 20
_RISK_DAYS = 60
_FEWEST = 5
"""Daily moves below which nothing is said of volatility and risk."""
_STEADY, _STRONG = 0.005, 0.03
_CALM, _WILD = 0.008, 0.02
_LONGEST = 400
_MOST_NEWS = 5


@dataclass(frozen=True)
class Series:
    """One asset; each row has an entry per day."""

    name: str
    closes: tuple[float, ...]
    news: tuple[tuple[str, ...], ...]
    filings: tuple[str, ...]
    """What was filed on the day; empty: nothing."""

    def moves(self, day: int, count: int) -> tuple[float, ...]:
        """The last `count` daily returns up to the close of `day`, fewer where the past is short.

        Returns are simple: close by close before, less 1.
        """
        found = self.closes[max(0, day - count) : day + 1]
        return tuple(after / before - 1 for before, after in itertools.pairwise(found))

    def momentum(self, day: int) -> float | None:
        """The return of the last five days; None where the past is shorter."""
        if day < MOMENTUM_DAYS:
            return None
        return self.closes[day] / self.closes[day - MOMENTUM_DAYS] - 1


@dataclass(frozen=True)
class Market:
    """Several assets over the same days."""

    days: tuple[str, ...]
    """How the days are called, such as 2022-01-03."""
    assets: tuple[Series, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The assets by name, in their order."""
        return tuple(asset.name for asset in self.assets)

    def next_moves(self, day: int) -> tuple[float, ...]:
        """The simple return of each asset from the close of `day` to the next."""
        return tuple(a.closes[day + 1] / a.closes[day] - 1 for a in self.assets)


def trend(change: float | None) -> str:
    """A change of price in words; empty for None."""
    if change is None:
        return ""
    if abs(change) < _STEADY:
        return "hardly moved"
    strongly = " strongly" if abs(change) >= _STRONG else ""
    return ("climbed" if change > 0 else "sank") + strongly


def _news(asset: Series, day: int) -> str:
    items = [_cut(text) for text in asset.news[day][:_MOST_NEWS]]
    return f"News: {' '.join(items)}" if items else ""


def _filing(asset: Series, day: int) -> str:
    latest = next((text for text in reversed(asset.filings[: day + 1]) if text), "")
    return f"Latest filing: {_cut(latest)}" if latest else ""


def _momentum(asset: Series, day: int) -> str:
    said = trend(asset.momentum(day))
    return f"Over five days the price {said}." if said else ""


def _volatility(asset: Series, day: int) -> str:
    moves = asset.moves(day, _VOLATILITY_DAYS)
    if len(moves) < _FEWEST:
        return ""
    spread = statistics.pstdev(moves)
    said = "calm" if spread < _CALM else "wild" if spread >= _WILD else "lively"
    return f"Trading is {said}."


def _risk(asset: Series, day: int) -> str:
    moves = asset.moves(day, _RISK_DAYS)
    if len(moves) < _FEWEST:
        return ""
    worst = max(0.0, -cvar(moves))
    return f"The worst day of late took off {worst:.0%}."


ROLES: Mapping[str, Callable[[Series, int], str]] = MappingProxyType(
    {
        "news": _news,
        "filing": _filing,
        "momentum": _momentum,
        "volatility": _volatility,
        "risk": _risk,
    }
)
"""What each kind of analyst sees of an asset on a day; empty where there is nothing."""


def described(market: Market, day: int, roles: Sequence[str] = tuple(ROLES)) -> str:
    """What `roles` see on `day`, if anything: a line per asset, named where there are several."""
    lines = []
    for asset in market.assets:
        said = " ".join(text for role in roles if (text := ROLES[role](asset, day)))
        if said:
            lines.append(f"{asset.name}. {said}" if len(market.assets) > 1 else said)
    return "\n".join(lines)


def told(market: Market, first: int, last: int) -> tuple[str, ...]:
    """The roles that see something of an asset on a day from `first` to `last` (excluded)."""
    # From the end: what was filed once is known on all later days.
    days = range(last - 1, first - 1, -1)
    return tuple(
        role for role, say in ROLES.items() if any(say(a, d) for a in market.assets for d in days)
    )


def looks_ahead(
    market: Market, days: Sequence[int], use: Callable[[Market, int], Any]
) -> tuple[int, ...]:
    """The `days` on which `use(market, day)` changes when what comes after the day does."""
    found = []
    for day in days:
        known = use(market, day)
        if any(use(_other_future(market, day, factor), day) != known for factor in (0.5, 2.0)):
            found.append(day)
    return tuple(found)


def _other_future(market: Market, day: int, factor: float) -> Market:
    after = len(market.days) - day - 1
    assets = tuple(
        replace(
            asset,
            closes=(*asset.closes[: day + 1], *(c * factor for c in asset.closes[day + 1 :])),
            news=(*asset.news[: day + 1], *((f"Changed by {factor}.",) for _ in range(after))),
            filings=(*asset.filings[: day + 1], *(f"Changed by {factor}." for _ in range(after))),
        )
        for asset in market.assets
    )
    return replace(market, assets=assets)


def drifted(weights: Sequence[float], moves: Sequence[float]) -> tuple[float, ...]:
    """What `weights` have become by the close, when nothing is traded."""
    grown = 1 + math.fsum(w * r for w, r in zip(weights, moves, strict=True))
    if grown <= 0:
        return (0.0,) * len(weights)
    return tuple(w * (1 + r) / grown for w, r in zip(weights, moves, strict=True))


def traded(weights: Sequence[float], held: Sequence[float]) -> float:
    """The share of the capital that is bought or sold to come from `held` to `weights`."""
    return math.fsum(abs(a - b) for a, b in zip(weights, held, strict=True))


def foresight(
    market: Market, first: int, last: int, cost: float
) -> tuple[float, tuple[tuple[int, ...], ...]]:
    """The log growth of whoever knew every next close and held one asset a day, and its directions.

    `first` to `last` are the days decided on, `last` excluded. Exact over the choices of one asset
    long, one short or none on each day, with costs (dynamic programming over 2n + 1 states).
    """
    count = len(market.assets)
    states = [(0,) * count]
    states += [
        tuple(sign if n == asset else 0 for n in range(count))
        for asset in range(count)
        for sign in (1, -1)
    ]
    best = [0.0] + [-math.inf] * (len(states) - 1)
    held: list[tuple[float, ...]] = [(0.0,) * count for _ in states]
    back: list[list[int]] = []
    for day in range(first, last):
        moves = market.next_moves(day)
        values, sources = [], []
        for state in states:
            gain = sum(s * r for s, r in zip(state, moves, strict=True))
            options = [
                value + _log(gain - cost * traded(state, before))
                for value, before in zip(best, held, strict=True)
            ]
            sources.append(max(range(len(options)), key=options.__getitem__))
            values.append(options[sources[-1]])
        best, held = values, [drifted(state, moves) for state in states]
        back.append(sources)
    at = max(range(len(states)), key=best.__getitem__)
    value, path = best[at], []
    for sources in reversed(back):
        path.append(states[at])
        at = sources[at]
    return value, tuple(reversed(path))


def _log(result: float) -> float:
    return math.log1p(result) if result > -1 else -math.inf


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1].rstrip() + "…"

"""What a report shows of a run on a task that is traded: tables, and what plots are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..result import trading
from ..tasks.trading_paths import paired
from .tables import Cell, Table
from .wording import figure, odds

CAVEATS = (
    "FinCon's own figures (and all that are compared with them) bear reading with care: their "
    "whole test window lies before the training cut-off of the model, the setting reported is the "
    "one with the highest test return, there are no trading costs, and there are eight tickers.",
    "The same may hold here: a model that was trained after the days of a test may know how they "
    "went. Days after its cut-off, costs, several seeds and the controls above are what counts.",
)


RETURN = 3
"""Digits of a return, as in the table of a run."""


def caveats(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """What bears on returns that a real model earned; nothing where none did."""
    return CAVEATS if figures.get("trading") and not figures["simulated"] else ()


def measures_table(figures: Mapping[str, Any]) -> Table | None:
    """Arms and controls side by side; None where nothing was traded."""
    found = figures.get("trading")
    if not found:
        return None
    said = trading.title(found)
    return Table(
        name="trading",
        caption=said[0].upper() + said[1:],
        heads=trading.HEADS,
        rows=tuple(trading.rows(found)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPair:
    """What one arm earned in both of two runs, in the periods and seeds that both have."""

    arm: str
    one: float | None
    """Over all periods and seeds of the run; so is the other."""
    other: float | None
    shared: tuple[float, float] | None
    """Both over what both have; None where they share nothing."""
    difference: float | None
    """Other minus one, the mean over what both have; None where they share nothing."""
    p: float | None
    """The chance of Wilcoxon's signed-rank test."""
    n: int
    drawdown: tuple[float | None, float | None]

    @property
    def shown(self) -> tuple[float | None, float | None]:
        """What stands beside the difference: the means that it is of, where there is one."""
        return self.shared or (self.one, self.other)


def return_pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[ReturnPair, ...]:
    """The arms of two runs by what they earned; none where either was not traded."""
    sides = [figures.get("trading") for figures in (one, other)]
    if not all(sides):
        return ()
    arms = [side["arms"] for side in sides if side]
    return tuple(_pair(arm, *(found.get(arm) for found in arms)) for arm in {**arms[0], **arms[1]})


def _pair(arm: str, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> ReturnPair:
    earned = [{(i, s): v for i, s, v in side["returns"]} if side else {} for side in (one, other)]
    test = paired(earned[1], earned[0])
    return ReturnPair(
        arm=arm,
        one=one["compounded"] if one else None,
        other=other["compounded"] if other else None,
        shared=_shared(*earned),
        difference=test["diff"] if test else None,
        p=test["p"] if test else None,
        n=int(test["n"]) if test else 0,
        drawdown=(
            one["max_drawdown"] if one else None,
            other["max_drawdown"] if other else None,
        ),
    )


def _shared(*earned: Mapping[Any, float]) -> tuple[float, float] | None:
    both = sorted(earned[0].keys() & earned[1].keys())
    if not both:
        return None
    one, other = (math.fsum(side[key] for key in both) / len(both) for side in earned)
    return one, other


def returns_table(found: Sequence[ReturnPair]) -> Table:
    """What the arms of two runs earned."""
    rows: list[tuple[Cell, ...]] = [
        (
            pair.arm,
            *(figure(value, signed=True, digits=RETURN) for value in pair.shown),
            figure(pair.difference, signed=True, digits=RETURN),
            odds(pair.p),
            pair.n,
            *(figure(value, digits=RETURN) for value in pair.drawdown),
        )
        for pair in found
    ]
    return Table(
        name="returns",
        caption="Compounded return by arm, over what both have; p: Wilcoxon's signed-rank test",
        heads=("arm", "first", "second", "difference", "p", "paired", "drawdown", "drawdown 2"),
        rows=tuple(rows),
    )


def equity_table(found: Mapping[str, Any]) -> Table:
    """The data of the plot of capital and drawdown."""
    names = [name.split(", ")[0] for name in (*found["arms"], *trading.controls(found))]
    names = [name for name in names if found["capital"][name]]
    last = max((len(found["capital"][name]) for name in names), default=0)
    rows: list[tuple[Cell, ...]] = [
        (day, *(_at(found["capital"][name], found["drawdown"][name], day) for name in names))
        for day in range(last)
    ]
    return Table(
        name="equity",
        caption="Capital after each day, the mean over periods and seeds (and its fall from the "
        "peak of its period)",
        heads=("day", *names),
        rows=tuple(rows),
    )


def positions_table(found: Mapping[str, Any]) -> Table:
    """The data of the plot of positions."""
    shown, assets = found["shown"], found["assets"]
    heads = [f"{arm}: {asset}" if len(assets) > 1 else arm for arm in shown for asset in assets]
    days: list[str] = max((of["days"] for of in shown.values()), key=len, default=[])
    rows: list[tuple[Cell, ...]] = []
    for place, day in enumerate(days):
        cells: list[Cell] = [day]
        for of in shown.values():
            held = of["weights"][place] if place < len(of["weights"]) else [None] * len(assets)
            mark = ", alert" if place + 1 in of["alerts"] else ""
            cells += [None if w is None else f"{w:+.2f}{mark}" for w in held]
        rows.append(tuple(cells))
    return Table(
        name="positions",
        caption=f"Share of the capital held from each day to the next; {which(found)}",
        heads=("day", *heads),
        rows=tuple(rows),
    )


def which(found: Mapping[str, Any]) -> str:
    """Which episodes are shown day by day: the first, not the best."""
    told = [f"{arm} {of['episode']}" for arm, of in found["shown"].items()]
    return f"the first period and seed of each arm, whatever it earned ({', '.join(told)})"


def _at(capital: list[float], drawdown: list[float], day: int) -> str | None:
    if day >= len(capital):
        return None
    return f"{capital[day]:.4f} ({drawdown[day]:.1%})"

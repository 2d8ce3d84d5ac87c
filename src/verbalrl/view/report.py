"""The report of a run: one file that holds all it shows, and reaches for nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .._version import __version__
from ..errors import ConfigurationError
from ..records import Critique, Episode
from ..result import plots, trading_plots
from ..result.beliefs import BeliefRound, belief_changes
from ..result.curves import Curve, Gap, gaps
from ..result.figures import curves
from ..result.trading import READING
from . import facts, trading
from .again import command_line
from .beliefs import beliefs_table
from .charts import svg
from .rows import RunRows
from .tables import Table
from .templating import render
from .wording import critique_word

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FAILED, _REFUSED = 20, 20
"""How many of each are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A plot and its data."""

    title: str
    plot: Markup
    table: Table
    folded: bool = False
    """Whether the data are to be opened: those of every day take pages."""


def check_place(file: Path) -> None:
    """Raise `ConfigurationError` where no report can be written to `file`: before the work."""
    if file.is_dir():
        raise ConfigurationError(f"{file}: a folder; name the file to write in it")
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file}: there is no folder {file.parent}; make it first")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigurationError(f"{file}: cannot be written; name another file")


def report_html(rows: RunRows) -> str:
    """The report as HTML; parts without data are absent."""
    figures = rows.figures
    found, apart = curves(figures, rows.outcomes), gaps(figures)
    return render(
        "run_report.html",
        record=rows.record,
        figures=figures,
        headline=facts.headline(figures, apart, rows.record.config),
        learned=facts.learned(rows.record.config),
        caveats=facts.caveats(figures),
        arms=facts.arms_table(figures),
        trading=trading.measures_table(figures),
        reading=READING,
        doubts=trading.caveats(figures),
        plots=(*traded_of(figures), *believed_of(rows.beliefs), *plots_of(rows, found, apart)),
        lessons=rows.lessons,
        counts=rows.counts,
        instances=facts.instances_table(rows.episodes, figures),
        endings=facts.endings_table(rows.episodes),
        failures=facts.failures_table(figures),
        broken=broken_of(rows.episodes),
        critics=facts.critics_table(figures),
        refused=refused_of(rows.critiques),
        command=command_line(rows.record),
        settings=facts.settings_table(rows.record),
        version=__version__,
    )


def traded_of(figures: Mapping[str, Any]) -> tuple[Shown, ...]:
    """The plots of what was traded."""
    found = figures.get("trading") or {}
    made: list[tuple[str, str, Callable[[Mapping[str, Any]], Figure], Callable[[Any], Table]]] = []
    if any((found.get("capital") or {}).values()):
        made.append(("equity", "Capital and drawdown", trading_plots.equity, trading.equity_table))
    if found.get("shown"):
        made.append(("positions", "Positions", trading_plots.positions, trading.positions_table))
    return tuple(
        Shown(
            title=title,
            plot=svg(name, title, partial(draw, found)),
            table=table(found),
            folded=True,
        )
        for name, title, draw, table in made
    )


def believed_of(found: tuple[BeliefRound, ...]) -> tuple[Shown, ...]:
    """The plot of how beliefs changed; none without beliefs."""
    if not found:
        return ()
    title = "Beliefs by training episode"
    plot = svg("beliefs", title, lambda: belief_changes(found))
    return (Shown(title=title, plot=plot, table=beliefs_table(found)),)


def plots_of(rows: RunRows, found: tuple[Curve, ...], apart: tuple[Gap, ...]) -> tuple[Shown, ...]:
    """The plots for which there is data."""
    spent = {arm: facts.role_tokens(of) for arm, of in rows.figures["arms"].items()}
    made: list[tuple[str, str, bool, Callable[[], Figure], Table]] = [
        (
            "curves",
            "Learning curves",
            # At one trial there is nothing to learn from, and no line: the table has the share.
            any(point.trial > 1 for curve in found for point in curve.points),
            lambda: plots.learning_curves(found),
            facts.curve_table(found),
        ),
        (
            "differences",
            "Against retry, paired by instance",
            bool(apart),
            lambda: plots.differences(apart),
            facts.gap_table(apart),
        ),
        (
            "tokens",
            "Tokens and cost by role",
            any(any(of.values()) for of in spent.values()),
            lambda: plots.tokens(spent),
            facts.tokens_table(rows.figures),
        ),
    ]
    return tuple(
        Shown(title=title, plot=svg(name, title, draw), table=table)
        for name, title, there, draw, table in made
        if there
    )


def refused_of(critiques: tuple[Critique, ...]) -> tuple[Critique, ...]:
    """Some critiques of every reason for which any was not used."""
    reasons: dict[str, list[Critique]] = {}
    for critique in critiques:
        if critique.status != "accepted":
            reasons.setdefault(critique_word(critique), []).append(critique)
    share = max(1, _REFUSED // max(1, len(reasons)))
    return tuple(c for _, found in sorted(reasons.items()) for c in found[:share])


def broken_of(episodes: tuple[Episode, ...]) -> tuple[Episode, ...]:
    """The first episodes that broke."""
    return tuple(e for e in episodes if e.failure is not None)[:_FAILED]

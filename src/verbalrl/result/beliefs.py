"""How beliefs changed from one training episode to the next, and the plot of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .plots import WIDTH, ink, need_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ADDED, _REVISED, _RETIRED, _AGREED = "#2c8c64", "#2f74d0", "#bd4861", "#8d62c9"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeliefRound:
    """What one training round did to the beliefs, the mean over seeds."""

    number: int
    added: float
    revised: float
    retired: float
    held: float
    """How many there were after it."""
    overlap: float | None = None
    """The share of decisions that were those of the round before; None where nothing is known."""


def belief_changes(found: Sequence[BeliefRound]) -> Figure:
    """Beliefs added, revised and retired by round, how many were held, and the overlap."""
    need_matplotlib()
    from matplotlib.figure import Figure

    agreed = [r for r in found if r.overlap is not None]
    figure = Figure(figsize=(WIDTH, 4.2 if agreed else 2.9), layout="constrained")
    panels = figure.subplots(
        2 if agreed else 1, 1, sharex=True, squeeze=False,
        height_ratios=(3, 2) if agreed else (1,),
    )[:, 0]  # fmt: skip
    above, numbers = panels[0], [r.number for r in found]
    added, revised = [r.added for r in found], [r.revised for r in found]
    above.bar(numbers, added, 0.5, label="added", color=_ADDED)
    above.bar(numbers, revised, 0.5, bottom=added, label="revised", color=_REVISED)
    above.bar(numbers, [-r.retired for r in found], 0.5, label="retired", color=_RETIRED)
    above.plot(numbers, [r.held for r in found], marker="o", label="held", color=ink())
    above.axhline(0, linewidth=0.6, color=ink())
    # Bars end on the edge of a plot by themselves, and a mark there is cut.
    highest = max(max(r.held, r.added + r.revised) for r in found)
    above.set_ylim(-max(r.retired for r in found) - 0.5, max(highest, 1) + 0.5)
    above.set_ylabel("beliefs")
    above.locator_params(axis="y", nbins=6, integer=True)
    above.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    if agreed:
        below = panels[1]
        at, shares = [r.number for r in agreed], [r.overlap or 0.0 for r in agreed]
        below.plot(at, shares, marker="s", label="overlap", color=_AGREED)
        below.set_ylim(-0.05, 1.05)
        below.set_ylabel("same decisions")
        below.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    panels[-1].set_xticks(numbers)
    panels[-1].set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
    panels[-1].set_xlabel("training episode")
    handles, labels = [], []
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
        more = axes.get_legend_handles_labels()
        handles += more[0]
        labels += more[1]
    figure.legend(handles, labels, frameon=False, loc="outside right upper")
    return figure

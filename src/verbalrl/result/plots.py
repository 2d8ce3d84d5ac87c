"""Figures as plots, by matplotlib (extra `report`), which is imported on use.

What this does not do: keep any state of matplotlib's own, choose a backend, or show anything.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .curves import Curve, Gap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Mapping[str, str] = {
    "none": "#7b818a",
    "retry": "#c06a15",
    "learned": "#2f74d0",
    "raw_failures": "#bd4861",
    "shuffled": "#8d62c9",
    "best_of_n": "#2c8c64",
    "actor": "#2f74d0",
    "critic": "#c06a15",
    "curator": "#2c8c64",
}
"""Seen well on white and on black."""
_OTHERS = ("#2c8c64", "#8d62c9", "#bd4861", "#5f7f1f", "#1c8a99", "#a8643a")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
WIDTH = 7.0
"""Inches."""


def need_matplotlib() -> None:
    """Raise `ConfigurationError` with the way to install it when matplotlib is not there."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigurationError(
            "plots need matplotlib; install it with `pip install 'verbalrl[report]'`"
        )


def colour_of(name: str, place: int = 0) -> str:
    """The colour of an arm or a role; the same in every plot."""
    return COLOURS.get(name, _OTHERS[place % len(_OTHERS)])


def learning_curves(found: Sequence[Curve]) -> Figure:
    """The share of instances solved at or before each trial, by arm, with 95 % intervals."""
    figure, axes = _axes(3.4)
    last = max((p.trial for c in found for p in c.points), default=1)
    for place, curve in enumerate(found):
        shift = (place - (len(found) - 1) / 2) * 0.035 * max(1, last - 1)
        _curve(axes, curve, place, shift)
    axes.set_xticks(range(1, last + 1))
    axes.set_xlim(0.6, last + 0.4)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("trial")
    axes.set_ylabel("share of instances solved")
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def differences(found: Sequence[Gap]) -> Figure:
    """What each arm solved more than `retry`, paired by instance, with 95 % intervals."""
    figure, axes = _axes(0.9 + 0.45 * len(found))
    places = list(range(len(found)))
    for place, gap in zip(places, found, strict=True):
        low, high = _ends(gap)
        spread = [[gap.mean - low], [high - gap.mean]]
        axes.errorbar(
            [gap.mean], [place], xerr=spread, fmt=_MARKS[place % len(_MARKS)], capsize=4,
            color=colour_of(gap.arm, place), linewidth=1.6,
        )  # fmt: skip
    axes.axvline(0, linewidth=0.8, linestyle="--", color=ink())
    axes.set_yticks(places, [gap.arm for gap in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    edge = max([0.1, *(abs(v) for g in found for v in _ends(g))]) * 1.1
    axes.set_xlim(-edge, edge)
    axes.set_xlabel("share of instances, minus that of retry")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    return figure


def _ends(gap: Gap) -> tuple[float, float]:
    return (
        gap.mean if gap.low is None else gap.low,
        gap.mean if gap.high is None else gap.high,
    )


def tokens(by_arm: Mapping[str, Mapping[str, int]]) -> Figure:
    """All tokens in and out by arm, the roles one behind the other."""
    figure, axes = _axes(0.9 + 0.45 * len(by_arm))
    places = list(range(len(by_arm)))
    start = [0.0] * len(by_arm)
    known = dict.fromkeys(role for roles in by_arm.values() for role in roles)
    for place, role in enumerate(known):
        width = [float(roles.get(role, 0)) for roles in by_arm.values()]
        if any(width):
            # The first of the other colours is that of a curator.
            colour = colour_of(role, place - 2)
            axes.barh(places, width, left=start, height=0.6, label=role, color=colour)
            start = [a + b for a, b in zip(start, width, strict=True)]
    axes.set_yticks(places, list(by_arm))
    axes.set_ylim(len(by_arm) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("tokens")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _curve(axes: Axes, curve: Curve, place: int, shift: float) -> None:
    whole = [p for p in curve.points if p.low is not None and p.high is not None]
    colour = colour_of(curve.arm, place)
    axes.plot(
        [p.trial + shift for p in curve.points],
        [p.mean for p in curve.points],
        marker=_MARKS[place % len(_MARKS)],
        markersize=5,
        label=curve.arm,
        color=colour,
        linewidth=1.6,
    )
    below = [p.mean - (p.low or 0.0) for p in whole]
    above = [(p.high or 0.0) - p.mean for p in whole]
    axes.errorbar(
        [p.trial + shift for p in whole], [p.mean for p in whole], yerr=[below, above],
        fmt="none", capsize=3, alpha=0.75, color=colour, linewidth=1.6,
    )  # fmt: skip


def _axes(height: float) -> tuple[Figure, Axes]:
    need_matplotlib()
    from matplotlib.figure import Figure

    # Not pyplot: it keeps every figure and chooses a backend.
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def ink() -> str:
    """The colour of text and axes."""
    import matplotlib

    return str(matplotlib.rcParams["axes.edgecolor"])

"""Plots of what arms and controls earned, lost on the way, and held; by matplotlib, as `plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import sub
from typing import TYPE_CHECKING, Any

from .plots import WIDTH, colour_of, ink, need_matplotlib
from .trading import controls

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONTROLS: Mapping[str, tuple[str, str]] = {
    "buy-and-hold": ("", "--"),
    "momentum": ("#a8643a", "-."),
    "random": ("#8a8f98", ":"),
    "equal-weight": ("#1c8a99", "--"),
    "mean-variance": ("#5f7f1f", "-."),
    "minimum-variance": ("#8d62c9", ":"),
}
"""Colour (none: that of the text) and dashes: arms are whole lines."""
_ALERT = "#bd4861"
_DASHES = ("-", "--", ":", "-.")
_TICKS = 5
_APART = 1e-3
"""Of a capital of 1 less than the width of a line."""
_PERIOD = 8.0


def equity(found: Mapping[str, Any]) -> Figure:
    """The capital of arms and controls by day, from 1, and below it their fall from the peak."""
    figure = _figure(4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for place, name in enumerate((*found["arms"], *controls(found))):
        first, *others = name.split(", ")
        label = f"{first} (and {len(others)} more)" if others else first
        style = _style(first, place)
        if name in found["arms"]:
            before = [found["capital"][arm] for arm in list(found["arms"])[:place]]
            style["linestyle"] = _over(sum(_cover(found["capital"][first], x) for x in before))
        for axes, series in ((above, found["capital"]), (below, found["drawdown"])):
            axes.plot(range(len(series[first])), series[first], label=label, **style)
    above.set_ylabel("capital")
    below.set_ylabel("below the peak")
    below.set_xlabel("day of the period")
    below.yaxis.set_major_formatter(lambda value, _: f"{round(100 * value, 1):g}%")
    for axes in (above, below):
        _plain(axes)
        axes.locator_params(axis="y", nbins=5)
    below.locator_params(axis="x", nbins=6, integer=True)
    figure.legend(*above.get_legend_handles_labels(), frameon=False, loc="outside right upper")
    return figure


def positions(found: Mapping[str, Any]) -> Figure:
    """What each arm held in the episode that is shown, and the days on which it was alerted."""
    shown = found["shown"]
    figure = _figure(0.9 + 1.05 * len(shown))
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (arm, episode) in zip(panels, shown.items(), strict=True):
        _held(axes, episode, found["assets"], colour_of(arm, 0))
        axes.set_title(arm, loc="left", fontsize=9)
    days = next(iter(shown.values()))["days"]
    places = _ticks(len(days))
    panels[-1].set_xticks(places, [days[place] for place in places])
    panels[-1].set_xlabel("day")
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(
            list(handles.values()), list(handles), frameon=False, loc="outside right upper"
        )
    return figure


def _held(axes: Axes, episode: Mapping[str, Any], assets: Sequence[str], colour: str) -> None:
    """The weights of one episode; those of a single asset filled, its name being known."""
    weights = episode["weights"]
    # A decision holds from its day to the next: the last one gets an end of its own.
    days = range(len(weights) + 1)
    for place, asset in enumerate(assets):
        held = [day[place] for day in (*weights, weights[-1])]
        if len(assets) == 1:
            axes.fill_between(days, held, step="post", alpha=0.3, color=colour, linewidth=0)
            axes.step(days, held, where="post", color=colour, linewidth=1.2)
        else:
            dashes = _DASHES[place % len(_DASHES)]
            axes.step(days, held, where="post", label=asset, linewidth=1.4,
                      color=colour_of("", place), linestyle=dashes)  # fmt: skip
    if episode["alerts"]:
        at = [number - 0.5 for number in episode["alerts"]]
        axes.plot(at, [-1.3] * len(at), linestyle="none", marker="^", markersize=4, color=_ALERT,
                  label="alert")  # fmt: skip
    axes.axhline(0, linewidth=0.6, color=ink())
    axes.set_ylim(-1.5, 1.2)
    axes.set_yticks((-1, 0, 1), ("short", "out", "long"))
    _plain(axes)


def _style(name: str, place: int) -> dict[str, Any]:
    if name in _CONTROLS:
        colour, dashes = _CONTROLS[name]
        return {"color": colour or ink(), "linestyle": dashes, "linewidth": 1.1}
    return {"color": colour_of(name, place), "linewidth": 1.9}


def _cover(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the lines of two arms lie on each other."""
    return len(one) == len(other) > 0 and max(map(abs, map(sub, one, other))) < _APART


def _over(below: int) -> str | tuple[float, tuple[float, float]]:
    """A whole line; over others that it covers one with gaps, through which each is seen."""
    on = _PERIOD / 2**below
    return "-" if not below else (0.0, (on, _PERIOD - on))


def _ticks(count: int) -> list[int]:
    """A few places from 0 to `count`, evenly spaced."""
    if count <= _TICKS:
        return list(range(count))
    return sorted({round(n * (count - 1) / (_TICKS - 1)) for n in range(_TICKS)})


def _figure(height: float) -> Figure:
    need_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25, linewidth=0.6)

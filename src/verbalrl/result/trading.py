"""What arms and controls earned and risked, as rows and as plain text; it computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import markup
from ..text import plural

HEADS = (
    "arm",
    "runs",
    "log-sum",
    "return [95 %]",
    "Sharpe",
    "drawdown",
    "CVaR",
    "turnover",
    "vs none",
    "vs buy-and-hold",
)
_ABOVE = (*HEADS[:3], "return", "Sharpe", "draw-", "CVaR", "turn-", "vs none", "vs buy-")
_UNDER = ("", "", "", "[95 %]", "", "down", "", "over", "", "and-hold")
_COLUMNS = 100
MEASURES = ("log_return", "compounded", "sharpe", "max_drawdown", "cvar", "turnover")
_FIRST = "buy-and-hold"
"""The control that stands first."""
READING = (
    "each figure is of one period: the mean over seeds and periods; CVaR: of the worst 1 % of days",
    "log-sum, as in FinCon: moves in logarithms times the position, no costs; return: compounded",
    "turnover: what is traded in a day; p: Wilcoxon's signed-rank test over runs (seeds × periods)",
)


def title(found: Mapping[str, Any]) -> str:
    """What was traded, and at which cost."""
    periods = plural(found["periods"], "period")
    assets = ", ".join(found["assets"])
    return (
        f"trading {assets}: {periods} of {plural(found['days'], 'day')}, costs {found['cost']:.2%}"
    )


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each arm, then for each control; controls that trade alike share one."""
    made = [_row(name, arm) for name, arm in found["arms"].items()]
    return made + [_row(name, control) for name, control in controls(found).items()]


def controls(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The controls by name, buy-and-hold first; the names of those that trade alike in one."""
    ordered = sorted(found["controls"].items(), key=lambda pair: pair[0] != _FIRST)
    alike: dict[tuple[float | None, ...], list[str]] = {}
    for name, of in ordered:
        key = tuple(None if of[m] is None else round(of[m], 9) for m in MEASURES)
        alike.setdefault(key, []).append(name)
    return {", ".join(names): found["controls"][names[0]] for names in alike.values()}


def trading_lines(figures: Mapping[str, Any]) -> list[str]:
    """The table as lines of text, under a line without words; none where nothing was traded."""
    found = figures.get("trading")
    if not found:
        return []
    lines = _lines(rows(found))
    cut = [f"{name} {arm['left_out']}" for name, arm in found["arms"].items() if arm["left_out"]]
    tail = [f"runs that did not reach the end, left out: {', '.join(cut)}"] if cut else []
    return ["", title(found), *lines, *tail, *READING]


def _lines(found: Sequence[tuple[str, ...]]) -> list[str]:
    """The table in 100 columns: intervals and chances stand below what they are of."""
    whole: list[tuple[str, ...]] = [_ABOVE, _UNDER]
    for row in found:
        # So do the names of controls that trade alike: they would push all columns aside.
        first, *more = row[0].split(", ")
        names = [first + ("," if more else "")]
        names += [f" {name}{',' if name != more[-1] else ''}" for name in more]
        pairs = [cell.partition(" ")[::2] for cell in row[1:]]
        whole.append((names[0], *(above for above, _ in pairs)))
        under = ("".join(names[1:2]), *(below for _, below in pairs))
        whole += [under] if any(under) else []
        whole += [(name, *[""] * len(pairs)) for name in names[2:]]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    gap = "  " if sum(widths) + 2 * len(widths) - 2 <= _COLUMNS else " "
    return [
        gap.join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in whole
    ]


def trading_html(figures: Mapping[str, Any]) -> str:
    """The same for notebooks; empty where nothing was traded."""
    found = figures.get("trading")
    if not found:
        return ""
    below = "".join(map(markup.paragraph, READING))
    return markup.table(title(found), HEADS, rows(found)) + below


def _row(name: str, of: Mapping[str, Any]) -> tuple[str, ...]:
    spread = of.get("ci95")
    pair = f" [{spread[0]:+.3f}, {spread[1]:+.3f}]" if spread else ""
    return (
        name,
        str(of["runs"]),
        _told(of["log_return"], "+.3f"),
        _told(of["compounded"], "+.3f") + pair,
        _told(of["sharpe"], "+.2f"),
        _told(of["max_drawdown"], ".3f"),
        _told(of["cvar"], "+.3f"),
        _told(of["turnover"], ".2f"),
        versus(of.get("vs_none")),
        versus(of.get("vs_buy_and_hold")),
    )


def versus(found: Mapping[str, Any] | None) -> str:
    """A paired difference of returns with its chance."""
    if found is None:
        return "–"
    return f"{found['diff']:+.3f} {chance(found['p'])}"


def chance(p: float) -> str:
    """`p=.031`, as in other tables."""
    return "p<.001" if p < 0.001 else f"p={p:.3f}".replace("0.", ".")


def _told(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)

"""A forecast in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import plural


def table(figures: Mapping[str, Any]) -> str:
    """The arms side by side, as plain text."""
    heads = ("arm", "episodes", "calls", "tokens", "cost")
    rows: list[tuple[str, ...]] = [heads]
    for name, arm in (*figures["arms"].items(), ("total", figures["total"])):
        counts = (_said(arm[column]) for column in ("episodes", "calls", "tokens"))
        cost = arm["cost_usd"]
        rows.append((name, *counts, "unknown" if cost is None else f"${_said(cost, '.4f')}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    where = f"{plural(figures['instances'], 'instance')}, seeds {figures['seeds']}"
    title = f"{figures['task']} · {figures['method']} · {figures['model']} · {where}"
    effect = f"smallest effect it can show: {figures['smallest_effect']:.2f} in success"
    if figures["smallest_effect"] > 1:
        effect = "too few instances to show any effect"
    return "\n".join([f"{title} · dry run", *lines, effect, *figures["assumes"]])


def _said(ends: list[Any], form: str = "") -> str:
    low, high = ends
    return f"{low:,{form}}" if low == high else f"{low:,{form}}–{high:,{form}}"

"""A forecast in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def assumptions(*, judged: bool, team: bool) -> Iterator[str]:
    """What a forecast rests on; of a model that recalls (`judged`) only where the run asks one."""
    yield (
        "low: every attempt succeeds at its first step, or its last where that is given by the "
        "task; high: none ever does and each takes all steps"
    )
    recalling = ", recall 5-400" if judged else ""
    yield (
        f"replies: actor 20-300 tokens, critic 80-800, curator 100-2,000{recalling}, never more "
        "than the output cap; no repairs, no retries; calls that an agent or a hook of yours makes "
        "beside its own are unknown"
    )
    if judged:
        yield (
            "recall (condition=model): low: it asks about the conditional lessons that the run "
            "starts with; high: about every lesson of a full list"
        )
    yield (
        "smallest effect: paired, 80 % power, two-sided 5 %, (1.96 + 0.84)·sd/√instances, with "
        "half of the attempts solved in both arms, arms independent given the instance, and seeds "
        "of one instance correlated by .5"
    )
    if team:
        yield "team: each analyst is asked once before each step; reports 20-150 tokens"


def _said(ends: list[Any], form: str = "") -> str:
    low, high = ends
    return f"{low:,{form}}" if low == high else f"{low:,{form}}–{high:,{form}}"

"""The figures of a run as plain text; it computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..text import plural
from . import reporting
from .marks import FIRST_ATTEMPTS, label, paired_at, remarks, versus_head
from .trading import trading_lines

_COLUMNS = 100
_BY_TRIAL, _COUNTS = "by trial", ("episodes", "errors", "tokens", "cost")
"""What gives way where a table is too wide, the counts first."""


def table(figures: Mapping[str, Any]) -> str:
    """The arms side by side, and below them what a reader must know beside the figures."""
    arms: Mapping[str, Any] = figures["arms"]
    trial = paired_at(arms)
    names = [label(name, arm) for name, arm in arms.items()]
    lines, below = _fitted(names, _columns(arms, trial))
    where = f"{_read(figures['split'])}, seeds {figures['seeds']}"
    title = f"{figures['task']} · {figures['method']} · {figures['model']} · {where}"
    return "\n".join([title, *lines, *below, *_tail(figures, trial), *trading_lines(figures)])


def _columns(arms: Mapping[str, Any], trial: int | None) -> dict[str, list[str]]:
    """By head the cells of the arms; a column that would say nothing is left out."""
    every = list(arms.values())
    made = {
        "success [95 %]": [_rate(arm) + ("*" if _unfinished(arm) else "") for arm in every],
        _BY_TRIAL: [" ".join(map(_share, arm["success_by_trial"])) for arm in every],
    }
    if trial is not None:
        made[f"{versus_head(arms)} [95 %]"] = [_difference(arm["vs_retry"]) for arm in every]
    made["episodes"] = [str(arm["episodes"]) for arm in every]
    if any(arm["errors"] for arm in every):
        made["errors"] = [str(arm["errors"]) for arm in every]
    spent = (arm["tokens"].values() for arm in every)
    totals = (sum(t["input"] + t["cached"] + t["output"] for t in roles) for roles in spent)
    made["tokens"] = [f"{total:,}" for total in totals]
    # Offline models have no price.
    if any(arm.get("cost_usd") is not None for arm in every):
        made["cost"] = [_dollars(arm.get("cost_usd")) for arm in every]
    return made


def _fitted(names: list[str], columns: Mapping[str, list[str]]) -> tuple[list[str], list[str]]:
    """The lines of the table, and those below it with what does not fit in 100 columns."""
    lines, below = _table(names, columns), list[str]()
    if max(map(len, lines)) > _COLUMNS:
        counts = {head: cells for head, cells in columns.items() if head in _COUNTS}
        for name, *cells in zip(names, *counts.values(), strict=True):
            told = (f"{cell} {head}" for cell, head in zip(cells, counts, strict=True))
            below.append(f"{name}: {', '.join(told)}")
        columns = {head: cells for head, cells in columns.items() if head not in _COUNTS}
        lines = _table(names, columns)
    if max(map(len, lines)) > _COLUMNS:
        tried = zip(names, columns[_BY_TRIAL], strict=True)
        below = [*(f"{name} by trial: {cell}" for name, cell in tried), *below]
        lines = _table(names, {h: cells for h, cells in columns.items() if h != _BY_TRIAL})
    return lines, below


def _table(names: list[str], columns: Mapping[str, list[str]]) -> list[str]:
    """The lines; where they are too long, what marks a name stands below it."""
    lines = _aligned([("arm", *columns), *zip(names, *columns.values(), strict=True)])
    if max(map(len, lines)) <= _COLUMNS:
        return lines
    whole: list[tuple[str, ...]] = [("arm", *columns)]
    for name, *cells in zip(names, *columns.values(), strict=True):
        first, _, mark = name.partition(" (")
        whole.append((first, *cells))
        whole += [(f" ({mark}", *[""] * len(cells))] if mark else []
    return _aligned(whole)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _tail(figures: Mapping[str, Any], trial: int | None) -> list[str]:
    """What a reader must know beside the table."""
    arms: Mapping[str, Any] = figures["arms"]
    tail = []
    if figures["status"] != "done":
        reason = f": {figures['stop_reason']}" if figures["stop_reason"] else ""
        tail.append(f"{figures['status']}{reason}; these are the figures so far")
        tail += _so_far(arms)
    tail += causes(figures)
    tail += _caveats(figures)
    reused = sum(t.get("reused", 0) for arm in arms.values() for t in arm["tokens"].values())
    if reused:
        tail.append(f"{reused:,} of the tokens are answers of earlier runs (--cache), not paid")
    tail += _beside(figures, reused)
    if trial == 1:
        tail.append(FIRST_ATTEMPTS)
    tail += reporting.said(arms)
    tail += _citations(arms)
    tail += remarks(arms)
    return [*tail, _simulated(figures)] if figures["simulated"] else tail


def _so_far(arms: Mapping[str, Any]) -> list[str]:
    """How much of the instances the rates and comparisons of a run that was cut short are about."""
    parts = [
        f"{name} {a['finished']} of {a['planned']}" for name, a in arms.items() if "planned" in a
    ]
    if not parts:
        return []
    lines = [f"* instances finished: {', '.join(parts)}; rates: of those begun"]
    if any(a["vs_retry"] and a["vs_retry"].get("partial") for a in arms.values()):
        lines.append("  vs retry: on instances finished in both arms; the solved ones finish first")
    return lines


def _beside(figures: Mapping[str, Any], reused: int) -> list[str]:
    """Why a budget has counted more tokens than stand in the table; both are right."""
    budget = figures.get("budget")
    if not budget:
        return []
    spent = budget["spent"]["tokens"]
    used = (arm["tokens"].values() for arm in figures["arms"].values())
    shown = sum(t["input"] + t["cached"] + t["output"] for arm in used for t in arm) - reused
    if spent <= shown:
        return []
    return [
        f"tokens: {spent:,} spent, {spent - shown:,} of them not in the table, which counts what is"
        " finished: calls of what was under way (a resume uses them), timed out or done again"
    ]


def causes(figures: Mapping[str, Any]) -> list[str]:
    """Why episodes broke, the commonest cause first."""
    found = figures.get("failures") or []
    if not found:
        return []
    broken = sum(arm["errors"] for arm in figures["arms"].values())
    whole = sum(arm["episodes"] for arm in figures["arms"].values())
    first = found[0]
    often = f"most often ({first['count']}×): {first['failure']}"
    return [f"{broken} of {plural(whole, 'episode')} broke; {often}"]


def _caveats(figures: Mapping[str, Any]) -> list[str]:
    """What bears on how far the figures are to be believed."""
    lines = []
    unknown = [f"{name} {a['unknown']}" for name, a in figures["arms"].items() if a["unknown"]]
    if unknown:
        lines.append(f"episodes of unknown success, left out of the rates: {', '.join(unknown)}")
    lacking = [f"{name} {n}" for name, a in figures["arms"].items() if (n := a.get("lacking"))]
    if lacking:
        why = "a call failed that asks which lessons apply, so that words decided"
        lines.append(f"episodes that failed in part: {', '.join(lacking)}; {why}")
    lines += [line for name, arm in figures["arms"].items() if (line := _critics(name, arm))]
    if discarded := figures.get("discarded"):
        why = "its journal held other requests, or answers of no use"
        lines.append(f"{discarded}× work was done again: {why}")
    if leaks := (figures.get("leaks") or {}).get("ids"):
        more = f" and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
        lines.append(
            f"{plural(len(leaks), 'lesson')} with 8 words in a row of a test instance that no train"
            f" instance holds: {', '.join(leaks[:_NAMED])}{more}"
        )
    return lines


def _critics(name: str, arm: Mapping[str, Any]) -> str:
    """What came of an arm's critics and curators; empty where it has none."""
    counts = arm.get("critiques") or {}
    written, useful = counts.get("written", 0), counts.get("useful", 0)
    failed, curations = counts.get("failed", 0), counts.get("failed_curations", 0)
    lacking = counts.get("lacking_curations", 0)
    parts = []
    if written:
        refused = sum((counts.get("refused") or {}).values())
        lost = f" ({failed} failed, {refused} refused)" if failed or refused else ""
        parts.append(f"{useful} of {plural(written, 'critique')} useful{lost}")
    if curations:
        parts.append(f"{plural(curations, 'curation')} failed")
    if lacking:
        parts.append(f"{plural(lacking, 'curation')} failed in part")
    look = "; see `verbalrl critiques`" if failed or curations or not useful else ""
    return f"{name}: {', '.join(parts)}{look}" if parts else ""


def _citations(arms: Mapping[str, Any]) -> list[str]:
    """How much agents write, with lessons and without, and which of these they say they used."""
    told = {name: arm.get("citations") or {} for name, arm in arms.items()}
    if not any(found.get("shown") for found in told.values()):
        return []
    wrote = [
        f"{name} {found['output_per_attempt']:,.0f}"
        for name, found in told.items()
        if found.get("output_per_attempt")
    ]
    lines = [f"output tokens of the actor per attempt: {', '.join(wrote)}"] if wrote else []
    used = [
        f"{name} {found['cited']:,} of {found['shown']:,}"
        for name, found in told.items()
        if found.get("shown")
    ]
    return [*lines, f"lessons cited of those shown: {', '.join(used)}"]


def _unfinished(arm: Mapping[str, Any]) -> bool:
    return bool(arm.get("finished", 0) < arm.get("planned", 0))


def _read(split: Mapping[str, Any]) -> str:
    """Which instances the rates are over."""
    if split["reported"] == "all":
        whole = split["train"] + split["test"]
        return (
            f"all {plural(whole, 'instance')} ({split['train']} train + {split['test']} test rows)"
        )
    return f"{split['reported']} split, {plural(split[split['reported']], 'instance')}"


_NAMED = 3
"""Leaking lessons that a table names."""

_APPRENTICE = "offline:apprentice"


def _simulated(figures: Mapping[str, Any]) -> str:
    """Who answered in place of language models."""
    # Runs of before there was the list say who acted.
    names = figures.get("simulated_by") or [figures["model"]]
    real = ["offline apprentice" for name in names if _APPRENTICE in name][:1]
    others = [f"simulated model {name}" for name in names if _APPRENTICE not in name]
    return f"{' and '.join(real + others)}: tests the loop, says nothing about LLMs"


def _rate(arm: Mapping[str, Any]) -> str:
    if arm["success_rate"] is None:
        return "unknown" if arm["unknown"] else "–"
    return f"{arm['success_rate']:.2f}{_ends(arm['ci95'], '.2f')}"


def _ends(pair: Sequence[float] | None, form: str) -> str:
    """Nothing where there is no interval: of one instance."""
    return "" if pair is None else f" [{pair[0]:{form}}, {pair[1]:{form}}]"


def _share(rate: float | None) -> str:
    """`.54`, as chances are written: there is one for every trial."""
    return "–" if rate is None else "1.0" if rate >= 0.995 else f"{rate:.2f}".removeprefix("0")


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"${cost:,.4f}"


def _difference(versus: Mapping[str, Any] | None) -> str:
    if versus is None:
        return "–"
    ends = _ends(versus["ci95"], "+.2f")
    part = f" ({versus['n']} of {versus['of']})" if versus.get("partial") else ""
    chance = versus.get("p")
    said = "" if chance is None else " p<.001" if chance < 0.001 else f" p={chance:.3f}"
    return f"{versus['diff']:+.2f}{ends}{said.replace('0.', '.')}{part}"

"""The tables of a run, from its figures (`run --json`) and its settings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..records import Episode, RunRecord
from ..result.curves import Curve, Gap
from ..result.marks import FIRST_ATTEMPTS, label, paired_at, remarks, roles_of, versus_head
from ..result.trading import chance
from ..text import natural, plural
from .tables import Cell, Table
from .wording import figure, odds, outcome_word, setting, span

SIMULATED = "offline apprentice: tests the loop, says nothing about LLMs"
_LISTED = 500
"""Instances that a table lists."""


def learned(config: Mapping[str, Any]) -> bool:
    """Whether a run set to `config` learned, rather than only read."""
    return config.get("learn") is not False


def headline(
    figures: Mapping[str, Any], found: Sequence[Gap], config: Mapping[str, Any] | None = None
) -> str:
    """What came out, in one or two sentences; of what was traded the returns.

    `config` is the run's: one that only read is told by what it was given.
    """
    config = config or {}
    having = "With what it learned"
    if not learned(config):
        having = "With what it was given" if config.get("start") else "With nothing learned"
    arms: Mapping[str, Any] = figures["arms"]
    if (figures.get("trading") or {}).get("arms", {}).get("learned", {}).get("runs"):
        return _earned(figures["trading"], having)
    own = arms.get("learned")
    rate = None if own is None else own["success_rate"]
    if own is None or rate is None:
        return "No success rate of the arm learned is known."
    said = f"{having} the agent solved {rate:.0%} of the instances"
    gap = next((g for g in found if g.arm == "learned"), None)
    if gap is None:
        beside = [
            f"{name} solved {arm['success_rate']:.0%}"
            for name, arm in arms.items()
            if name != "learned" and arm["success_rate"] is not None
        ]
        if beside:
            return f"{said}; {', '.join(beside)}. The arm retry, which would pair them, is absent."
        return f"{said}; nothing stands beside it to compare with."
    shows = (own.get("vs_retry") or {}).get("shows")
    ends = ""
    if gap.low is not None and gap.high is not None:
        ends = f" (95 % interval {gap.low * 100:+.0f} to {gap.high * 100:+.0f})"
    # Runs of before there was the test have the interval alone.
    apart = (gap.low or 0) > 0 or (gap.high or 0) < 0
    sure = apart if shows is None else shows != "neither"
    told = "that is hardly chance" if sure else "it may be chance"
    if gap.p is not None:
        told += f" ({chance(gap.p)})"
    points = f"{gap.mean * 100:+.0f} points against retry at trial {gap.trial}"
    return f"{said}: {points}{ends}; {told}."


def _earned(found: Mapping[str, Any], having: str) -> str:
    """What the arm learned earned, beside what it is paired with."""
    own = found["arms"]["learned"]
    pairs = (("none", "vs_none"), ("buy-and-hold", "vs_buy_and_hold"))
    against = [
        f"{versus['diff'] * 100:+.1f} points against {name} ({chance(versus['p'])})"
        for name, key in pairs
        if (versus := own.get(key))
    ]
    said = f"{having} the agent earned {own['compounded']:+.1%} in a period"
    if not against:
        return f"{said}; what else was earned stands under Trading."
    periods = f"{plural(own['runs'], 'period')}, each seed's apart"
    return f"{said}: {' and '.join(against)}, over {periods}."


def caveats(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """What bears on how far the figures are to be believed."""
    said = [SIMULATED] if figures["simulated"] else []
    if figures["status"] != "done":
        reason = f": {figures['stop_reason']}" if figures["stop_reason"] else ""
        said.append(f"The run is {figures['status']}{reason}. These are the figures so far.")
    for name, arm in figures["arms"].items():
        if arm["unknown"]:
            said.append(
                f"{plural(arm['unknown'], 'episode')} of {name} of unknown success: left out."
            )
    for line in remarks(figures["arms"]):
        # The name of an arm stays as it is.
        begins = line if line.partition(":")[0] in figures["arms"] else line[0].upper() + line[1:]
        said.append(f"{begins}.")
    if paired_at(figures["arms"]) == 1:
        said.append(f"{FIRST_ATTEMPTS}.")
    if leaks := (figures.get("leaks") or {}).get("count"):
        said.append(f"{plural(leaks, 'lesson')} with words that only test instances hold.")
    if redone := figures.get("discarded"):
        said.append(f"{redone}× work was done again: its journal held other requests.")
    return tuple(said)


def arms_table(figures: Mapping[str, Any]) -> Table:
    """The arms side by side."""
    paid = any(arm.get("cost_usd") is not None for arm in figures["arms"].values())
    versed = paired_at(figures["arms"]) is not None
    heads = ["arm", "success", "95 %", "solved"]
    heads += [versus_head(figures["arms"]), "95 %"] if versed else []
    heads += ["episodes", "errors", "tokens", *(["USD"] if paid else [])]
    rows = []
    for name, arm in figures["arms"].items():
        versus = arm.get("vs_retry") or {}
        row: list[Cell] = [
            label(name, arm),
            figure(arm["success_rate"]),
            span(arm["ci95"]),
            (arm.get("solved_by_trial") or [None])[-1],
        ]
        if versed:
            row += [
                figure(versus.get("diff"), signed=True),
                span(versus.get("ci95"), signed=True),
            ]
        row += [arm["episodes"], arm["errors"], sum(role_tokens(arm).values())]
        rows.append((*row, arm["cost_usd"]) if paid else tuple(row))
    return Table(name="arms", caption="Arms", heads=tuple(heads), rows=tuple(rows))


def curve_table(found: Sequence[Curve]) -> Table:
    """The data of the learning curves."""
    last = max((p.trial for c in found for p in c.points), default=0)
    rows = []
    for curve in found:
        by_trial = {p.trial: p for p in curve.points}
        cells: list[Cell] = [curve.arm]
        for trial in range(1, last + 1):
            point = by_trial.get(trial)
            pair = None if point is None else (point.low, point.high)
            rate = "" if point is None else figure(point.mean)
            cells.append(f"{rate} {span(pair)}".strip() or None)
        rows.append(tuple(cells))
    heads = ("arm", *(f"trial {k}" for k in range(1, last + 1)))
    caption = "Share of instances solved at or before each trial [95 % interval]"
    return Table(name="curves", caption=caption, heads=heads, rows=tuple(rows))


def gap_table(found: Sequence[Gap]) -> Table:
    """The data of the plot of differences."""
    rows = tuple(
        (
            g.arm,
            g.trial,
            figure(g.mean, signed=True),
            span((g.low, g.high), signed=True),
            odds(g.p),
            g.n,
            g.of,
        )
        for g in found
    )
    heads = ("arm", "trial", "minus retry", "95 %", "p", "instances", "of")
    return Table(name="differences", caption="Paired differences", heads=heads, rows=rows)


def role_tokens(arm: Mapping[str, Any]) -> dict[str, int]:
    """All tokens in and out of an arm, by role."""
    return {
        role: t["input"] + t["cached"] + t["output"]
        for role in roles_of(arm["tokens"])
        if (t := arm["tokens"].get(role)) is not None
    }


def tokens_table(figures: Mapping[str, Any]) -> Table:
    """Tokens, calls and cost by arm and role."""
    rows: list[tuple[Cell, ...]] = []
    for name, arm in figures["arms"].items():
        for role in roles_of(arm["tokens"]):
            t = arm["tokens"].get(role) or {}
            if any(t.values()):
                counts = (t.get(k, 0) for k in ("input", "cached", "output", "calls", "reused"))
                rows.append((name, role, *counts))
        if arm.get("injected_tokens"):
            rows.append((name, "of these, lessons", arm["injected_tokens"], *[None] * 4))
        if arm.get("cost_usd") is not None:
            rows.append((name, f"all: ${arm['cost_usd']:.4f}", *[None] * 5))
    heads = ("arm", "role", "input", "cached", "output", "calls", "reused")
    return Table(name="tokens", caption="Tokens by role", heads=heads, rows=tuple(rows))


def failures_table(figures: Mapping[str, Any]) -> Table:
    """Why episodes broke, the commonest first; last those that did so in part."""
    rows: list[tuple[Cell, ...]] = [
        (f["count"], f["failure"]) for f in figures.get("failures") or ()
    ]
    if lacking := sum(arm.get("lacking", 0) for arm in figures["arms"].values()):
        rows.append((lacking, "in part: a call that asks which lessons apply"))
    heads = ("episodes", "what broke")
    return Table(name="failures", caption="Episodes that broke", heads=heads, rows=tuple(rows))


def endings_table(episodes: Iterable[Episode]) -> Table:
    """How attempts ended, by arm."""
    counts: dict[str, Counter[str]] = {}
    for episode in episodes:
        ended = f"{outcome_word(episode.success)}, {episode.stop_reason}"
        if episode.failure is not None:
            ended = f"error, {episode.stop_reason}"
        counts.setdefault(episode.arm, Counter())[ended] += 1
    kinds = sorted({kind for of_arm in counts.values() for kind in of_arm})
    rows: list[tuple[Cell, ...]] = [
        (kind, *(of_arm[kind] for of_arm in counts.values())) for kind in kinds
    ]
    return Table(
        name="endings", caption="How episodes ended", heads=("outcome", *counts), rows=tuple(rows)
    )


def critics_table(figures: Mapping[str, Any]) -> Table:
    """What became of critiques, by arm."""
    rows: list[tuple[Cell, ...]] = []
    for name, arm in figures["arms"].items():
        counts = arm.get("critiques") or {}
        if counts.get("written"):
            rows.append((name, "used", counts["useful"]))
            rows += [(name, f"refused: {w}", n) for w, n in (counts["refused"] or {}).items()]
            if counts["failed"]:
                rows.append((name, "failed: no usable reply", counts["failed"]))
        if counts.get("failed_curations"):
            rows.append((name, "curations that failed", counts["failed_curations"]))
        if counts.get("lacking_curations"):
            rows.append((name, "curations that failed in part", counts["lacking_curations"]))
        if counts.get("rejected_operations"):
            rows.append(
                (name, "updates of a curator that were rejected", counts["rejected_operations"])
            )
    heads = ("arm", "critiques", "count")
    return Table(name="critiques", caption="Critiques", heads=heads, rows=tuple(rows))


def instances_table(episodes: Iterable[Episode], figures: Mapping[str, Any]) -> Table:
    """At which trial each instance was first solved, by arm, its seeds one after the other."""
    reported = figures["split"]["reported"]
    first: dict[str, dict[str, dict[int, int | None]]] = {}
    for episode in episodes:
        if episode.spec.purpose != "attempt" or reported not in ("all", episode.spec.split):
            continue
        seeds = first.setdefault(episode.instance, {}).setdefault(episode.arm, {})
        known = seeds.setdefault(episode.seed, None)
        if episode.success is True and (known is None or episode.trial < known):
            seeds[episode.seed] = episode.trial
    arms = [arm for arm in figures["arms"] if any(arm in of for of in first.values())]
    rows = tuple(
        (instance, *(_solved_at(of.get(arm, {})) for arm in arms))
        for instance, of in sorted(first.items(), key=lambda pair: natural(pair[0]))[:_LISTED]
    )
    return Table(
        name="instances",
        caption="The trial at which each instance was first solved, one figure per seed",
        heads=("instance", *arms),
        rows=rows,
    )


def settings_table(record: RunRecord) -> Table:
    """All that the run was set to."""
    rows = tuple((key, setting(value)) for key, value in sorted(record.config.items()))
    return Table(name="settings", caption="Settings", heads=("setting", "value"), rows=rows)


def _solved_at(seeds: Mapping[int, int | None]) -> str | None:
    if not seeds:
        return None
    return " · ".join("–" if trial is None else str(trial) for _, trial in sorted(seeds.items()))

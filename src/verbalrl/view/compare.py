"""Two runs of one task side by side. Pure, but for the one function that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..execution.tally import outcome_of
from ..records import Lesson, RunRecord, Split
from ..result import Outcome, solved_by
from ..result.figures import judged
from ..stats import paired_chance, paired_difference
from ..store import Store
from .rows import check_measured, figures_of
from .tables import Table
from .trading import ReturnPair, return_pairs
from .wording import figure, rule, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a comparison needs of one run."""

    record: RunRecord
    figures: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    lessons: tuple[Lesson, ...]
    """Usable ones of the arm `learned`, first seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPair:
    """One arm in both runs."""

    arm: str
    one: float | None
    other: float | None
    difference: float | None
    """Other minus one, paired by instance and seed; None where they share none."""
    low: float | None
    high: float | None
    p: float | None
    """How often chance makes a difference as large."""
    n: int
    tokens: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    one: RunRecord
    other: RunRecord
    arms: tuple[ArmPair, ...]
    returns: tuple[ReturnPair, ...]
    """What they earned, on a task that is traded."""
    settings: tuple[tuple[str, str, str], ...]
    """(name, in one, in the other) of what differs."""
    both: tuple[str, ...]
    """Texts of lessons that both learned."""
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]


def read_side(store: Store, run: str) -> Side:
    """The run whose id begins with `run`.

    Raises `UnknownNameError`, and `ConfigurationError` for what was recorded while serving.
    """
    record = store.run(run)
    check_measured(record)
    episodes = store.episodes(run=record.id, steps=False)
    branches = [b for b in store.branches(record.id) if b.arm == "learned"]
    lessons = store.current_lessons(branches[0].id) if branches else ()
    return Side(
        record=record,
        figures=figures_of(store, record, episodes),
        outcomes=tuple(outcome_of(e) for e in episodes),
        lessons=tuple(x for x in lessons if x.usable),
    )


def compare(one: Side, other: Side) -> Comparison:
    """`one` and `other` by arm, setting and lesson.

    Raises:
        ConfigurationError: They are of different tasks, or one is simulated and the other is not.
    """
    check_alike(one.record, other.record)
    arms = dict.fromkeys((*one.figures["arms"], *other.figures["arms"]))
    texts = [_texts(side.lessons) for side in (one, other)]
    return Comparison(
        one=one.record,
        other=other.record,
        arms=tuple(_arm(arm, one, other) for arm in arms),
        returns=return_pairs(one.figures, other.figures),
        settings=differing(one.record.config, other.record.config),
        both=tuple(t for t in texts[0] if t in texts[1]),
        only_one=tuple(t for t in texts[0] if t not in texts[1]),
        only_other=tuple(t for t in texts[1] if t not in texts[0]),
    )


def check_alike(one: RunRecord, other: RunRecord) -> None:
    """Raise `ConfigurationError` where figures of the two must not stand side by side."""
    if one.task != other.task:
        raise ConfigurationError(
            f"run {one.id} is of {one.task}, run {other.id} of {other.task}; "
            "only runs of one task can be compared"
        )
    if one.simulated != other.simulated:
        fake = one.id if one.simulated else other.id
        raise ConfigurationError(
            f"run {fake} is simulated and the other is not; their figures never stand side by side"
        )


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The settings that differ, with both values."""
    flat = [dict(_flat(config)) for config in (one, other)]
    names = sorted(flat[0].keys() | flat[1].keys())
    pairs = [(name, flat[0].get(name, "–"), flat[1].get(name, "–")) for name in names]
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def arms_table(found: Comparison) -> Table:
    """The arms of both runs."""
    rows = tuple(
        (
            pair.arm,
            figure(pair.one),
            figure(pair.other),
            figure(pair.difference, signed=True),
            span((pair.low, pair.high), signed=True),
            figure(pair.p),
            pair.n,
            *pair.tokens,
        )
        for pair in found.arms
    )
    heads = (
        "arm",
        "first",
        "second",
        "difference",
        "95 %",
        "p",
        "paired",
        "tokens",
        "tokens 2",
    )
    return Table(name="comparison", caption="Success by arm", heads=heads, rows=rows)


def settings_table(found: Comparison) -> Table:
    """The settings that differ."""
    return Table(
        name="settings",
        caption="Settings that differ",
        heads=("setting", "first", "second"),
        rows=found.settings,
    )


def _arm(arm: str, one: Side, other: Side) -> ArmPair:
    sides = [side.figures["arms"].get(arm) for side in (one, other)]
    trials = [len(s["success_by_trial"]) if s else 0 for s in sides]
    solved = [_solved(s, arm, max(1, t)) for s, t in zip((one, other), trials, strict=True)]
    found = paired_difference(solved[1], solved[0]) if min(trials) else None
    chance = paired_chance(solved[1], solved[0]) if min(trials) else None
    low, high = (None, None) if found is None else (round(found.low, 4), round(found.high, 4))
    return ArmPair(
        arm=arm,
        one=sides[0]["success_rate"] if sides[0] else None,
        other=sides[1]["success_rate"] if sides[1] else None,
        difference=None if found is None else round(found.mean, 4),
        low=low,
        high=high,
        p=None if chance is None else round(chance, 4),
        n=0 if found is None else found.n,
        tokens=(_tokens(sides[0]), _tokens(sides[1])),
    )


def _solved(side: Side, arm: str, trial: int) -> dict[tuple[str, int], float]:
    split: Split = "test" if side.figures["split"]["reported"] == "test" else "train"
    return solved_by([o for o in judged(side.outcomes) if o.arm == arm], split, trial)


def _tokens(arm: Mapping[str, Any] | None) -> int:
    if arm is None:
        return 0
    return sum(t["input"] + t["cached"] + t["output"] for t in arm["tokens"].values())


def _texts(lessons: Iterable[Lesson]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule(x.body) for x in lessons))


def _flat(config: Mapping[str, Any], lead: str = "") -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += _flat(value, f"{lead}{key}.")
        else:
            found.append((f"{lead}{key}", value if isinstance(value, str) else json.dumps(value)))
    return found

"""Learning curves and differences as a plot shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A share of instances and its 95 % interval."""

    trial: int
    mean: float
    low: float | None
    """None where only the share is known."""
    high: float | None
    n: int
    """Instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How many instances an arm had solved at or before each trial."""

    arm: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The paired difference of an arm and `retry`."""

    arm: str
    trial: int
    mean: float
    low: float | None
    """None where there is no interval: of one instance."""
    high: float | None
    n: int
    of: int
    p: float | None = None
    """The chance of a difference as large; None in runs of before it was told."""


def known_curves(figures: Mapping[str, Any]) -> tuple[Curve, ...]:
    """The curves as far as `figures` alone tells them: an interval at the last trial only."""
    return tuple(
        Curve(arm=arm, points=_known(facts))
        for arm, facts in figures["arms"].items()
        if any(rate is not None for rate in facts["success_by_trial"])
    )


def gaps(figures: Mapping[str, Any]) -> tuple[Gap, ...]:
    """The paired differences that `figures` holds."""
    return tuple(
        Gap(
            arm=arm,
            trial=versus["trial"],
            mean=versus["diff"],
            low=(versus["ci95"] or (None, None))[0],
            high=(versus["ci95"] or (None, None))[1],
            n=versus["n"],
            of=versus.get("of", versus["n"]),
            p=versus.get("p"),
        )
        for arm, facts in figures["arms"].items()
        if (versus := facts.get("vs_retry"))
    )


def _known(facts: Mapping[str, Any]) -> tuple[Point, ...]:
    rates = facts["success_by_trial"]
    last, pair = len(rates), facts.get("ci95") or (None, None)
    return tuple(
        Point(
            trial=trial,
            mean=rate,
            low=pair[0] if trial == last else None,
            high=pair[1] if trial == last else None,
            n=facts.get("instances", 0),
        )
        for trial, rate in enumerate(rates, start=1)
        if rate is not None
    )

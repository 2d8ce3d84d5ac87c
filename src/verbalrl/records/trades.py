"""Trades of an attempt: runs of steps with one decision, and what each of them earned. Pure."""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import NamedTuple

from ..ids import canonical_json, normalised
from .content import Action, ToolCallPart
from .trajectory import Step, Trajectory


class Trade(NamedTuple):
    """A maximal run of steps at which the same was decided."""

    action: str
    """As it was written at the first of them."""
    steps: tuple[Step, ...]

    @property
    def profit(self) -> float | None:
        """The sum of the rewards; None where no step has one."""
        given = [step.reward for step in self.steps if step.reward is not None]
        return math.fsum(given) if given else None


def decision_of(action: Action) -> str:
    """What `action` decides, in one spelling: equal decisions give equal texts."""
    calls = [part for part in action.parts if isinstance(part, ToolCallPart)]
    if not calls:
        return normalised(action.text)
    return canonical_json([[call.name, _arguments(call.arguments)] for call in calls])


def _arguments(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return normalised(text)


def trades_of(trajectory: Trajectory) -> tuple[Trade, ...]:
    """The trades of an attempt, in their order."""
    runs = groupby(trajectory.steps, key=lambda step: decision_of(step.action))
    found = (tuple(steps) for _, steps in runs)
    return tuple(Trade(steps[0].action.text, steps) for steps in found)

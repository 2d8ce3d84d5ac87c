"""Reflexion: after a failed attempt, reflect; the next attempt on the same instance reads it.

Shinn et al. 2023 (arXiv 2303.11366), algorithm 1. The window of three reflections is the paper's.
Two departures, both named in the docs: reflections are lines with a condition instead of one
paragraph, and a reflection may carry earlier lines forward (`keeps`): the window counts critiques.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import (
    Batch,
    CurateLessons,
    Done,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    OpenRound,
    SharedView,
)
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings


class Reflexion(MethodSettings):
    """Attempt, reflect on a failure, attempt again, until solved or out of trials."""

    name: Literal["reflexion"] = "reflexion"
    learns: Learns = "instance"
    trials: int = Field(default=5, ge=1, le=MAX_TRIALS)
    window: int = Field(default=3, ge=1)
    """Critiques whose lines the next attempt reads."""
    budget: int = Field(default=1500, ge=0)
    """Tokens of guidance; 0: nothing is read, which is a control of its own."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The next attempt, or first the critique and the reflections of the last one."""
        if not view.attempts:
            return self._attempt(view, view.round.trial)
        last = view.attempts[-1]
        if view.solved:
            return Done(reason="solved")
        if last.trial >= self.trials:
            return Done(reason="trials")
        if self.learn and plans.worth_a_critique(last):
            critique = plans.critique_of(view, last)
            if critique is None:
                return plans.write_critique(last)
            if critique.status == "accepted" and critique.id not in view.curated:
                return self._reflect(view, critique.id)
        return self._attempt(view, last.trial + 1)

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round: no instance learns from another."""
        return plans.one_round(view, "train")

    def _attempt(self, view: InstanceView, trial: int) -> Batch:
        guidance = GuidanceSpec(
            source="recall", scopes=(view.instance_scope,), window=self.window, budget=self.budget
        )
        return plans.attempt(view, trial, {"actor": guidance}, self.max_steps)

    def _reflect(self, view: InstanceView, critique: str) -> Batch:
        work = CurateLessons(
            critiques=(critique,), scope=view.instance_scope, kind=LessonKind.REFLECTION
        )
        return Batch(work=(work,))


def reflexion(*, trials: int = 5, window: int = 3, budget: int = 1500) -> Reflexion:
    """Reflexion with `trials` attempts per instance and a window of `window` critiques."""
    return Reflexion(trials=trials, window=window, budget=budget)

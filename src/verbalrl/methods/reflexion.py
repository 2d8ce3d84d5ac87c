"""Reflexion: after a failed attempt, reflect; the next attempt on the same instance reads it.

Shinn et al. 2023 (arXiv 2303.11366), algorithm 1. The window of three reflections is the paper's;
the strategies and the tokens of the last attempt are those of its code. Two departures, both named
in the docs: reflections are lines with a condition instead of one paragraph, and a reflection may
carry earlier lines forward (`carry`): the window counts critiques.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import Batch, Done, GuidanceSpec, InstanceView, OpenRound, SharedView, Shows
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings

Strategy = Literal["none", "last_attempt", "reflexion", "both"]


class Reflexion(MethodSettings):
    """Attempt, reflect on a failure, attempt again, until solved or out of trials."""

    name: Literal["reflexion"] = "reflexion"
    learns: Learns = "instance"
    trials: int = Field(default=5, ge=1, le=MAX_TRIALS)
    strategy: Strategy = "reflexion"
    """What the next attempt reads: nothing, the last attempt word for word, the reflections, or
    both: the last attempt and the newest reflection alone."""
    window: int = Field(default=3, ge=1)
    """Critiques whose lines the next attempt reads; of the strategy `both` it is 1."""
    budget: int = Field(default=1500, ge=0)
    """Tokens of guidance; 0: nothing is read, which is a control of its own."""
    attempt_budget: int = Field(default=1600, ge=0)
    """Tokens of the last attempt, beside them."""
    carry: bool = True
    """The critic sees the earlier lines and says which still hold; those outlive the window. False:
    it does not see them, and the window alone decides."""
    prune: bool = False
    """Lines are left out once the trial after their critique earned less than the one before."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The next attempt, or first the critique and the reflections of the last one."""
        return plans.next_trial(
            view,
            self.trials,
            lambda trial: self._attempt(view, trial),
            learn=self.learn and self.strategy in ("reflexion", "both"),
            shows=Shows(earlier=self.carry),
        )

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round: no instance learns from another."""
        return plans.one_round(view, "train")

    def _attempt(self, view: InstanceView, trial: int) -> Batch:
        if self.strategy == "none":
            return plans.attempt(view, trial, max_steps=self.max_steps)
        shown = [e.trial for e in view.attempts if plans.worth_a_critique(e)][-1:]
        guidance = GuidanceSpec(
            source="recall", scopes=(view.instance_scope,), window=self.window, budget=self.budget
        )
        if self.strategy == "last_attempt":
            guidance = GuidanceSpec(source="text")
        elif self.strategy == "both":
            guidance = guidance.replace(window=1)
        if self.strategy != "reflexion":
            guidance = guidance.replace(attempts=tuple(shown), examples_budget=self.attempt_budget)
        if self.prune:
            credit = plans.credits_of(view)
            lost = (x.id for x in view.reflections if credit.get(x.critique or "", 0.0) < 0)
            guidance = guidance.replace(force_out=tuple(lost))
        return plans.attempt(view, trial, {"actor": guidance}, self.max_steps)


def reflexion(
    *,
    trials: int = 5,
    strategy: Strategy = "reflexion",
    window: int = 3,
    budget: int = 1500,
    carry: bool = True,
    prune: bool = False,
) -> Reflexion:
    """Reflexion with `trials` attempts per instance and a window of `window` critiques."""
    return Reflexion(
        trials=trials, strategy=strategy, window=window, budget=budget, carry=carry, prune=prune
    )

"""The control arm `raw_failures`: what failed is shown word for word, and nobody criticises it.

A gain over it is what the words of critic and curator add to merely seeing earlier attempts.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import Batch, Done, GuidanceSpec, HookSpec, InstanceView, OpenRound, SharedView
from . import plans
from .base import Learns, MethodSettings


class RawFailures(MethodSettings):
    """Trials, stop rule, rounds and budget of the method that it controls."""

    name: Literal["raw_failures"] = "raw_failures"
    learns: Learns = "instance"
    budget: int = Field(default=1500, ge=0)
    """Tokens of the attempts shown."""
    examples: int = Field(default=3, ge=1)
    """Failures of the nearest tasks that one prompt shows, where instances share memory."""
    round_size: int = Field(default=32, ge=1)
    hooks: tuple[HookSpec, ...] = ()
    """What acts inside the episodes of every arm."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Attempt with the last failure of the instance in view, or with failures like it."""
        if self.learns == "shared":
            near = GuidanceSpec(
                source="text",
                examples=self.examples,
                examples_of="failure",
                examples_budget=self.budget,
            )
            return plans.once(view, {"actor": near}, self.max_steps, hooks=self.hooks)
        failed = [e.trial for e in view.attempts if plans.worth_a_critique(e)]
        last = GuidanceSpec(source="text", attempts=tuple(failed[-1:]), examples_budget=self.budget)
        given = {"actor": last} if failed else None
        return plans.next_trial(
            view,
            self.trials,
            lambda trial: plans.attempt(view, trial, given, self.max_steps, hooks=self.hooks),
            learn=False,
        )

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round of single instances; else passes over the train split, then the test split."""
        if self.learns == "instance":
            return plans.one_round(view, "train")
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        opened = plans.next_of_pass(view, self.round_size, self.trials) if self.learn else None
        return opened or plans.one_more(view, "test")

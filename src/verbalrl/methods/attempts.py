"""The control arms `none` and `retry`: attempts without memory, critic or curator."""

from __future__ import annotations

from typing import Literal

from ..records import Batch, Done, HookSpec, InstanceView, OpenRound, SharedView, Split
from . import plans
from .base import Learns, MethodSettings


class Attempts(MethodSettings):
    """Instances, trials, stop rule and seeds of the method it controls; nothing injected."""

    name: Literal["none", "retry"] = "retry"
    learns: Learns = "instance"
    split: Split = "train"
    """Where the method that it controls is read."""
    hooks: tuple[HookSpec, ...] = ()
    """What acts inside the episodes of every arm."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Attempt until solved or out of trials."""
        return plans.next_trial(
            view,
            self.trials,
            lambda trial: plans.attempt(view, trial, max_steps=self.max_steps, hooks=self.hooks),
            learn=False,
        )

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round over everything; nothing of it may be learned from."""
        return plans.one_round(view, self.split, evaluate=True)

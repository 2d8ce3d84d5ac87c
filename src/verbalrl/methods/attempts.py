"""The control arms `none` and `retry`: attempts without memory, critic or curator."""

from __future__ import annotations

from typing import Literal

from ..records import Batch, Done, InstanceView, OpenRound, SharedView, Split
from . import plans
from .base import Learns, MethodSettings


class Attempts(MethodSettings):
    """Instances, trials, stop rule and seeds of the method it controls; nothing injected."""

    name: Literal["none", "retry"] = "retry"
    learns: Learns = "instance"
    split: Split = "train"
    """Where the method that it controls is read."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Attempt until solved or out of trials."""
        if view.solved:
            return Done(reason="solved")
        trial = view.attempts[-1].trial + 1 if view.attempts else 1
        if trial > self.trials:
            return Done(reason="trials")
        return plans.attempt(view, trial, max_steps=self.max_steps)

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round over everything; nothing of it may be learned from."""
        return plans.one_round(view, self.split, evaluate=True)

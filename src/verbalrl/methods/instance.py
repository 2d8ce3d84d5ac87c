"""The base of methods that learn nothing which another instance, or another trial, could read."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..records import Batch, Done, InstanceView, OpenRound, SharedView
from . import plans
from .base import MAX_TRIALS, WITHOUT_MEMORY, Learns, MethodSettings


class InstanceMethod(MethodSettings):
    """One round over all instances, each with up to `trials` attempts that begin anew."""

    controls: ClassVar[tuple[str, ...]] = WITHOUT_MEMORY
    learns: Learns = "instance"
    trials: int = Field(default=1, ge=1, le=MAX_TRIALS)

    def next_trial(self, view: InstanceView) -> int | Done:
        """The number of the attempt that is due, unless the instance is done with."""
        if view.solved:
            return Done(reason="solved")
        trial = view.attempts[-1].trial + 1 if view.attempts else view.round.trial
        return Done(reason="trials") if trial > self.trials else trial

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round: no instance learns from another."""
        return plans.one_round(view, "train")

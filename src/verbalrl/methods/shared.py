"""The base of methods that learn lessons which other instances read."""

from __future__ import annotations

from pydantic import Field

from ..records import Batch, Done, OpenRound, SharedView
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings


class SharedMethod(MethodSettings):
    """Passes over the train split in rounds, a commit after each; then the test split, frozen."""

    learns: Learns = "shared"
    trials: int = Field(default=3, ge=1, le=MAX_TRIALS)
    """Passes over the train split; solved instances are not repeated."""
    round_size: int = Field(default=32, ge=1)
    """Instances per round: a constant, so that concurrency cannot change what is learned."""
    budget: int = Field(default=1500, ge=0)
    """Tokens of guidance."""
    max_lessons: int = Field(default=24, ge=1)

    @property
    def passes(self) -> int:
        """Passes that are made as it is set; none where nothing is learned."""
        return self.trials if self.learn else 0

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Curate what the last round left, open the next one, at the end freeze and evaluate."""
        return (
            self.curate(view)
            or plans.next_of_pass(view, self.round_size, self.passes)
            or plans.read(view)
        )

    def curate(self, view: SharedView) -> Batch | None:
        """What the closed rounds still ask for: behaviors from all critiques; None when done."""
        return plans.behaviors(view, plans.accepted(view), max_lessons=self.max_lessons)

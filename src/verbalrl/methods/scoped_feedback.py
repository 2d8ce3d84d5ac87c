"""Scoped feedback: what a person wants stands in the prompt where it holds, and nowhere else.

Stephan et al. 2024, "RLVF" (arXiv 2402.10893), without its training: feedback has a domain and an
effect, and obeying it everywhere is as wrong as not obeying it. `verbalrl advise` makes conditional
lessons of it; this method reads them (`--from main`), beside a baseline that has none, so that
`memory.scoping` can say where it was applied, in, near and away from its domain.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..records import Batch, Done, FreezeMemory, GuidanceSpec, InstanceView, OpenRound, SharedView
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings


class ScopedFeedback(MethodSettings):
    """A baseline and an attempt with the feedback, on each instance; nothing is learned."""

    name: Literal["scoped_feedback"] = "scoped_feedback"
    learns: Learns = "shared"
    controls: ClassVar[tuple[str, ...]] = ("none", "retry", "learned")
    trials: int = Field(default=1, ge=1, le=MAX_TRIALS)
    """How often each instance is attempted, solved or not: draws of one measurement."""
    learn: bool = False
    gate: Literal["words", "model", "always"] = "words"
    """Who says whether a domain is met; `always`: nobody, all of it stands in every prompt, as in
    the paper's baseline in context."""
    baseline: bool = True
    """An episode without feedback comes first, which no curve counts."""
    budget: int = Field(default=1500, ge=0)

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The baseline, then the attempt."""
        trial = view.round.trial
        if self.baseline and not plans.searched(view, trial):
            return Batch(work=(plans.search(view, trial, 1, max_steps=self.max_steps),))
        if not any(e.trial == trial for e in view.attempts):
            return plans.attempt(view, trial, {"actor": self._guidance(view)}, self.max_steps)
        return Done(reason="attempted")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """A round per trial over the test split, or the train split of tasks without one."""
        number = len(view.rounds) + 1
        if number > self.trials:
            return Done(reason="evaluated")
        split: Literal["train", "test"] = "test" if view.test else "train"
        if not plans.frozen(view):
            return Batch(work=(FreezeMemory(split=split),))
        read = plans.one_more(view, split)
        return read if isinstance(read, Done) else read.replace(trial=number)

    def _guidance(self, view: InstanceView) -> GuidanceSpec:
        if self.gate == "always":
            ids = tuple(lesson.id for lesson in view.lessons)
            return GuidanceSpec(source="lessons", lessons=ids, budget=self.budget)
        return GuidanceSpec(
            source="recall", scopes=(view.scope,), budget=self.budget, condition=self.gate
        )


def scoped_feedback(
    *, gate: Literal["words", "model", "always"] = "words", baseline: bool = True
) -> ScopedFeedback:
    """Feedback where its domain is met, as `gate` says, beside a baseline without it."""
    return ScopedFeedback(gate=gate, baseline=baseline)

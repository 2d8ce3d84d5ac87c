"""ExpeL: gather attempts, vote insights out of them, recall successes when it counts.

Zhao et al. 2024 (arXiv 2308.10144), with the constants of its code: up to four attempts with all
reflections of the instance; insights from every pair of a failure and a success, then from chunks
of eight successes; counts that begin with 2; two recalled successes beside the insights. Departures
are named in the docs: comparisons are critiques, and their groups vote side by side.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..ids import seed_from
from ..records import Batch, Done, InstanceView, OpenRound, Operation, SharedView
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings

SUCCESS = "critic/success"
VOTES = (Operation.ADD, Operation.REVISE, Operation.SUPPORT, Operation.RETIRE)


class Expel(MethodSettings):
    """Gather, extract, then one attempt with insights and recalled successes."""

    name: Literal["expel"] = "expel"
    learns: Learns = "shared"
    trials: int = Field(default=4, ge=1, le=MAX_TRIALS)
    """Attempts per train instance while gathering."""
    insights: bool = True
    """False: successes are recalled and nothing else is learned."""
    examples: int = Field(default=2, ge=0)
    """Successes of the nearest tasks in a prompt; 0: insights alone."""
    examples_budget: int = Field(default=3000, ge=0)
    """Tokens of these, beside the insights."""
    budget: int = Field(default=1500, ge=0)
    """Tokens of insights, and of reflections while gathering."""
    max_lessons: int = Field(default=20, ge=1)
    pairs: int = Field(default=8, ge=1)
    """Comparisons per proposing call; the paper's 1 makes a call for each."""
    chunk: int = Field(default=8, ge=1)
    """Successes per proposing call."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Gather on one instance, then compare; in an evaluating round one attempt."""
        if view.round.evaluate:
            shown = {"examples": self.examples, "examples_budget": self.examples_budget}
            recalled = plans.recall(view.scope, self.budget, **shown)
            return plans.once(view, recalled, self.max_steps)
        step = plans.own_trials(view, self.trials, self.budget, self.max_steps)
        return self._compare(view) if isinstance(step, Done) else step

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round that gathers, the comparisons, the successes, then the test split."""
        if self.learn and not view.rounds:
            return OpenRound(instances=view.train, split="train")
        return (
            self._extract(view, plans.PAIR, self.pairs)
            or self._extract(view, SUCCESS, self.chunk)
            or plans.read(view)
        )

    def _compare(self, view: InstanceView) -> Batch | Done:
        """Every failure beside the success, and the success alone; reflections are not shown."""
        won = next((e for e in view.attempts if e.success is True), None)
        if won is None or not self.insights or not won.trajectory.steps:
            return Done(reason="gathered")
        lost = [e for e in view.attempts if e.success is False and plans.worth_a_critique(e)]
        pairs = [plans.plain_critique(plans.PAIR, e, won) for e in lost]
        asked = [*pairs, plans.plain_critique(SUCCESS, won)]
        return plans.unwritten(view, asked) or Done(reason="compared")

    def _extract(self, view: SharedView, template: str, size: int) -> Batch | None:
        """Insights from all critiques by `template`, `size` in a call; successes as drawn."""
        found = plans.accepted(view, template)
        if template == SUCCESS:
            found = tuple(sorted(found, key=lambda c: seed_from("expel", c.instance)))
        return plans.behaviors(
            view,
            found,
            again=False,
            operations=VOTES,
            group=size,
            max_lessons=self.max_lessons,
            votes="expel",
        )


def expel(
    *,
    trials: int = 4,
    insights: bool = True,
    examples: int = 2,
    max_lessons: int = 20,
    budget: int = 1500,
) -> Expel:
    """ExpeL with up to `trials` attempts per train instance and `examples` recalled successes."""
    return Expel(
        trials=trials,
        insights=insights,
        examples=examples,
        max_lessons=max_lessons,
        budget=budget,
    )

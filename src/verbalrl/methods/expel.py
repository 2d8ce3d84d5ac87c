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
from ..records import (
    Batch,
    CurateLessons,
    Done,
    FreezeMemory,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    OpenRound,
    Operation,
    SharedView,
    Shows,
    WriteCritique,
)
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings

PAIR, SUCCESS = "critic/pair", "critic/success"
_VOTES = (Operation.ADD, Operation.REVISE, Operation.SUPPORT, Operation.RETIRE)


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
            return self._evaluate(view)
        step = plans.next_trial(view, self.trials, lambda trial: self._gather(view, trial))
        return self._compare(view) if isinstance(step, Done) else step

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round that gathers, the comparisons, the successes, then the test split."""
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        if self.learn and not view.rounds:
            return OpenRound(instances=view.train, split="train")
        for template, size in ((PAIR, self.pairs), (SUCCESS, self.chunk)):
            if pending := _pending(view, template):
                return self._extract(view, pending, size)
        if not any(d.kind == "freeze" for d in view.decisions):
            return Batch(work=(FreezeMemory(split="test"),))
        return plans.one_more(view, "test")

    def _gather(self, view: InstanceView, trial: int) -> Batch:
        own = GuidanceSpec(source="recall", scopes=(view.instance_scope,), budget=self.budget)
        return plans.attempt(view, trial, {"actor": own}, self.max_steps)

    def _evaluate(self, view: InstanceView) -> Batch | Done:
        if any(e.spec.round == view.number for e in view.attempts):
            return Done(reason="round")
        recalled = GuidanceSpec(
            source="recall",
            scopes=(view.scope,),
            budget=self.budget,
            examples=self.examples,
            examples_budget=self.examples_budget,
        )
        return plans.attempt(view, 1, {"actor": recalled}, self.max_steps)

    def _compare(self, view: InstanceView) -> Batch | Done:
        """Every failure beside the success, and the success alone; reflections are not shown."""
        won = next((e for e in view.attempts if e.success is True), None)
        if won is None or not self.insights or not won.trajectory.steps:
            return Done(reason="gathered")
        lost = [e for e in view.attempts if e.success is False and plans.worth_a_critique(e)]
        shows = Shows(earlier=False)
        asked = [WriteCritique(episodes=(e.id, won.id), template=PAIR, shows=shows) for e in lost]
        asked.append(WriteCritique(episodes=(won.id,), template=SUCCESS, shows=shows))
        written = {(c.episodes, c.template) for c in view.critiques}
        missing = tuple(w for w in asked if (w.episodes, w.template) not in written)
        return Batch(work=missing) if missing else Done(reason="compared")

    def _extract(self, view: SharedView, pending: tuple[str, ...], size: int) -> Batch:
        work = CurateLessons(
            critiques=pending,
            scope=view.scope,
            kind=LessonKind.BEHAVIOR,
            operations=_VOTES,
            group=size,
            max_lessons=self.max_lessons,
            votes="expel",
        )
        return Batch(work=(work,))


def _pending(view: SharedView, template: str) -> tuple[str, ...]:
    """Accepted critiques of one kind that no commit has consumed; successes in a drawn order."""
    found = [c for r in view.rounds for c in r.critiques if c.template == template]
    if template == SUCCESS:
        found.sort(key=lambda c: seed_from("expel", c.instance))
    return tuple(c.id for c in found if c.status == "accepted" and c.id not in view.curated)


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

"""Self-Refine: an output, feedback on it by the same model, a better output, until it is content.

Madaan et al. 2023 (arXiv 2303.17651), algorithm 1: nobody judges the outputs on the way, the
refining prompt holds the whole history, at most four refinements, nothing is remembered beyond the
instance. The output that is kept is submitted as the attempt.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import (
    Batch,
    Critique,
    Done,
    Episode,
    InstanceView,
    RunEpisode,
    Shows,
    WriteCritique,
)
from . import plans
from .instance import InstanceMethod

UNTOLD = Shows(feedback=False, reward=False, outcome=False, earlier=False)
"""What feedback is given on: the output, and nothing that says how it went."""


class SelfRefine(InstanceMethod):
    """Output, feedback, refined output; the last one is submitted."""

    name: Literal["self_refine"] = "self_refine"
    refinements: int = Field(default=4, ge=0)
    """How often an output is refined at most."""
    history: Literal["all", "last"] = "all"
    """What the refining prompt holds: every output with its feedback, or the last pair."""
    keep: Literal["last", "best"] = "last"
    """Which output is submitted: the last, or the one that its feedback thought likeliest right,
    as for the paper's rubrics; then the last output is given feedback too."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The next output, the feedback on the last one, or the attempt."""
        trial = self.next_trial(view)
        if isinstance(trial, Done):
            return trial
        outputs = plans.searched(view, trial)
        if not outputs:
            return Batch(work=(plans.search(view, trial, 1, max_steps=self.max_steps),))
        last = outputs[-1]
        feedback = plans.critique_of(view, last)
        if feedback is None and self._wants_feedback(outputs):
            return Batch(work=(_feedback_on(last),))
        if len(outputs) <= self.refinements and feedback and _asks_for_more(feedback):
            return Batch(work=(self._refinement(view, outputs),))
        return plans.submit(view, self._kept(view, outputs), outputs)

    def _wants_feedback(self, outputs: tuple[Episode, ...]) -> bool:
        more = len(outputs) <= self.refinements or self.keep == "best"
        return more and plans.worth_a_critique(outputs[-1])

    def _refinement(self, view: InstanceView, outputs: tuple[Episode, ...]) -> RunEpisode:
        pairs = [(plans.output_of(e), _text(plans.critique_of(view, e))) for e in outputs]
        earlier = tuple(pairs[:-1]) if self.history == "all" else ()
        last, said, number = outputs[-1], pairs[-1][1], len(outputs) + 1
        return plans.refinement(view, last, said, number, self.max_steps, earlier)

    def _kept(self, view: InstanceView, outputs: tuple[Episode, ...]) -> Episode:
        """The output to be submitted; one that broke only where there is no other."""
        whole = [e for e in outputs if plans.worth_a_critique(e)] or list(outputs)
        if self.keep == "last":
            return whole[-1]
        sure = [getattr(plans.critique_of(view, e), "confidence", None) or 0.0 for e in whole]
        return whole[sure.index(max(sure))]


def _feedback_on(output: Episode) -> WriteCritique:
    return WriteCritique(episodes=(output.id,), template="critic/feedback", shows=UNTOLD)


def _text(feedback: Critique | None) -> str:
    return plans.said(feedback) if feedback else ""


def _asks_for_more(feedback: Critique) -> bool:
    """False once it is content, and where it cannot be used."""
    return feedback.status == "accepted" and feedback.verdict != "success" and bool(_text(feedback))


def self_refine(
    *, refinements: int = 4, history: Literal["all", "last"] = "all", trials: int = 1
) -> SelfRefine:
    """Self-Refine with at most `refinements` refinements of each output."""
    return SelfRefine(refinements=refinements, history=history, trials=trials)

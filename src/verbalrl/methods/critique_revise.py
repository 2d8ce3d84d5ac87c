"""Critique-and-revise, a baseline: the next attempt revises the last one, and nothing is kept.

The baseline of Metacognitive Reuse (Didolkar et al. 2025, arXiv 2509.13237) and of RCI's reasoning
tasks: the same attempts, stop rule and critic as reflexion, without a memory.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import Batch, Done, Episode, InstanceView, Previous
from . import plans
from .base import MAX_TRIALS
from .instance import InstanceMethod


class CritiqueRevise(InstanceMethod):
    """Attempt, critique, an attempt that is shown the last output with its critique, and so on."""

    name: Literal["critique_revise"] = "critique_revise"
    trials: int = Field(default=5, ge=1, le=MAX_TRIALS)

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The next attempt, or first the critique of the last one."""
        if not view.attempts:
            return plans.attempt(view, view.round.trial, max_steps=self.max_steps)
        last = view.attempts[-1]
        if view.solved:
            return Done(reason="solved")
        if last.trial >= self.trials:
            return Done(reason="trials")
        if due := plans.critique_due(view, last):
            return due
        revises = _previous(view, last)
        return plans.attempt(view, last.trial + 1, max_steps=self.max_steps, revises=revises)


def _previous(view: InstanceView, last: Episode) -> Previous | None:
    """The last output and what was said of it; None where its critique cannot be used."""
    critique = plans.critique_of(view, last)
    text = plans.said(critique) if critique and critique.status == "accepted" else ""
    return Previous(output=plans.output_of(last), critique=text) if text else None


def critique_revise(*, trials: int = 5) -> CritiqueRevise:
    """Critique-and-revise with `trials` attempts per instance."""
    return CritiqueRevise(trials=trials)

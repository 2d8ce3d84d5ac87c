"""Critique-refine: fresh outputs, refinements guided by critiques, and a verifier keeps the best.

Zhang et al. 2025, "Critique-GRPO" (arXiv 2506.03106), without its training: seven fresh outputs and
one refinement. The verifier is the task's own reward, so the selection is oracle-supervised and
tables say so. The critic that tells the answer makes training pairs only: what was refined with it
is never selected, evaluated or learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ..diverse import elliptic, word_vectors
from ..records import Batch, Critique, Done, Episode, InstanceView, WriteCritique
from . import plans
from .base import Requirement, Selector
from .instance import InstanceMethod

TEMPLATES = {"verdict": "check:verdict", "answer": "check:answer", "text": "critic/critique"}


class CritiqueRefine(InstanceMethod):
    """Fresh outputs, critiques of wrong ones, refinements; the verifier's best is submitted."""

    name: Literal["critique_refine"] = "critique_refine"
    fresh: int = Field(default=7, ge=1, le=64)
    """Outputs without a critique."""
    refinements: int = Field(default=1, ge=0, le=64)
    """Outputs that are criticised and refined."""
    critic: Literal["verdict", "answer", "text"] = "text"
    """What is said of an output: right or wrong; that and the answer; or a critique in words."""
    refine: Literal["wrong", "all"] = "wrong"
    """Which outputs may be refined; right ones too show how often a critique breaks one."""
    pick: Literal["first", "diverse"] = "first"
    """Which of these are: the first, or those least like one another by their words."""

    @property
    def requires(self) -> frozenset[Requirement]:
        """Reference answers, for the critic that tells them."""
        return frozenset({"answers"}) if self.critic == "answer" else frozenset()

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """The verifier."""
        return {"verifier": plans.best}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Outputs, critiques, refinements, the selection, the attempt."""
        trial = self.next_trial(view)
        if isinstance(trial, Done):
            return trial
        outputs = plans.searched(view, trial)
        if not outputs:
            limit, wanted = self.max_steps, range(1, self.fresh + 1)
            return Batch(work=tuple(plans.search(view, trial, n, max_steps=limit) for n in wanted))
        picked = self._picked(outputs[: self.fresh])
        if due := plans.unwritten(view, map(self._critique, picked)):
            return due
        if len(outputs) == self.fresh and (more := self._refined(view, picked)):
            return more
        told = self.critic == "answer"
        honest = tuple(e for e in outputs if not (told and e.spec.revises))
        return plans.select(view, honest, "verifier", supervision="oracle")

    def _picked(self, fresh: tuple[Episode, ...]) -> list[Episode]:
        either = self.refine == "all"
        may = [e for e in fresh if plans.worth_a_critique(e) and (either or e.success is not True)]
        if self.pick == "first":
            return may[: self.refinements]
        vectors = word_vectors([plans.output_of(e) for e in may])
        return [may[n] for n in sorted(p.place for p in elliptic(vectors, self.refinements))]

    def _critique(self, output: Episode) -> WriteCritique:
        return WriteCritique(episodes=(output.id,), template=TEMPLATES[self.critic])

    def _refined(self, view: InstanceView, picked: list[Episode]) -> Batch | None:
        """A refinement of each output whose critique can be used; None without one."""
        texts = [self._usable(plans.critique_of(view, e)) for e in picked]
        work = [
            plans.refinement(view, output, text, self.fresh + n, self.max_steps)
            for n, (output, text) in enumerate(zip(picked, texts, strict=True), start=1)
            if text
        ]
        return Batch(work=tuple(work)) if work else None

    def _usable(self, critique: Critique | None) -> str:
        """What a critique says; that it tells the answer is no fault where it is to."""
        if critique is None:
            return ""
        told = self.critic == "answer" and critique.reveals_answer
        return plans.said(critique) if told or critique.status == "accepted" else ""


def critique_refine(
    *,
    fresh: int = 7,
    refinements: int = 1,
    critic: Literal["verdict", "answer", "text"] = "text",
    trials: int = 1,
) -> CritiqueRefine:
    """`fresh` outputs and `refinements` guided by critiques; the verifier keeps the best."""
    return CritiqueRefine(fresh=fresh, refinements=refinements, critic=critic, trials=trials)

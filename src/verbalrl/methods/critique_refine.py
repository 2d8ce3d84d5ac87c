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
from ..records import (
    Batch,
    Critique,
    Done,
    Episode,
    InstanceView,
    SelectCandidate,
    WriteCritique,
)
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
        critiques = [plans.critique_of(view, e) for e in picked]
        if missing := [e for e, c in zip(picked, critiques, strict=True) if c is None]:
            return Batch(work=tuple(self._critique(e) for e in missing))
        if len(outputs) == self.fresh and (more := self._refined(view, picked, critiques)):
            return more
        return self._chosen(view, outputs)

    def _picked(self, fresh: tuple[Episode, ...]) -> list[Episode]:
        either = self.refine == "all"
        may = [e for e in fresh if plans.worth_a_critique(e) and (either or e.success is not True)]
        if self.pick == "first":
            return may[: self.refinements]
        vectors = word_vectors([plans.output_of(e) for e in may])
        return [may[n] for n in sorted(p.place for p in elliptic(vectors, self.refinements))]

    def _critique(self, output: Episode) -> WriteCritique:
        return WriteCritique(episodes=(output.id,), template=TEMPLATES[self.critic])

    def _refined(
        self, view: InstanceView, picked: list[Episode], critiques: list[Critique | None]
    ) -> Batch | None:
        """A refinement of each output whose critique can be used; None without one."""
        work = [
            plans.refinement(view, output, plans.said(critique), self.fresh + n, self.max_steps)
            for n, (output, critique) in enumerate(zip(picked, critiques, strict=True), start=1)
            if critique and self._usable(critique) and plans.said(critique)
        ]
        return Batch(work=tuple(work)) if work else None

    def _usable(self, critique: Critique) -> bool:
        return critique.status == "accepted" or (
            self.critic == "answer" and critique.reveals_answer
        )

    def _chosen(self, view: InstanceView, outputs: tuple[Episode, ...]) -> Batch:
        """The selection, and then the attempt that submits what was selected."""
        barred = self.critic == "answer"
        may = tuple(e for e in outputs if not (barred and e.spec.revises))
        ids = tuple(e.id for e in may)
        chosen = next((d.chosen for d in view.decisions if d.chosen in ids), None)
        if chosen is None:
            work = SelectCandidate(candidates=ids, selector="verifier", supervision="oracle")
            return Batch(work=(work,))
        return plans.submit(view, next(e for e in may if e.id == chosen), may)


def critique_refine(
    *,
    fresh: int = 7,
    refinements: int = 1,
    critic: Literal["verdict", "answer", "text"] = "text",
    trials: int = 1,
) -> CritiqueRefine:
    """`fresh` outputs and `refinements` guided by critiques; the verifier keeps the best."""
    return CritiqueRefine(fresh=fresh, refinements=refinements, critic=critic, trials=trials)

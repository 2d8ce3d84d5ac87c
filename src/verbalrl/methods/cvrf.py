"""Conceptual verbal reinforcement: beliefs edited by comparing consecutive training episodes.

FinCon (Yu et al. 2024, arXiv 2407.06567, section 3.3, Algorithm 1): two consecutive episodes are
compared by the objective J, a critic draws insights per aspect from what won and lost, and the
beliefs are edited, the less the more the two agree. At most 4 episodes, none more once they agree
on 80 % of the decisions; beliefs are frozen for the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ..records import (
    Batch,
    Done,
    FreezeMemory,
    HookSpec,
    InstanceView,
    OpenRound,
    SharedView,
)
from . import beliefs, comparing, plans
from .base import MAX_TRIALS, CommitCheck, Learns, MethodSettings, Requirement
from .stepping import within_step


class Cvrf(MethodSettings):
    """A round per trial over all train instances, with an edit of beliefs from the second on."""

    name: Literal["cvrf"] = "cvrf"
    learns: Learns = "shared"
    trials: int = Field(default=4, ge=1, le=MAX_TRIALS)
    """Episodes of each train instance, at most."""
    overlap: float = Field(default=0.8, gt=0, le=1)
    """Share of equal decisions in two consecutive rounds at which learning ends."""
    control: bool = True
    """Whether the risk control acts inside the episodes, at test too."""
    aspects: tuple[str, ...] = ()
    """What beliefs may be about, and which role gets them; empty: the roles of the team."""
    memos: bool = False
    """Whether the manager of a team that recalls memos goes on from those of earlier rounds. It
    then hears of days that are still to come, so that training looks better than the test."""
    discount: float = Field(default=1.0, gt=0, le=1)
    """What a reward is worth a step later, in J."""
    portion: int = Field(default=4, ge=1)
    """Trades per critique, about."""
    portions: int = Field(default=12, ge=1)
    """Critiques per instance and round, at most."""
    evidence: int = Field(default=32_000, ge=1_000)
    """Tokens of the steps that an edit rests on, in a prompt. A round brings one for each lesson of
    its critiques; where they do not fit, what was seen there is cut, and with it the cue."""
    max_lessons: int = Field(default=24, ge=1)
    budget: int = Field(default=1500, ge=0)
    """Tokens of beliefs in a prompt."""

    @property
    def requires(self) -> frozenset[Requirement]:
        """Decisions that can be compared one by one."""
        return frozenset({"aligned"}) if self.learn else frozenset()

    @property
    def throughout(self) -> tuple[HookSpec, ...]:
        """The control of risk, so that what an arm gains is not the control's."""
        return (HookSpec(name="cvar"),) if self.control else ()

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        """The step size."""
        return {"step": within_step}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The attempt of the round; from the second on its comparison with the one before."""
        if not any(e.spec.round == view.number for e in view.attempts):
            hooks = self.throughout
            given = beliefs.guidance(view, self.aspects, self.budget)
            if self.memos:
                before = tuple(e.trial for e in view.attempts)
                given["actor"] = given["actor"].replace(memos=before)
            return plans.attempt(view, view.round.trial, given, self.max_steps, hooks=hooks)
        compared = None if view.round.evaluate else comparing.compared(view, self)
        return compared or Done(reason="round")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Edit the beliefs, run the next episode, or freeze them and evaluate."""
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        if edit := beliefs.edit(view, self.aspects, self.max_lessons, self.evidence):
            return edit
        agreed = comparing.agreed(view)
        ends = len(view.rounds) >= self.trials or (agreed or 0) >= self.overlap
        if self.learn and not ends:
            return OpenRound(instances=view.train, trial=len(view.rounds) + 1)
        if not any(d.kind == "freeze" for d in view.decisions):
            why = "" if agreed is None else f"overlap {agreed:.3f}"
            return Batch(work=(FreezeMemory(reason=why),))
        return plans.one_more(view, "test")


def cvrf(
    *, trials: int = 4, overlap: float = 0.8, control: bool = True, budget: int = 1500
) -> Cvrf:
    """Beliefs from at most `trials` episodes of each train instance, until two agree enough."""
    return Cvrf(trials=trials, overlap=overlap, control=control, budget=budget)

"""The behavior handbook: name what worked and what did not, and reuse it on other instances.

Didolkar et al. 2025, "Metacognitive Reuse" (arXiv 2509.13237): behaviors are drawn from the agent's
own attempts and stand in the prompts of later ones. Here a behavior always says when it applies.
The modes are the paper's: behaviors in context (`bci`), drawn from attempts at the very question
(`self_improve`), and a handbook that is made once and never read while it is made (`static`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ..records import (
    Batch,
    CurateLessons,
    Done,
    FreezeMemory,
    Gate,
    GuidanceSpec,
    InstanceView,
    JudgeLessons,
    LessonKind,
    OpenRound,
    SharedView,
    Shows,
)
from . import plans
from .base import MAX_TRIALS, Learns, MethodSettings

Mode = Literal["bci", "self_improve", "static"]
Retrieval = Literal["all", "topic", "embedding"]
_UNJUDGED = Shows(reward=False, outcome=False, feedback=False)
TRIAL_CHANCE = 0.8
"""With which the gate `measured` lets a lesson on trial into a prompt."""


class Handbook(MethodSettings):
    """Passes over the train split in rounds; the handbook is frozen before the test split."""

    name: Literal["handbook"] = "handbook"
    learns: Learns = "shared"
    trials: int = Field(default=3, ge=1, le=MAX_TRIALS)
    """Passes over the train split; solved instances are not repeated."""
    round_size: int = Field(default=32, ge=1)
    """Instances per round: a constant, so that concurrency cannot change what is learned."""
    budget: int = Field(default=1500, ge=0)
    max_lessons: int = Field(default=24, ge=1)
    group: int = Field(default=8, ge=1)
    """Critiques per proposing call of the curator."""
    gate: Gate = "none"
    votes: Literal["support", "expel"] = "support"
    """`expel`: retire is a vote; a lesson leaves when its count falls to 0."""
    condition: Literal["words", "model"] = "words"
    """Who says whether a conditional behavior applies to a situation."""
    writes: bool = True
    """False: no new behavior is written; those that the run starts with are tested by the gate."""
    idle_after: int = Field(default=2_000, ge=0)
    """Under the gate `measured`: episodes after which a behavior without a shown benefit goes."""
    mode: Mode = "bci"
    """`self_improve` is read on the instances that it learns on, and sees no reward."""
    retrieval: Retrieval = "all"
    """Which behaviors a prompt may hold; `topic` needs instances that name one."""
    most: int = Field(default=40, ge=1)
    """So many, for the retrieval `embedding`; the paper inserts 40."""

    @model_validator(mode="before")
    @classmethod
    def _where_it_is_read(cls, given: dict[str, Any]) -> dict[str, Any]:
        own = given.get("mode") == "self_improve"
        return given | {"learns": "instance" if own else "shared"}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round, then its critique, unless the round evaluates."""
        if self.mode == "self_improve":
            return self._improve(view)
        trial = view.round.trial
        attempts = [e for e in view.attempts if e.trial == trial]
        if not attempts:
            return plans.attempt(view, trial, self._guidance(view), self.max_steps)
        last = attempts[-1]
        learning = (
            self.learn and self.writes and not view.round.evaluate and plans.worth_a_critique(last)
        )
        if learning and plans.critique_of(view, last) is None:
            return plans.write_critique(last)
        return Done(reason="round")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Curate what the last round left, open the next one, at the end freeze and evaluate."""
        if self.mode == "self_improve":
            return plans.one_round(view, "train")
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        pending = self._pending(view)
        if pending:
            return self._curate(view, pending)
        if self.gate == "measured" and self.learn and len(view.rounds) > view.judged:
            return Batch(work=(self._judge(view),))
        passes = 1 if self.mode == "static" else self.trials
        opened = plans.next_of_pass(view, self.round_size, passes) if self.learn else None
        if opened is not None:
            return opened
        if not any(d.kind == "freeze" for d in view.decisions):
            return Batch(work=(FreezeMemory(split="test"),))
        return plans.one_more(view, "test")

    def _guidance(self, view: InstanceView) -> dict[str, GuidanceSpec]:
        if self.mode == "static" and not view.round.evaluate:
            return {}
        measured = self.gate == "measured" and not view.round.evaluate
        found = GuidanceSpec(
            source="recall",
            scopes=(view.scope,),
            budget=self.budget,
            chance=TRIAL_CHANCE if measured else 1.0,
            condition=self.condition,
            retrieval="nearest" if self.retrieval == "embedding" else self.retrieval,
            most=self.most,
        )
        return {"actor": found}

    def _improve(self, view: InstanceView) -> Batch | Done:
        """Attempt, draw behaviors from the attempt without its outcome, attempt again."""
        own = GuidanceSpec(source="recall", scopes=(view.instance_scope,), budget=self.budget)
        return plans.next_trial(
            view,
            self.trials,
            lambda trial: plans.attempt(view, trial, {"actor": own}, self.max_steps),
            learn=self.learn,
            shows=_UNJUDGED,
        )

    def _pending(self, view: SharedView) -> tuple[str, ...]:
        accepted = (c.id for r in view.rounds for c in r.critiques if c.status == "accepted")
        return tuple(c for c in accepted if c not in view.curated)

    def _judge(self, view: SharedView) -> JudgeLessons:
        return JudgeLessons(scope=view.scope, through=len(view.rounds), idle_after=self.idle_after)

    def _curate(self, view: SharedView, pending: tuple[str, ...]) -> Batch:
        accepted = [c.id for r in view.rounds for c in r.critiques if c.status == "accepted"]
        earlier = (*plans.inherited_evidence(view), *accepted)
        work = CurateLessons(
            critiques=pending,
            evidence=tuple(c for c in earlier if c not in pending),
            scope=view.scope,
            kind=LessonKind.BEHAVIOR,
            gate=self.gate,
            group=self.group,
            max_lessons=self.max_lessons,
            votes=self.votes,
        )
        return Batch(work=(work,))


def handbook(
    *,
    trials: int = 3,
    round_size: int = 32,
    budget: int = 1500,
    max_lessons: int = 24,
    gate: Gate = "none",
    mode: Mode = "bci",
    retrieval: Retrieval = "all",
    **settings: Any,
) -> Handbook:
    """The handbook with `trials` passes over the train split in rounds of `round_size`."""
    return Handbook(
        trials=trials,
        round_size=round_size,
        budget=budget,
        max_lessons=max_lessons,
        gate=gate,
        mode=mode,
        retrieval=retrieval,
        **settings,
    )

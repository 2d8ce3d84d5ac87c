"""The behavior handbook: name what worked and what did not, and reuse it on other instances.

Didolkar et al. 2025, "Metacognitive Reuse" (arXiv 2509.13237): behaviors are drawn from the agent's
own attempts and stand in the prompts of later ones. Here a behavior always says when it applies.
The modes are the paper's: behaviors in context (`bci`), drawn from attempts at the very question
(`self_improve`), and a handbook that is made once and never read while it is made (`static`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ..records import Batch, Done, Gate, GuidanceSpec, InstanceView, OpenRound, SharedView, Shows
from . import plans
from .shared import SharedMethod

Mode = Literal["bci", "self_improve", "static"]
Retrieval = Literal["all", "topic", "embedding"]
UNJUDGED = Shows(reward=False, outcome=False, feedback=False)
"""What `self_improve` draws behaviors from: attempts, and nothing that says how they went."""


class Handbook(SharedMethod):
    """Passes over the train split in rounds; the handbook is frozen before the test split."""

    name: Literal["handbook"] = "handbook"
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

    @property
    def passes(self) -> int:
        """One for a handbook that is made once."""
        return min(1, super().passes) if self.mode == "static" else super().passes

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round, then its critique; or trials that read their own behaviors."""
        if self.mode == "self_improve":
            return plans.own_trials(
                view, self.trials, self.budget, self.max_steps, learn=self.learn, shows=UNJUDGED
            )
        last = plans.attempt_of_round(view)
        if last is None:
            return plans.attempt(view, view.round.trial, self._guidance(view), self.max_steps)
        due = plans.critique_due(view, last) if self.learn and self.writes else None
        return due or Done(reason="round")

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """The passes; a single round where each instance learns for itself."""
        if self.mode == "self_improve":
            return plans.one_round(view, "train")
        return super().plan_shared(view)

    def curate(self, view: SharedView) -> Batch | None:
        """Behaviors from all critiques of the round; then a look of the gate `measured`."""
        written = plans.behaviors(
            view,
            plans.accepted(view),
            gate=self.gate,
            group=self.group,
            max_lessons=self.max_lessons,
            votes=self.votes,
        )
        if written or self.gate != "measured" or not self.learn:
            return written
        return plans.judge(view, self.idle_after)

    def _guidance(self, view: InstanceView) -> dict[str, GuidanceSpec]:
        if self.mode == "static" and not view.round.evaluate:
            return {}
        return plans.recall(
            view.scope,
            self.budget,
            chance=1.0 if view.round.evaluate else plans.on_trial(self.gate),
            condition=self.condition,
            retrieval="nearest" if self.retrieval == "embedding" else self.retrieval,
            most=self.most,
        )


def handbook(*, trials: int = 3, round_size: int = 32, **settings: Any) -> Handbook:
    """The handbook with `trials` passes over the train split in rounds of `round_size`."""
    return Handbook(trials=trials, round_size=round_size, **settings)

"""Conceptual verbal reinforcement: beliefs edited by comparing consecutive training episodes.

FinCon (Yu et al. 2024, arXiv 2407.06567, section 3.3 and Algorithm 1): consecutive episodes are
compared by the objective J; a critic draws insights per aspect from the trades that won and lost;
the beliefs are edited, the less the more the two runs agree. Up to 4 episodes, and no more once
the runs agree on 80 % of the decisions; the test is run with beliefs frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ..records import (
    Batch,
    CompareEpisodes,
    CurateLessons,
    Done,
    FreezeMemory,
    GuidanceSpec,
    HookSpec,
    InstanceView,
    LessonKind,
    OpenRound,
    Overlap,
    SharedView,
    Shows,
    WriteCritique,
)
from . import comparing, plans
from .base import MAX_TRIALS, CommitCheck, Learns, MethodSettings
from .stepping import within_step

TRADES = "critic/trades"
OTHER = "other"


class Cvrf(MethodSettings):
    """A round per trial over all train instances, with an edit of beliefs from the second on."""

    name: Literal["cvrf"] = "cvrf"
    learns: Learns = "shared"
    trials: int = Field(default=4, ge=1, le=MAX_TRIALS)
    """Episodes per train instance, at most."""
    overlap: float = Field(default=0.8, gt=0, le=1)
    """Share of equal decisions of two consecutive rounds at which learning ends."""
    aligned: int = Field(default=5, ge=1)
    """Decisions with a partner below which nothing is said of overlap."""
    discount: float = Field(default=1.0, gt=0, le=1)
    """What a reward is worth a step later, for the comparison of two episodes."""
    portion: int = Field(default=4, ge=1)
    """Trades per critique, about."""
    portions: int = Field(default=12, ge=1)
    """Critiques per instance and round."""
    group: int = Field(default=4, ge=1)
    """Critiques per proposing call of the curator."""
    max_lessons: int = Field(default=24, ge=1)
    budget: int = Field(default=1500, ge=0)
    """Tokens of beliefs in a prompt."""
    aspects: tuple[str, ...] = ()
    """What a belief may be about, beside `other`; empty: the roles of the team."""
    control: bool = True
    """Whether the risk control of FinCon acts inside the episodes, at test too."""

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        """The step size."""
        return {"step": within_step}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The attempt of the round; from the second on the comparison with the one before."""
        attempts = [e for e in view.attempts if e.spec.round == view.number]
        if not attempts:
            hooks = (HookSpec(name="cvar"),) if self.control else ()
            more = {"hooks": hooks}
            return plans.attempt(
                view, view.round.trial, self._guidance(view), self.max_steps, **more
            )
        before = [e for e in view.attempts if e.spec.round == view.number - 1]
        pair = (*before, *attempts)
        if view.round.evaluate or len(pair) < 2 or not all(map(plans.worth_a_critique, pair)):
            return Done(reason="round")
        known = {d.detail.get("after") for d in view.decisions if d.kind == "compare"}
        if pair[1].id in known:
            return Done(reason="round")
        compared = CompareEpisodes(episodes=(pair[0].id, pair[1].id), discount=self.discount)
        # The better one stands last; of equals that is the later one.
        shown = tuple(sorted(pair, key=lambda e: comparing.objective(e, self.discount)))
        asked = comparing.portions(shown, self.portion, self.portions)
        critiques = (
            WriteCritique(
                episodes=tuple(e.id for e in shown),
                template=TRADES,
                shows=Shows(earlier=False),
                steps=steps,
                aspects=self._offered,
                sample=n,
            )
            for n, steps in enumerate(asked)
        )
        return Batch(work=(compared, *critiques))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Edit the beliefs, run the next episode or freeze them, then evaluate."""
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        if pending := self._pending(view):
            return Batch(work=(self._edit(view, pending),))
        agreed = self._agreed(view)
        done = len(view.rounds) >= self.trials or (agreed or 0) >= self.overlap
        if self.learn and not done:
            return OpenRound(instances=view.train, split="train", trial=len(view.rounds) + 1)
        if not any(d.kind == "freeze" for d in view.decisions):
            said = "" if agreed is None else f"overlap {agreed:.3f}"
            return Batch(work=(FreezeMemory(split="test", reason=said),))
        return plans.one_more(view, "test")

    @property
    def _offered(self) -> tuple[str, ...]:
        return (*self.aspects, OTHER) if self.aspects else ()

    def _guidance(self, view: InstanceView) -> dict[str, GuidanceSpec]:
        """All beliefs for the actor; for each other role those of its own aspect."""
        whole = GuidanceSpec(source="recall", scopes=(view.scope,), budget=self.budget)
        return {"actor": whole} | {name: whole.replace(audience=name) for name in self.aspects}

    def _pending(self, view: SharedView) -> tuple[str, ...]:
        accepted = (c.id for r in view.rounds for c in r.critiques if c.status == "accepted")
        return tuple(c for c in accepted if c not in view.curated)

    def _agreed(self, view: SharedView) -> float | None:
        """The overlap of the last round with the one before, over all instances."""
        last = view.rounds[-1].decisions if view.rounds else ()
        return sum((d.overlap for d in last if d.overlap), Overlap()).share(self.aligned)

    def _edit(self, view: SharedView, pending: tuple[str, ...]) -> CurateLessons:
        accepted = [c.id for r in view.rounds for c in r.critiques if c.status == "accepted"]
        earlier = (*plans.inherited_evidence(view), *accepted)
        return CurateLessons(
            critiques=pending,
            evidence=tuple(c for c in earlier if c not in pending),
            scope=view.scope,
            kind=LessonKind.BELIEF,
            group=self.group,
            max_lessons=self.max_lessons,
            check="step",
            aspects={name: name for name in self.aspects} | ({OTHER: ""} if self.aspects else {}),
            overlap=self._agreed(view),
        )


def cvrf(
    *,
    trials: int = 4,
    overlap: float = 0.8,
    control: bool = True,
    max_lessons: int = 24,
    budget: int = 1500,
) -> Cvrf:
    """Beliefs from up to `trials` episodes per train instance, until two rounds agree enough."""
    return Cvrf(
        trials=trials,
        overlap=overlap,
        control=control,
        max_lessons=max_lessons,
        budget=budget,
    )

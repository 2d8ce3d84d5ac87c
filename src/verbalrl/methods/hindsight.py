"""Hindsight: another action at the blamed step, kept only where replaying it really earns more.

After hindsight regeneration of dialogues, which rewrites single actions of a finished episode and
asks a learned model what would have followed. Here nothing is modelled: the prefix is replayed in
the same world, the agent acts otherwise from the blamed step on, and what it did is replayed once
more as a whole. An edit teaches only if its return is higher and the replay reaches it again.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import (
    Action,
    Batch,
    CurateLessons,
    Done,
    Episode,
    EpisodeSpec,
    FreezeMemory,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    OpenRound,
    Previous,
    RunEpisode,
    SharedView,
    Shows,
    WriteCritique,
)
from . import plans
from .base import Learns, MethodSettings

PAIR = "critic/pair"


class Hindsight(MethodSettings):
    """Attempt, blame, counterfactual, replay; behaviors from the edits that hold."""

    name: Literal["hindsight"] = "hindsight"
    learns: Learns = "shared"
    edits: int = Field(default=1, ge=1, le=16)
    """Blamed steps of a failed attempt that are done otherwise, the decisive one first."""
    round_size: int = Field(default=32, ge=1)
    """Instances per round, between which the curator works."""
    budget: int = Field(default=1500, ge=0)
    max_lessons: int = Field(default=24, ge=1)

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round; of a failure the critique, the edits, their replays, the pairs."""
        trial = view.round.trial
        made = [e for e in view.episodes if e.trial == trial and e.spec.round == view.number]
        last = next((e for e in made if e.spec.purpose == "attempt"), None)
        if last is None:
            wanted = GuidanceSpec(source="recall", scopes=(view.scope,), budget=self.budget)
            return plans.attempt(view, trial, {"actor": wanted}, self.max_steps)
        failed = last.success is False and plans.worth_a_critique(last)
        if view.round.evaluate or not self.learn or not failed:
            return Done(reason="round")
        if plans.critique_of(view, last) is None:
            return plans.write_critique(last)
        return self._edit(view, last, made)

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Curate the pairs of the last round, open the next; at the end freeze and evaluate."""
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        found = [c for r in view.rounds for c in r.critiques if c.template == PAIR]
        pairs = [c.id for c in found if c.status == "accepted"]
        if pending := tuple(c for c in pairs if c not in view.curated):
            earlier = (*plans.inherited_evidence(view), *pairs)
            return self._curate(view, pending, tuple(c for c in earlier if c not in pending))
        opened = plans.next_of_pass(view, self.round_size, self.trials) if self.learn else None
        if opened is not None:
            return opened
        if not any(d.kind == "freeze" for d in view.decisions):
            return Batch(work=(FreezeMemory(split="test"),))
        return plans.one_more(view, "test")

    def _edit(self, view: InstanceView, lost: Episode, made: list[Episode]) -> Batch | Done:
        blamed = self._blamed(view, lost)
        tried = {e.spec.candidate: e for e in made if e.spec.purpose == "counterfactual"}
        if missing := [n for n in range(1, len(blamed) + 1) if n not in tried]:
            return Batch(
                work=tuple(self._counterfactual(view, lost, blamed[n - 1], n) for n in missing)
            )
        edits = {n: tried[n] for n, step in enumerate(blamed, 1) if better(tried[n], lost, step)}
        if unsure := [n for n in edits if n + len(blamed) not in tried]:
            return Batch(work=tuple(self._replay(view, edits[n], n + len(blamed)) for n in unsure))
        held = [e for n, e in edits.items() if repeats(tried[n + len(blamed)], e)]
        written = {c.episodes for c in view.critiques if c.template == PAIR}
        asked = tuple(
            WriteCritique(episodes=(lost.id, e.id), template=PAIR, shows=Shows(earlier=False))
            for e in held
            if (lost.id, e.id) not in written
        )
        return Batch(work=asked) if asked else Done(reason="round")

    def _blamed(self, view: InstanceView, lost: Episode) -> tuple[int, ...]:
        """The steps of `lost` that its critique blames, without what cannot be used."""
        critique = plans.critique_of(view, lost)
        if critique is None or critique.status != "accepted":
            return ()
        known = range(1, len(lost.trajectory.steps) + 1)
        steps = dict.fromkeys(c.step for c in critique.causes if c.step in known)
        return tuple(steps)[: self.edits]

    def _counterfactual(self, view: InstanceView, lost: Episode, step: int, n: int) -> RunEpisode:
        critique = plans.critique_of(view, lost)
        assert critique is not None
        actions = tuple(s.action for s in lost.trajectory.steps)
        previous = Previous(output=actions[step - 1].text, critique=plans.said(critique))
        return RunEpisode(spec=self._spec(view, lost, n, actions[: step - 1], previous))

    def _replay(self, view: InstanceView, edit: Episode, n: int) -> RunEpisode:
        actions = tuple(s.action for s in edit.trajectory.steps)
        made = self._spec(view, edit, n, actions, None)
        return RunEpisode(spec=made.replace(max_steps=len(actions)))

    def _spec(
        self,
        view: InstanceView,
        like: Episode,
        candidate: int,
        prefix: tuple[Action, ...],
        revises: Previous | None,
    ) -> EpisodeSpec:
        return plans.spec(
            view,
            like.trial,
            None,
            self.max_steps,
            candidate=candidate,
            purpose="counterfactual",
            prefix=prefix,
            revises=revises,
        )

    def _curate(
        self, view: SharedView, pending: tuple[str, ...], evidence: tuple[str, ...]
    ) -> Batch:
        work = CurateLessons(
            critiques=pending,
            evidence=evidence,
            scope=view.scope,
            kind=LessonKind.BEHAVIOR,
            max_lessons=self.max_lessons,
        )
        return Batch(work=(work,))


def better(edit: Episode, lost: Episode, step: int) -> bool:
    """True when `edit` did something else at `step` and earned more than `lost`."""
    new, old = edit.reward.value, lost.reward.value
    steps = edit.trajectory.steps
    if not plans.worth_a_critique(edit) or len(steps) < step or new is None or old is None:
        return False
    return steps[step - 1].action.text != lost.trajectory.steps[step - 1].action.text and new > old


def repeats(replay: Episode, edit: Episode) -> bool:
    """True when doing again all that `edit` did led to the same return and outcome."""
    same = replay.reward.value == edit.reward.value and replay.success == edit.success
    return replay.status == "finished" and same


def hindsight(
    *, trials: int = 2, edits: int = 1, round_size: int = 32, budget: int = 1500
) -> Hindsight:
    """`trials` passes; of each failure `edits` blamed steps are done otherwise and replayed."""
    return Hindsight(trials=trials, edits=edits, round_size=round_size, budget=budget)

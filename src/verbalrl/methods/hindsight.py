"""Hindsight: another action at the blamed step, kept only where replaying it really earns more.

After hindsight regeneration of dialogues, which rewrites single actions of a finished episode and
asks a learned model what would have followed. Here nothing is modelled: the prefix is replayed in
the same world, the agent acts otherwise from the blamed step on, and what it did is replayed once
more as a whole. An edit teaches only if its return is higher and the replay reaches it again.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import Batch, Done, Episode, InstanceView, Previous, RunEpisode, SharedView
from . import plans
from .shared import SharedMethod


class Hindsight(SharedMethod):
    """Attempt, blame, counterfactual, replay; behaviors from the edits that hold."""

    name: Literal["hindsight"] = "hindsight"
    edits: int = Field(default=1, ge=1, le=16)
    """Blamed steps of a failed attempt that are done otherwise, the decisive one first."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round; of a failure the critique, the edits, their replays, the pairs."""
        last = plans.attempt_of_round(view)
        if last is None:
            recalled = plans.recall(view.scope, self.budget)
            return plans.attempt(view, view.round.trial, recalled, self.max_steps)
        if not self.learn or last.success is not False:
            return Done(reason="round")
        return plans.critique_due(view, last) or self._edit(view, last) or Done(reason="round")

    def curate(self, view: SharedView) -> Batch | None:
        """Behaviors from the pairs of the round: lost attempts beside the edits that hold."""
        pairs = plans.accepted(view, plans.PAIR)
        return plans.behaviors(view, pairs, max_lessons=self.max_lessons)

    def _edit(self, view: InstanceView, lost: Episode) -> Batch | None:
        """Each blamed step done otherwise, a replay of what earned more, the pairs that hold."""
        blamed = dict(enumerate(self._blamed(view, lost), start=1))
        tried = {e.spec.candidate: e for e in plans.searched(view, lost.trial, "counterfactual")}
        if new := [self._edited(view, lost, blamed[n], n) for n in blamed if n not in tried]:
            return Batch(work=tuple(new))
        rose = [n for n, step in blamed.items() if better(tried[n], lost, step)]
        edits = {n + len(blamed): tried[n] for n in rose}
        if unsure := [_replay(view, e, n) for n, e in edits.items() if n not in tried]:
            return Batch(work=tuple(unsure))
        held = (e for n, e in edits.items() if repeats(tried[n], e))
        return plans.unwritten(view, (plans.plain_critique(plans.PAIR, lost, e) for e in held))

    def _blamed(self, view: InstanceView, lost: Episode) -> tuple[int, ...]:
        """The steps of `lost` that its critique blames, without what cannot be used."""
        critique = plans.critique_of(view, lost)
        if critique is None or critique.status != "accepted":
            return ()
        known = range(1, len(lost.trajectory.steps) + 1)
        steps = dict.fromkeys(c.step for c in critique.causes if c.step in known)
        return tuple(steps)[: self.edits]

    def _edited(self, view: InstanceView, lost: Episode, step: int, n: int) -> RunEpisode:
        """`lost` as it went up to `step`, where the agent is told what its action lacked."""
        critique = plans.critique_of(view, lost)
        assert critique is not None
        *before, wrong = plans.actions_of(lost)[:step]
        previous = Previous(output=wrong.text, critique=plans.said(critique))
        return plans.search(
            view,
            lost.trial,
            n,
            "counterfactual",
            prefix=tuple(before),
            heard=plans.heard_in(lost)[: step - 1],
            revises=previous,
            max_steps=self.max_steps,
        )


def _replay(view: InstanceView, edit: Episode, n: int) -> RunEpisode:
    """All that `edit` did once more, and nothing else."""
    did = plans.actions_of(edit)
    more = {"prefix": did, "heard": plans.heard_in(edit), "max_steps": len(did)}
    return plans.search(view, edit.trial, n, "counterfactual", **more)


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
    *, trials: int = 3, edits: int = 1, round_size: int = 32, budget: int = 1500
) -> Hindsight:
    """`trials` passes; of each failure `edits` blamed steps are done otherwise and replayed."""
    return Hindsight(trials=trials, edits=edits, round_size=round_size, budget=budget)

"""The control arm `best_of_n`: the tokens that the method spends, spent on samples instead.

As many whole attempts are sampled on an instance as `learned` had tokens there, critic and curator
included. One of them is chosen without any reward and handed in: that is the attempt that counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..ids import normalised
from ..records import (
    Batch,
    Done,
    Episode,
    EpisodeSpec,
    HookSpec,
    InstanceView,
    OpenRound,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Split,
    Usage,
)
from . import plans
from .base import Learns, MethodSettings, Selector

BEST_OF_N = "best_of_n"
MOST = 64
"""Samples of one instance, whatever `learned` has spent there."""


def consensus(candidates: tuple[Episode, ...]) -> str:
    """The candidate that agrees most with the others, action by action; ties go to the earlier.

    Of answers of one step it is that of the majority.
    """
    courses = [[normalised(s.action.text) for s in c.trajectory.steps] for c in candidates]
    scores = [sum(_agreement(a, b) for b in courses) for a in courses]
    return candidates[scores.index(max(scores))].id


def _agreement(one: Sequence[str], other: Sequence[str]) -> float:
    longest = max(len(one), len(other))
    equal = sum(a == b for a, b in zip(one, other, strict=False))
    return round(equal / longest, 9) if longest else 1.0


class BestOfN(MethodSettings):
    """Samples, a choice without rewards, and one attempt."""

    name: Literal["best_of_n"] = "best_of_n"
    learns: Learns = "instance"
    trials: int = 1
    split: Split = "train"
    hooks: tuple[HookSpec, ...] = ()
    """What acts inside the episodes of every arm."""

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """`consensus`."""
        return {"consensus": consensus}

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Sample while tokens last, choose, hand in."""
        if view.attempts:
            return Done(reason="handed in")
        samples = view.episodes
        whole = [e for e in samples if plans.worth_a_critique(e)] or list(samples)
        if more := _more(samples, view.allowance):
            first = len(samples) + 1
            return Batch(work=tuple(self._sample(view, first + n) for n in range(more)))
        if len(whole) > 1 and not view.decisions:
            work = SelectCandidate(candidates=tuple(e.id for e in whole), selector="consensus")
            return Batch(work=(work,))
        chosen = view.decisions[-1].chosen if view.decisions else whole[0].id
        found = next(e for e in whole if e.id == chosen)
        spec = self._spec(view).replace(
            prefix=plans.actions_of(found),
            heard=plans.heard_in(found),
            selected_from=tuple(e.id for e in whole),
        )
        return Batch(work=(RunEpisode(spec=spec),))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round over everything; nothing of it may be learned from."""
        return plans.one_round(view, self.split, evaluate=True)

    def _sample(self, view: InstanceView, number: int) -> RunEpisode:
        return RunEpisode(spec=self._spec(view).replace(candidate=number, purpose="search"))

    def _spec(self, view: InstanceView) -> EpisodeSpec:
        return plans.spec(view, 1, max_steps=self.max_steps, hooks=self.hooks)


def _more(samples: Sequence[Episode], allowance: int | None) -> int:
    """How many samples come next: half of what the tokens left will pay for by the mean so far.

    Samples differ in length; so what is spent is off by about one of them.
    """
    if not samples:
        return 1
    spent = sum(sum(e.usage.values(), Usage()).total for e in samples)
    if not spent or allowance is None:
        return 0
    left = (allowance - spent) * len(samples) // spent
    return max(0, min((left + 1) // 2, MOST - len(samples)))

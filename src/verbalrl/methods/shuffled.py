"""The control arm `shuffled`: the method with the right words in the wrong place.

It has its own critic and its own branch. Where instances learn apart, each gets at every trial what
another one would get at that trial; where they share lessons, conditions and instructions are
paired anew. A gain over it is what the content of the words adds to having words at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import instance_scope, seed_from
from ..records import (
    Batch,
    CurateLessons,
    Done,
    EpisodeSpec,
    GuidanceSpec,
    InstanceView,
    OpenRound,
    RunEpisode,
    SharedView,
    Work,
)
from .base import Learns, Variant


@dataclass(frozen=True)
class Shuffled(Variant):
    """`inner` in rounds: in odd ones all attempt a trial, in even ones all learn from it.

    So what another instance has learned is complete, and the same whatever the timing, when it is
    read.
    """

    name: str = "shuffled"

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """The method's step, as far as the round goes, with its guidance exchanged."""
        step = self.inner.plan(view)
        if isinstance(step, Done):
            return step
        if self.learns == "instance" and _ends(step, view):
            return Done(reason="round")
        return Batch(work=tuple(self._exchanged(work, view) for work in step.work))

    def _exchanged(self, work: Work, view: InstanceView) -> Work:
        if not isinstance(work, RunEpisode):
            return work
        given = {
            role: _foreign(g, work.spec, view, self.learns)
            for role, g in work.spec.guidance.items()
        }
        return work.replace(spec=work.spec.replace(guidance=given))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """The method's rounds; of one that learns per instance, two for every trial."""
        if self.learns == "shared":
            return self.inner.plan_shared(view)
        number = len(view.rounds) + 1
        trial = (number + 1) // 2
        left = tuple(i for i in view.train if i not in view.solved)
        if trial > self.trials or not left:
            return Done(reason="trials" if left else "solved")
        if trial == self.trials and number % 2 == 0:
            return Done(reason="trials")
        return OpenRound(instances=left, split="train", trial=trial)


def _ends(step: Batch, view: InstanceView) -> bool:
    """Whether `step` belongs to the next round."""
    if view.number % 2 == 0:
        acts = (w.spec.purpose for w in step.work if isinstance(w, RunEpisode))
        return any(purpose in ("attempt", "candidate") for purpose in acts)
    tried = any(e.spec.round == view.number for e in view.attempts)
    return tried or any(isinstance(w, CurateLessons) for w in step.work)


def _foreign(
    wanted: GuidanceSpec, spec: EpisodeSpec, view: InstanceView, learns: Learns
) -> GuidanceSpec:
    if view.scope in wanted.scopes or wanted.examples:
        return wanted.replace(mispaired=True)
    own = view.instance_scope in wanted.scopes or wanted.attempts
    if not own or learns == "shared":
        # While a shared method gathers, an instance's reflections serve to make its attempts.
        return wanted
    other = partner(view.instance.id, view.round.instances, spec.trial)
    if other == view.instance.id:
        # Nobody else is left: a control must not read what was learned here.
        return GuidanceSpec(source="none")
    scopes = tuple(
        instance_scope(view.scope, other) if s == view.instance_scope else s for s in wanted.scopes
    )
    return wanted.replace(scopes=scopes, instance=other, force_in=(), force_out=())


def partner(instance: str, instances: tuple[str, ...], trial: int) -> str:
    """Whose guidance `instance` gets: the next of a circle that is drawn anew for each trial."""
    circle = sorted(instances, key=lambda name: seed_from("shuffled", trial, name))
    return circle[(circle.index(instance) + 1) % len(circle)]

"""Proving one lesson: off, on, off, on, over the same instances with the same draws.

The rest of the memory is recalled as ever on both sides, so that what is shown is the difference
that this lesson makes beside the others. Two blocks of one pass meet the same worlds and sampling
seeds; the blocks follow each other, so that what drifts meanwhile falls on both sides.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..records import (
    Batch,
    Done,
    EpisodeSpec,
    GuidanceSpec,
    InstanceView,
    OpenRound,
    RunEpisode,
    SharedView,
)
from .base import Learns, MethodSettings

OFF, ON = 0, 1


class Prove(MethodSettings):
    """Probes of the instances named; nothing is learned from them."""

    name: Literal["prove"] = "prove"
    learns: Learns = "instance"
    learn: bool = False
    trials: int = Field(default=2, ge=1)
    """Passes, each of them one block without the lesson and one with it."""
    lesson: str
    against: str = ""
    """The lesson that stands in its place while it is off; empty: nothing does."""
    instances: tuple[str, ...]
    budget: int = 1_500
    """Tokens of guidance."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One probe per block."""
        block = view.round.trial
        pass_, side = divmod(block - 1, 2)
        if any(e.spec.trial == pass_ + 1 and e.spec.candidate == side for e in view.episodes):
            return Done(reason="block")
        wanted = GuidanceSpec(source="recall", scopes=(view.scope,), budget=self.budget)
        ours, theirs = (self.lesson,), (self.against,) if self.against else ()
        inside, outside = (ours, theirs) if side == ON else (theirs, ours)
        asked = wanted.replace(force_in=inside, force_out=outside)
        spec = EpisodeSpec(
            instance=view.instance.id,
            split=view.round.split,
            round=view.number,
            trial=pass_ + 1,
            candidate=side,
            purpose="probe",
            sample=0,
            max_steps=self.max_steps,
            guidance={"actor": asked},
        )
        return Batch(work=(RunEpisode(spec=spec),))

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """One round per block, off first."""
        block = len(view.rounds) + 1
        if block > 2 * self.trials:
            return Done(reason="proved")
        return OpenRound(
            instances=self.instances, split=self.split(view), trial=block, evaluate=True
        )

    def split(self, view: SharedView) -> Literal["train", "test"]:
        """Where the instances are; they are of one split."""
        return "train" if self.instances[0] in view.train else "test"

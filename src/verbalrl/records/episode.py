"""One finished attempt."""

from __future__ import annotations

from typing import Literal

from .. import markup
from ._base import Record
from .content import Usage
from .guidance import Guidance
from .trajectory import Failure, Reward, StopReason, Trajectory
from .work import EpisodeSpec


class Episode(Record):
    """One attempt at one instance until it ended, with all that it had and all that it cost."""

    id: str
    run: str
    arm: str
    seed: int
    spec: EpisodeSpec
    status: Literal["finished", "failed", "abandoned"] = "finished"
    trajectory: Trajectory = Trajectory()
    answer: str | None = None
    """The last action's text, which of a whole-answer agent is all; None where it never acted."""
    success: bool | None = None
    """True, false or unknown."""
    reward: Reward = Reward()
    terminated: bool = False
    truncated: bool = False
    stop_reason: StopReason
    guidance: dict[str, Guidance] = {}
    """By role; when recall is per step, the guidance of the last step."""
    revision: dict[str, int] = {}
    """By scope: the revision that was pinned."""
    usage: dict[str, Usage] = {}
    """By role."""
    failure: Failure | None = None
    lacking: str = ""
    """Why a model did not say whether lessons apply, so that words did; the first such failure."""
    generation: int = 0
    """How often its journal had to be discarded."""

    @property
    def instance(self) -> str:
        """The instance's id."""
        return self.spec.instance

    @property
    def trial(self) -> int:
        """The number of the attempt, from 1."""
        return self.spec.trial

    @property
    def broke(self) -> bool:
        """Whether an error or the clock ended it: how it went is then missing, not bad."""
        return self.status != "finished" or self.stop_reason is StopReason.TIMEOUT

    @property
    def acted(self) -> bool:
        """Whether there was a step; told of what is read without its steps, too."""
        return bool(self.trajectory.steps) or self.answer is not None

    @property
    def branch(self) -> str:
        """The branch it ran on."""
        return f"{self.run}/{self.arm}/{self.seed}"

    def _repr_html_(self) -> str:
        went = {None: "unknown", True: "solved", False: "failed"}[self.success]
        rows = [
            (s.n, s.observation.text, s.action.text, s.feedback, s.reward)
            for s in self.trajectory.steps
        ]
        state = f"error: {self.failure.kind}" if self.failure else went
        title = f"{self.instance} trial {self.trial}, arm {self.arm}, seed {self.seed}: {state}"
        given = [
            (role, line.alias, line.when, line.instruction)
            for role, guidance in self.guidance.items()
            for line in guidance.lines
        ]
        told = markup.table("guidance", ("role", "", "when", "instruction"), given) if given else ""
        heads = ("step", "observation", "action", "feedback", "reward")
        return markup.table(f"{title} · {self.id}", heads, rows) + told

"""What a plan sees. A view grows by whole batches, so it depends on model replies alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .episode import Episode
from .lesson import Critique, Lesson, Refusal, Verdict
from .trajectory import Instance, Reward, Split, StopReason
from .work import Decision, EpisodeSpec, OpenRound, Purpose


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance of one arm and seed: its complete batches so far, and the pinned lessons."""

    instance: Instance
    scope: str
    """The shared scope of the task."""
    instance_scope: str
    """The scope of this instance's reflections."""
    round: OpenRound = field(default_factory=lambda: OpenRound(instances=()))
    """The round that this lane runs in."""
    number: int = 1
    """The number of that round, from 1."""
    episodes: tuple[Episode, ...] = ()
    """Of this instance, all rounds, in the order of the batches."""
    critiques: tuple[Critique, ...] = ()
    reflections: tuple[Lesson, ...] = ()
    """Usable lessons of the instance scope, oldest first."""
    own_revision: int = 0
    """Of the instance scope, which `reflections` are of."""
    lessons: tuple[Lesson, ...] = ()
    """Usable lessons of the shared scope at the pinned revision."""
    revision: int = 0
    """Of the shared scope, pinned by the round."""
    decisions: tuple[Decision, ...] = ()
    curated: tuple[str, ...] = ()
    """Critique ids that a commit of this lane has consumed."""
    allowance: int | None = None
    """Tokens that `learned` has spent on this instance, for arms that spend as much."""

    @property
    def attempts(self) -> tuple[Episode, ...]:
        """The episodes that count: purpose `attempt`."""
        return tuple(e for e in self.episodes if e.spec.purpose == "attempt")

    @property
    def solved(self) -> bool:
        """True once an attempt succeeded."""
        return any(e.success is True for e in self.attempts)

    def scores(self, episode: str, /) -> Reward | None:
        """The reward of an attempt; None for candidates and whatever a plan may not see."""
        found = next((e for e in self.attempts if e.id == episode), None)
        return found.reward if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEpisode:
    """How an episode of a closed round went.

    Of a run's thousands of episodes a plan keeps this much and no more. What was said, answered and
    used stays in the store; the lane of the instance sees it again when a round opens it.
    """

    id: str
    instance: str
    split: Split
    round: int
    trial: int
    candidate: int
    purpose: Purpose
    status: Literal["finished", "failed", "abandoned"]
    success: bool | None
    reward: Reward
    stop_reason: StopReason

    @property
    def spec(self) -> EpisodeSpec:
        """What it was asked for, without guidance, limits and what it went on from; made anew."""
        return EpisodeSpec(
            instance=self.instance,
            split=self.split,
            round=self.round,
            trial=self.trial,
            candidate=self.candidate,
            purpose=self.purpose,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCritique:
    """Whom a critique of a closed round judged, and what became of it; not what it says."""

    id: str
    episodes: tuple[str, ...]
    instance: str
    trial: int
    template: str
    sample: int
    status: Literal["accepted", "refused", "failed"]
    refusal: Refusal | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ClosedRound:
    """A round that all its lanes have left."""

    number: int
    opened: OpenRound
    revision: int
    """Of the shared scope, pinned at its start."""
    episodes: tuple[PastEpisode, ...] = ()
    """In the order (instance, trial, candidate)."""
    critiques: tuple[PastCritique, ...] = ()
    """In the same order."""
    decisions: tuple[Decision, ...] = ()
    """Of its lanes, in the order of the instances."""


@dataclass(frozen=True, slots=True)
class SharedView:
    """The shared stream of one arm and seed: its closed rounds, and the lessons they led to."""

    scope: str
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    rounds: tuple[ClosedRound, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    revision: int = 0
    curated: tuple[str, ...] = ()
    """Critique ids that a commit of the shared scope has consumed."""
    decisions: tuple[Decision, ...] = ()
    judged: int = 0
    """The last round whose outcomes the gate has judged lessons by."""

    @property
    def solved(self) -> frozenset[str]:
        """Train instances that an attempt solved."""
        return frozenset(
            e.instance
            for r in self.rounds
            for e in r.episodes
            if e.success is True and e.purpose == "attempt" and not r.opened.evaluate
        )

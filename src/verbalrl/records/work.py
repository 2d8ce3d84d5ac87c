"""What a method may ask for: units of work with deterministic keys (design section 10)."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue

from ..ids import key_id, seed_from
from ._base import Record
from .content import Action
from .guidance import GuidanceSpec
from .lesson import Gate, LessonKind, Operation
from .trajectory import Previous, Report, Split

Purpose = Literal["attempt", "candidate", "counterfactual", "search", "probe"]


class LaneKey(Record):
    """Whose work it is: one arm and seed of one run."""

    run: str
    arm: str
    seed: int

    @property
    def branch(self) -> str:
        """The id of the branch that this arm and seed learns on."""
        return f"{self.run}/{self.arm}/{self.seed}"


class HookSpec(Record):
    """A hook that a method wants inside an episode: pure data, built where the episode is run."""

    name: str
    """One of `execution.acting.HOOKS`."""
    settings: dict[str, JsonValue] = {}


class EpisodeSpec(Record):
    """One episode to be run: pure data, so that an executor may run it anywhere."""

    instance: str
    split: Split = "train"
    round: int = 1
    trial: int = 1
    """The number of the attempt on this instance, from 1."""
    candidate: int = 0
    purpose: Purpose = "attempt"
    """Only attempts enter curves; probes are never learned from; candidates are executed, not
    scored."""
    prefix: tuple[Action, ...] = ()
    """Actions that are replayed before the agent acts."""
    heard: tuple[tuple[Report, ...], ...] = ()
    """By action of the prefix, what the analysts of a team had said; none of them says it again."""
    revises: Previous | None = None
    max_steps: int | None = None
    """None: the limit of the run."""
    guidance: dict[str, GuidanceSpec] = {}
    """By role; a role without an entry gets none."""
    selected_from: tuple[str, ...] = ()
    """Episode ids of the candidates from which this output was chosen."""
    hooks: tuple[HookSpec, ...] = ()
    """What acts inside the episode for the method, ahead of the hooks of the run."""
    sample: int | None = None
    """Overrides the sampling seed's key, for methods that want equal draws."""
    world: int | None = None
    """Overrides the trial in the world seed, so that a replayed prefix meets the same world."""

    def id(self, lane: LaneKey) -> str:
        """The episode's id."""
        return key_id(
            "ep",
            lane.run,
            lane.arm,
            lane.seed,
            self.instance,
            self.trial,
            self.candidate,
            self.purpose,
        )

    def sample_seed(self, lane: LaneKey) -> int:
        """The sampling seed: equal over runs and arms."""
        draw = self.candidate if self.sample is None else self.sample
        return seed_from("sample", lane.seed, self.instance, self.trial, draw, self.purpose)

    def world_seed(self) -> int:
        """The environment's seed: from instance and trial alone, equal over arms and seeds."""
        return seed_from("world", self.instance, self.trial if self.world is None else self.world)


class Shows(Record):
    """What a critic is shown of the episodes."""

    actions: bool = True
    feedback: bool = True
    reward: bool = True
    outcome: bool = True
    earlier: bool = True
    """The lessons that the agent had."""


class RunEpisode(Record):
    """Let the agent attempt an instance."""

    work: Literal["run_episode"] = "run_episode"
    spec: EpisodeSpec

    def id(self, lane: LaneKey) -> str:
        """Its key: the episode's id."""
        return self.spec.id(lane)


class WriteCritique(Record):
    """Let the critic judge episodes of one instance."""

    work: Literal["write_critique"] = "write_critique"
    episodes: tuple[str, ...]
    template: str = "critic/critique"
    shows: Shows = Shows()
    steps: tuple[tuple[int, ...], ...] = ()
    """Per episode the steps that are shown, by number; empty: all of all."""
    aspects: tuple[str, ...] = ()
    """What a lesson may be about, for templates that ask for it."""
    sample: int = 0
    feedback: int = 0
    """The number of the last feedback that it knows of; runs have none."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("cr", list(self.episodes), self.template, self.feedback, self.sample)


class CurateLessons(Record):
    """Turn critiques into updates of one scope, in one commit."""

    work: Literal["curate_lessons"] = "curate_lessons"
    critiques: tuple[str, ...]
    """The new ones; consumed by the commit."""
    evidence: tuple[str, ...] = ()
    """Critiques of earlier rounds and those behind inherited lessons, shown again."""
    scope: str
    kind: LessonKind
    operations: tuple[Operation, ...] = ()
    """Empty: those that the kind allows."""
    gate: Gate = "none"
    check: str = ""
    """Name of a pure check of the method's, which may refuse and repair."""
    aspects: dict[str, str] = {}
    """What a belief may be about → the role that gets it beside the actor; empty: none does."""
    overlap: float | None = None
    """Of the runs that the critiques compare, how much they agreed; bounds the edit of beliefs."""
    group: int = 8
    """Critiques per proposing call."""
    max_lessons: int = 24
    """Cap of the scope's active lessons."""
    evidence_tokens: int = 16_000
    """What the evidence of one call may cost."""
    votes: Literal["support", "expel"] = "support"
    """`expel`: lessons start with a count of 2; support and new text add 1, retire takes 1 (3 while
    the list is full), and only a count of 0 retires."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("cu", lane.branch, self.scope, self.kind, sorted(self.critiques))


class SelectCandidate(Record):
    """Choose one of several candidates."""

    work: Literal["select_candidate"] = "select_candidate"
    candidates: tuple[str, ...]
    selector: str
    """`first`, `majority`, or a selector of the method's."""
    supervision: Literal["none", "oracle"] = "none"
    """A selector sees rewards only when this says `oracle`; tables print it."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("se", list(self.candidates), self.selector, self.supervision)


class CompareEpisodes(Record):
    """Record how far two attempts at one instance agree, and which of them did better."""

    work: Literal["compare_episodes"] = "compare_episodes"
    episodes: tuple[str, str]
    """The earlier one, then the later one."""
    discount: float = 1.0
    """What a reward is worth a step later, for the objective."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("co", list(self.episodes), self.discount)


class JudgeLessons(Record):
    """Let the gate `measured` decide on lessons by what withholding them has shown."""

    work: Literal["judge_lessons"] = "judge_lessons"
    scope: str
    through: int
    """The last round whose outcomes count; looks are taken between rounds alone."""
    idle_after: int = 2_000
    """Episodes after which a lesson without a shown benefit goes; 0: never."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("ju", lane.branch, self.scope, self.through)


class FreezeMemory(Record):
    """From here on nothing is learned; `split` is evaluated."""

    work: Literal["freeze_memory"] = "freeze_memory"
    split: Split = "test"
    reason: str = ""
    """Why learning ends, for whoever reads the decision."""

    def id(self, lane: LaneKey) -> str:
        """Its key."""
        return key_id("fr", lane.branch, self.split)


Work = Annotated[
    RunEpisode
    | WriteCritique
    | CurateLessons
    | CompareEpisodes
    | JudgeLessons
    | SelectCandidate
    | FreezeMemory,
    Field(discriminator="work"),
]


class Batch(Record):
    """Work that is done together; the lane's view grows when all of it is there."""

    work: tuple[Work, ...]


class OpenRound(Record):
    """Let the lanes of these instances run against the pinned revision."""

    instances: tuple[str, ...]
    split: Split = "train"
    trial: int = 1
    """The trial that these lanes start with."""
    evaluate: bool = False
    """True: nothing of this round may be learned from."""
    options: dict[str, str] = {}
    """By instance what the shared plan has chosen for it; its own plan reads it."""


class Done(Record):
    """The lane has nothing more to do."""

    reason: str = ""


class Overlap(Record):
    """How far the decisions of two attempts agree, step by step."""

    same: int = 0
    """Steps of equal number at which both decided the same."""
    aligned: int = 0
    """Steps that both have."""
    steps: int = 0
    """Steps that either has; one without a partner agrees with nothing."""

    def __add__(self, other: Self) -> Overlap:
        return Overlap(
            same=self.same + other.same,
            aligned=self.aligned + other.aligned,
            steps=self.steps + other.steps,
        )

    def share(self, least: int = 1) -> float | None:
        """The share of all steps that agree; None where fewer than `least` have a partner."""
        return self.same / self.steps if self.aligned >= max(1, least) else None


def bound_of_step(lines: int, overlap: float | None) -> int | None:
    """How many of `lines` lines one edit may change: 1 - overlap of them, and always one.

    None: any, as without lines or an overlap.
    """
    if overlap is None or not lines:
        return None
    return max(1, math.floor(lines * (1 - overlap) + 1e-9))


class Decision(Record):
    """A recorded choice: which candidate, which of two attempts, that memory is frozen."""

    id: str
    branch: str
    kind: Literal["select", "compare", "freeze", "done"]
    chosen: str = ""
    """For select: the id of the chosen episode; for compare: of the better one."""
    episodes: tuple[str, ...] = ()
    """For compare: the two, the earlier one first."""
    overlap: Overlap | None = None
    """For compare."""
    detail: dict[str, str] = {}
    supervision: Literal["none", "oracle"] = "none"

"""What is learned: critiques, lessons, and the updates that alone change memory."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Literal

from pydantic import Field

from .. import markup
from ..ids import content_hash, token_estimate
from ._base import Record
from .content import Origin, Usage

Verdict = Literal["success", "failure", "unclear"]
Gate = Literal["none", "measured", "review"]


SpanPart = Literal["observation", "action", "feedback"]


class Span(Record):
    """A stretch of one part of a step, by characters of its text."""

    part: SpanPart
    start: int = Field(ge=0)
    end: int
    """The first character after it."""


class Cause(Record):
    """Why an attempt went as it did, tied to one step."""

    step: int
    """From 1, in the attempt `trial`."""
    trial: int
    quote: str = ""
    """Verbatim words of that step."""
    why: str = ""
    episode: str | None = None
    """That attempt, which its trial does not tell among candidates; None where it is not known."""
    span: Span | None = None
    """Where the quote stands; None where it stands in no part of the step exactly once."""


class LessonProposal(Record):
    """A lesson that a critic proposes."""

    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str
    also_possible: tuple[str, ...] = ()
    """Other cues that could have decided; for the curator to test."""
    aspect: str = ""
    """What it is about, where the critic was asked."""
    step: int | None = None
    """The step it stems from."""
    trial: int | None = None
    episode: str | None = None
    """The attempt that it stems from, as in `Cause`."""


class Refusal(StrEnum):
    """Why a critique is not used."""

    EMPTY = "empty"
    UNGROUNDED = "ungrounded"
    """It cites a step that does not exist."""
    ABSENT_QUOTE = "absent_quote"
    """It quotes words that are not in the step it cites."""
    DUPLICATE = "duplicate"
    ANSWER = "answer"
    """It is an answer instead of a critique."""
    REVEALING = "revealing"
    """It holds an answer that nothing shown holds, or marks itself so."""
    UNUSABLE = "unusable"
    """It did not fit the schema after its repairs."""


class Critique(Record):
    """A third-person judgement of one or several episodes of one instance. Immutable."""

    id: str
    episodes: tuple[str, ...]
    instance: str
    trial: int
    """The trial of the last of its episodes."""
    template: str
    prompt_sha: str = ""
    status: Literal["accepted", "refused", "failed"]
    refusal: Refusal | None = None
    detail: str = ""
    """Which part was refused, or what failed."""
    verdict: Verdict = "unclear"
    causes: tuple[Cause, ...] = ()
    proposals: tuple[LessonProposal, ...] = ()
    keeps: tuple[str, ...] = ()
    """Ids of earlier lessons that this attempt does not contradict: all, where it names none."""
    refinement: str = ""
    """Advice for the very next attempt; read by refining methods, not by curators."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """That the lessons hold on other instances, as the critic says."""
    scores: dict[str, float] = {}
    """By episode, in [0, 1], where candidates were compared side by side."""
    reveals_answer: bool = False
    shown: tuple[str, ...] = ()
    """Ids of the lessons that it was shown."""
    by_step: bool = False
    """Whether it speaks of single steps that were chosen for it: then what came of a step is told
    by the reward of that step, not by the outcome of the episode."""
    trust: Origin = Origin.TASK
    """The minimum over all text that its call read."""
    sample: int = 0
    model: str = ""
    usage: Usage = Usage()
    raw: str = ""
    """The reply as it came."""


class LessonKind(StrEnum):
    """What a lesson is."""

    REFLECTION = "reflection"
    """Instance scope; one row per line, grouped by critique."""
    BEHAVIOR = "behavior"
    """Procedural: name, when, instruction."""
    BELIEF = "belief"
    """Declarative: aspect, audience, confidence."""
    EXEMPLAR = "exemplar"
    """A kept successful trajectory."""


class Status(StrEnum):
    """Where a lesson is in its life (design section 8)."""

    QUARANTINED = "quarantined"
    PROVISIONAL = "provisional"
    ACTIVE = "active"
    RETIRED = "retired"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    PURGED = "purged"


class Operation(StrEnum):
    """How memory changes."""

    ADD = "add"
    REVISE = "revise"
    MERGE = "merge"
    SUPERSEDE = "supersede"
    SUPPORT = "support"
    VOTE = "vote"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RETIRE = "retire"
    REVOKE = "revoke"
    RESTORE = "restore"
    PURGE = "purge"
    KEEP_BOTH = "keep_both"
    REJECT = "reject"


class Evidence(Record):
    """Where a lesson stems from."""

    critique: str
    episode: str
    instance: str
    trial: int
    step: int | None = None
    origin: Origin | None = None
    """The least trusted text behind it, where that is untrusted; None otherwise."""
    sources: tuple[str, ...] = ()
    """The untrusted sources behind it that have a name, sorted."""
    sound: bool = False
    """True when it may confirm untrusted text: every untrusted source behind it has a name, and the
    verdict agrees with a reward that the agent did not supply."""
    says: str = ""
    """The content of the lesson, where the critique itself says all of its words."""


class LessonBody(Record):
    """The text of a lesson; equal bodies are the same lesson."""

    kind: LessonKind
    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str = ""
    aspect: str = ""
    audience: str = ""
    conditional: bool = False
    """True when it must not be shown unless its condition holds."""
    examples_not: tuple[str, ...] = ()
    """Short texts of situations in which it does not apply, though they look like it."""
    check: str = ""
    """How an output shows that it was followed, where a person said so."""

    @property
    def content(self) -> str:
        """The hash by which two bodies count as the same; the name does not count."""
        # Those of an instance are of no use to others: kept long, thousands would outlive it.
        is_reflection = self.kind is LessonKind.REFLECTION
        return _content_of_reflection(self) if is_reflection else _content(self)

    @property
    def tokens(self) -> int:
        """What one rendered line of it costs."""
        return token_estimate(
            f"- [00] When {self.when} (not when {self.when_not}): {self.instruction}"
        )


# Asked for wherever texts are compared: it costs more than all the rest that is done with one.
@lru_cache(maxsize=1 << 16)
def _content(body: LessonBody) -> str:
    return _hashed(body)


@lru_cache(maxsize=1 << 10)
def _content_of_reflection(body: LessonBody) -> str:
    return _hashed(body)


def _hashed(body: LessonBody) -> str:
    return content_hash(
        {
            "kind": body.kind,
            "when": body.when,
            "when_not": body.when_not,
            "instruction": body.instruction,
            "aspect": body.aspect,
            "audience": body.audience,
        }
    )


class ScopedFeedback(Record):
    """What a person wants, where it holds, and how it shows."""

    text: str
    """In the person's words."""
    domain: str
    """Where it holds: the condition of the lesson."""
    effect: str
    """What to do there."""
    check: str = ""
    """How an output shows it, such as `lacks sorry`; empty where nothing can be tested."""
    examples_not: tuple[str, ...] = ()
    """Situations that look like the domain and are not in it."""


class Lesson(Record):
    """A tested claim in words. A value: what `reduce` makes of the updates up to one revision."""

    id: str
    scope: str
    body: LessonBody
    status: Status
    trust: Origin
    version: int = 1
    born: int = 0
    """The revision that added it."""
    position: int = 0
    """Its order within that revision."""
    critique: str | None = None
    """The critique of which a reflection is one line; the newest that kept it."""
    kept_at: int = 0
    """The revision at which a critique last added or kept it."""
    votes: dict[str, int] = {}
    """support, against, and what methods count."""
    evidence: tuple[Evidence, ...] = ()
    successor: str | None = None
    conflict_with: str | None = None
    confidence: float | None = None
    beside: tuple[str, ...] = ()
    """Keys of the pairs of texts of which it was decided that both stay."""

    @property
    def kind(self) -> LessonKind:
        """What it is."""
        return self.body.kind

    @property
    def name(self) -> str:
        """A short title."""
        return self.body.name

    @property
    def when(self) -> str:
        """The condition under which it applies; empty for always."""
        return self.body.when

    @property
    def when_not(self) -> str:
        """The exception; empty for none."""
        return self.body.when_not

    @property
    def instruction(self) -> str:
        """What to do."""
        return self.body.instruction

    @property
    def usable(self) -> bool:
        """True when recall may consider it."""
        return self.status in (Status.ACTIVE, Status.PROVISIONAL)

    def _repr_html_(self) -> str:
        facts = {
            "when": self.when or "always",
            "when not": self.when_not,
            "instruction": self.instruction,
            "status": self.status.value,
            "support": self.votes.get("support", len(self.evidence)),
            "trust": self.trust.value,
            "version": self.version,
            "scope": self.scope,
        }
        rows = [(name, value) for name, value in facts.items() if value != ""]
        places = [(e.critique, e.episode, e.instance, e.trial, e.step) for e in self.evidence]
        heads = ("critique", "episode", "instance", "trial", "step")
        rests = markup.table("rests on", heads, places) if places else ""
        title = f"{self.kind} {self.name} · {self.id}"
        return markup.table(title, (), rows) + markup.folded(f"evidence ({len(places)})", rests)


class MemoryUpdate(Record):
    """One change of one lesson; the only way memory changes."""

    op: Operation
    lesson: str
    """The lesson that is changed, or made."""
    body: LessonBody | None = None
    """The new text, for add, revise and merge."""
    parents: tuple[str, ...] = ()
    """For merge and supersede: the lessons that `lesson` takes the place of."""
    status: Status | None = None
    """The status that it enters, where the operation leaves a choice."""
    trust: Origin | None = None
    evidence: tuple[Evidence, ...] = ()
    critiques: tuple[str, ...] = ()
    """Critiques that ask for it."""
    votes: dict[str, int] = {}
    """What is added to the votes."""
    beside: str = ""
    """For keep_both: the key of the pair of texts that stays."""
    confidence: float | None = None
    reason: str = ""
    prompt_sha: str = ""
    snapshot: Lesson | None = None
    """The whole lesson, where it is copied from another branch."""
    without: tuple[Evidence, ...] = ()
    """Evidence that the lesson loses, because where it came from was revoked."""
    undoes: int | None = None
    """The revision that it goes back to, in a rollback; `snapshot` is the lesson as it was then."""
    revokes: bool = False
    """True for a part of a revocation or a purge, whatever operation it takes."""


class Commit(Record):
    """The updates of one curation: they are there wholly, or not at all."""

    id: str
    branch: str
    scope: str
    base: int
    """The revision that the updates were made against; they make `base + 1`."""
    updates: tuple[MemoryUpdate, ...] = ()
    critiques: tuple[str, ...] = ()
    """The critiques consumed, whether or not they led to an update."""
    rejected: tuple[str, ...] = ()
    """Operations that were refused, with reasons."""
    failure: str = ""
    """Why the curator's proposals could not be used; then there are no updates."""
    lacking: str = ""
    """What the curator failed at first while the rest stands: a group of critiques, near pairs, or
    a question asked once more. Tried again where failures are."""
    usage: Usage = Usage()


class Objection(Record):
    """Why a check refuses a commit, and what it lets through of one that is refused again."""

    why: str
    kept: Commit | None = None
    """None: nothing."""

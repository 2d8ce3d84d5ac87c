"""What a curator answers, and what it is shown."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..records import Record

OPERATIONS = ("add", "revise", "merge", "support", "retire")
"""What a model may ask for, in the order in which prompts list it."""

DECISIONS = ("keep_both", "reject")
"""What it may decide besides, where pairs of texts are nominated."""

Text = Annotated[str, Field(max_length=2_000)]


class OperationReply(BaseModel):
    """One change of the list."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    op: str = Field(
        description="add: new text, at least one piece of evidence. revise: exactly one lesson, "
        "new text. merge: two or more lessons become one new text. support: exactly one lesson "
        "that the evidence confirms, no text; evidence that an action failed supports a lesson "
        "that recommends another action there. retire: exactly one lesson that the evidence "
        "contradicts.",
        json_schema_extra={"enum": list(OPERATIONS)},
    )
    lessons: tuple[int, ...] = Field(
        default=(), description="Numbers of the lessons that it changes."
    )
    evidence: tuple[int, ...] = Field(
        default=(), description="Numbers of the evidence that it rests on."
    )
    proposals: tuple[int, ...] = Field(
        default=(), description="Numbers of the proposals that it takes up, if any are shown."
    )
    name: Text = Field(default="", description="Two to five words.")
    when: Text = Field(
        default="",
        description="How to recognise the situation before acting, in the words of the "
        "observations. It holds in all evidence cited. Never empty for add, revise and merge. "
        "No colon.",
    )
    when_not: Text = Field(default="", description="Exceptions; else empty.")
    instruction: Text = Field(
        default="",
        description="Advice that starts with a verb and names listed actions exactly. At most 30 "
        "words; name and reason do not count.",
    )
    reason: Text = Field(default="", description="One sentence.")


class CuratorReply(BaseModel):
    """The changes that a curator asks for; lessons without an operation stay as they are."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    operations: tuple[OperationReply, ...] = Field(
        max_length=500, description="Empty if nothing should change. Do not state counts."
    )


class DecisionReply(OperationReply):
    """One change of the list, or a decision on a nominated pair."""

    op: str = Field(
        description="As listed. keep_both: two lessons, or one lesson and one proposal, of a "
        "nominated pair both hold; the proposal becomes a lesson. reject: one proposal adds "
        "nothing.",
        json_schema_extra={"enum": [*OPERATIONS, *DECISIONS]},
    )


class DecidingReply(CuratorReply):
    """The changes that a curator asks for where pairs are nominated."""

    operations: tuple[DecisionReply, ...] = Field(
        max_length=500, description="Empty if nothing should change. Do not state counts."
    )


def _with_aspect(schema: dict[str, Any]) -> None:
    """Models are to name an aspect; a callable may leave it out."""
    schema["required"] = [*schema.get("required", ()), "aspect"]


class BeliefReply(OperationReply):
    """One change of a list of beliefs."""

    model_config = ConfigDict(json_schema_extra=_with_aspect)


class BeliefDecisionReply(DecisionReply):
    """One change of a list of beliefs, or a decision on a nominated pair."""

    model_config = ConfigDict(json_schema_extra=_with_aspect)


_ABOUT = (
    "For add, revise and merge: which of the aspects listed the condition speaks of; else the last."
)


@cache
def belief_schema(aspects: tuple[str, ...], *, deciding: bool) -> type[CuratorReply]:
    """The class to ask for where beliefs are curated, each about one of `aspects`.

    `deciding`: pairs of texts are nominated.
    """
    of = DecidingReply if deciding else CuratorReply
    if not aspects:
        return of
    base = BeliefDecisionReply if deciding else BeliefReply
    about = Field(default="", description=_ABOUT, json_schema_extra={"enum": list(aspects)})
    one: Any = create_model("Belief", __base__=base, aspect=(Text, about))
    listed = Field(
        max_length=500, description="Empty if nothing should change. Do not state counts."
    )
    made: Any = create_model("Beliefs", __base__=of, operations=(tuple[one, ...], listed))
    return cast(type[CuratorReply], made)


class LessonView(Record):
    """A lesson of the list as a curator sees it."""

    alias: int
    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str
    support: int = 0
    against: int = 0
    aspect: str = ""


class ProposalView(Record):
    """A critic's proposal as a curator sees it."""

    when: str = ""
    when_not: str = ""
    instruction: str
    also_possible: tuple[str, ...] = ()
    aspect: str = ""


class EvidenceView(Record):
    """What was seen, done and proposed at one step."""

    alias: int
    outcome: str
    goal: str = ""
    """Of that instance, where instances differ in it."""
    observation: str
    action: str
    feedback: str
    proposals: tuple[ProposalView, ...] = ()
    given: tuple[int, ...] = ()
    """Aliases of the lessons that the agent had."""


class OperationView(Record):
    """An operation that a group proposed, as the merging call sees it."""

    alias: int
    op: str
    lessons: tuple[int, ...] = ()
    evidence: tuple[int, ...] = ()
    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str = ""
    reason: str = ""
    aspect: str = ""


class NominationView(Record):
    """Two texts that are near in words: of a proposal and a lesson, or of two lessons."""

    proposal: int = 0
    """0: the pair is of two lessons."""
    lessons: tuple[int, ...]
    opposed: bool = False
    """Whether one negates or names the opposite of what the other says."""


class SystemInputs(Record):
    """What `curator/system` is rendered from."""

    operations: tuple[str, ...]
    max_lessons: int
    counts: bool = False
    """Whether retire only takes a vote."""


class BeliefInputs(SystemInputs):
    """What `curator/beliefs` is rendered from."""

    aspects: tuple[str, ...] = ()


class StepView(Record):
    """How far an edit of beliefs may go."""

    agreed: int
    """Percent of the decisions on which the two runs agreed."""
    change: int
    """Percent of the lines that may change."""
    lines: int
    """That many lines, at most."""


class ProposeInputs(Record):
    """What `curator/propose` is rendered from."""

    goal: str
    actions: tuple[str, ...] | None = None
    lessons: tuple[LessonView, ...] = ()
    evidence: tuple[EvidenceView, ...] = ()
    directions: tuple[str, ...] = ()
    """Why the better run earned more, as critics say; for beliefs."""
    step: StepView | None = None
    """None: any edit."""


class MergeInputs(ProposeInputs):
    """What `curator/merge` is rendered from."""

    proposals: tuple[OperationView, ...] = ()
    nominations: tuple[NominationView, ...] = ()

"""What a critic answers: the wire form, whose field descriptions define every unclear point.

It has no field for scope, status, trust or audience, and ids only as the small numbers that were
offered. Unknown fields are dropped; what is missing and may be empty is filled.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..records import Verdict

Text = Annotated[str, Field(max_length=2_000)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CauseReply(_Wire):
    """One step that decided the outcome."""

    step: int = Field(description="The number of a step shown above.")
    quote: Text = Field(
        default="",
        description="A few words copied exactly from that step's observation, action or feedback.",
    )
    why: Text = Field(
        default="",
        description="What was wrong or right there. Empty when you could only repeat the outcome: "
        "do not invent a reason.",
    )


class LessonReply(_Wire):
    """One lesson proposed."""

    name: Text = Field(default="", description="Two to five words.")
    when: Text = Field(
        default="",
        description="How to recognise the situation by what can be seen before acting, in the "
        "words of the observation. If one attempt cannot show which cue decides: one cue, the "
        "likeliest. No colon.",
    )
    when_not: Text = Field(
        default="",
        description="Situations that look alike and where the lesson does not hold, if the attempt "
        "shows one; else empty.",
    )
    instruction: Text = Field(
        description="Advice that starts with a verb, a short hint, no plan. It names listed "
        "actions exactly. It may be negative (do not choose A or B). Conclude that it must be C "
        "only if the task says that exactly one listed action fits.",
    )
    also_possible: tuple[Text, ...] = Field(
        default=(),
        max_length=20,
        description="Other cues of the same situation that could have decided instead, the "
        "likeliest first.",
    )
    step: int = Field(
        default=0, description="The step that it stems from; 0 for the attempt as a whole."
    )


class CritiqueReply(_Wire):
    """A critique of one attempt."""

    verdict: Verdict = Field(
        description="Of the last attempt shown. By the outcome; if that is unknown, by the "
        "feedback; 'unclear' when nothing shown settles it.",
    )
    causes: tuple[CauseReply, ...] = Field(
        default=(), max_length=50, description="The few steps that decided, the decisive one first."
    )
    lessons: tuple[LessonReply, ...] = Field(
        default=(),
        max_length=50,
        description="What to do or not to do in such a situation; empty if nothing can be learned.",
    )
    keeps: tuple[int, ...] = Field(
        default=(),
        max_length=200,
        description="Numbers of the earlier lessons to carry forward: all but those that this "
        "attempt contradicts. One that was not put to the test is kept.",
    )
    refinement: Text = Field(
        default="",
        description="One or two sentences of advice for the very next attempt at this same "
        "instance; empty if there is none.",
    )
    confidence: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="0 to 1: how likely the lessons hold on other instances of the task, not how "
        "sure you are of the verdict.",
    )
    reveals_answer: bool = Field(
        default=False,
        description="True only if a lesson names an answer that nothing shown to you confirms. "
        "Naming an action that shown feedback confirmed is not revealing.",
    )


class FeedbackReply(_Wire):
    """Feedback on one output whose outcome nobody has told."""

    verdict: Verdict = Field(
        description="'success' if you would change nothing, 'failure' if something must change, "
        "'unclear' when nothing shown settles it.",
    )
    causes: tuple[CauseReply, ...] = Field(
        default=(), max_length=50, description="The places that must change, the gravest first."
    )
    refinement: Text = Field(
        default="",
        description="What to change and how, concretely enough to be done at once; empty if "
        "nothing is to change.",
    )
    confidence: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="0 to 1: how likely the output, as it stands, is right.",
    )


class ScoreReply(_Wire):
    """The score of one candidate."""

    why: Text = Field(default="", description="What decides for or against it, in one sentence.")
    score: float = Field(
        ge=0, le=1, description="0 to 1 with two decimals: how likely it is right, beside the rest."
    )


class ScoresReply(_Wire):
    """The scores of all candidates."""

    @property
    def by_number(self) -> dict[int, ScoreReply]:
        """By the number of the candidate, from 1."""
        raise NotImplementedError


@cache
def scores_schema(candidates: int) -> type[ScoresReply]:
    """The class to ask for when `candidates` candidates are shown: one entry for each number.

    A reply that lacks one is repaired a bounded number of times like any other, then given up.
    """
    numbers = range(1, candidates + 1)
    fields: dict[str, Any] = {
        f"of_{n}": (ScoreReply, Field(alias=str(n), description=f"Of candidate {n}."))
        for n in numbers
    }
    each: Any = create_model("Scores", __base__=_Wire, **fields)

    class Reply(ScoresReply):
        scores: each = Field(description="One entry for each candidate, by its number.")

        @property
        def by_number(self) -> dict[int, ScoreReply]:
            return {n: getattr(self.scores, f"of_{n}") for n in numbers}

    return Reply


_ATTEMPT = "The number of the attempt that this step belongs to; 0 for the last one that fits."


class GroupCauseReply(CauseReply):
    """One step that decided the outcome of one of several attempts."""

    attempt: int = Field(default=0, description=_ATTEMPT)


class GroupLessonReply(LessonReply):
    """One lesson proposed from one of several attempts."""

    attempt: int = Field(default=0, description=_ATTEMPT)


class GroupCritiqueReply(CritiqueReply):
    """A critique of several attempts at one instance."""

    causes: tuple[GroupCauseReply, ...] = Field(
        default=(), max_length=50, description="The few steps that decided, the decisive one first."
    )
    lessons: tuple[GroupLessonReply, ...] = Field(
        default=(),
        max_length=50,
        description="What to do or not to do in such a situation; empty if nothing can be learned.",
    )


def _with_aspect(schema: dict[str, Any]) -> None:
    """Models are to name an aspect; a callable may leave it out."""
    schema["required"] = [*schema.get("required", ()), "aspect"]


class TradeLessonReply(GroupLessonReply):
    """One belief proposed from the trades of several attempts."""

    model_config = ConfigDict(json_schema_extra=_with_aspect)

    instruction: Text = Field(
        description="What holds there and so what to do: a short hint that names listed actions "
        "exactly, such as choose A or do not choose B."
    )


class TradesReply(GroupCritiqueReply):
    """A comparison of the trades of two attempts."""

    refinement: Text = Field(
        default="",
        description="Why the attempt that earned more did so, by aspect, and in which direction "
        "the beliefs should change: two or three sentences.",
    )


@cache
def trades_schema(aspects: tuple[str, ...]) -> type[TradesReply]:
    """The class to ask for when trades are shown and each lesson is about one of `aspects`."""
    if not aspects:
        return TradesReply
    about = Field(
        default="",
        description="Which of the aspects offered the cue belongs to.",
        json_schema_extra={"enum": list(aspects)},
    )
    lesson: Any = create_model("TradeLesson", __base__=TradeLessonReply, aspect=(Text, about))
    lessons = Field(
        default=(),
        max_length=50,
        description="What holds in such a situation; empty if nothing can be learned.",
    )
    made: Any = create_model("Trades", __base__=TradesReply, lessons=(tuple[lesson, ...], lessons))
    return cast(type[TradesReply], made)


@cache
def reply_schema(attempts: int) -> type[CritiqueReply]:
    """The class to ask for when `attempts` attempts are shown."""
    return GroupCritiqueReply if attempts > 1 else CritiqueReply

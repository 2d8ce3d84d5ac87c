"""What passes between agent, environment and model: observations, actions, feedback marks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from ..ids import sha256_text
from ._base import Record


class Origin(StrEnum):
    """Who a text comes from; decides how a lesson made from it may enter (design section 8)."""

    OPERATOR = "operator"
    """A person with write access."""
    TASK = "task"
    """An environment whose observations are declared trusted."""
    UNTRUSTED = "untrusted"
    """Everybody else: tool results, end users, web, MCP, proxies."""

    @property
    def rank(self) -> int:
        """0 for untrusted, 1 for task, 2 for operator."""
        return (Origin.UNTRUSTED, Origin.TASK, Origin.OPERATOR).index(self)

    @staticmethod
    def minimum(origins: tuple[Origin, ...]) -> Origin:
        """The least trusted of `origins`; operator when there is none."""
        return min(origins, key=lambda o: o.rank, default=Origin.OPERATOR)


class _Sourced(Record):
    origin: Origin | None = None
    """Who this part comes from; None means the origin of the task."""
    source: str | None = None
    """A name for the source, such as a customer or an address."""


class TextPart(_Sourced):
    """Plain text."""

    kind: Literal["text"] = "text"
    text: str


class ToolCallPart(_Sourced):
    """A call of a tool that a model asks for."""

    kind: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: str
    """The arguments as JSON text, as the model wrote them."""


class ToolResultPart(_Sourced):
    """What a tool returned."""

    kind: Literal["tool_result"] = "tool_result"
    call_id: str
    text: str
    is_error: bool = False


class MediaPart(_Sourced):
    """A reference to an image, a sound or a document; the bytes live elsewhere."""

    kind: Literal["media"] = "media"
    media_type: str
    uri: str
    sha256: str | None = None


Part = Annotated[TextPart | ToolCallPart | ToolResultPart | MediaPart, Field(discriminator="kind")]


def part_text(part: TextPart | ToolCallPart | ToolResultPart | MediaPart) -> str:
    """`part` as plain text, for prompts and hashes."""
    match part:
        case TextPart():
            return part.text
        case ToolCallPart():
            return f"{part.name}({part.arguments})"
        case ToolResultPart():
            return f"error: {part.text}" if part.is_error else part.text
        case MediaPart() if part.uri.startswith("data:"):
            # The bytes themselves are no text: they would be counted, cut and searched as words.
            return f"[{part.media_type}: data {sha256_text(part.uri)[:12]}]"
        case MediaPart():
            return f"[{part.media_type}: {part.uri}]"


class Tool(Record):
    """A tool that may be called; a model sees all of it."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """In the form that every provider takes."""
    description: str = ""
    parameters: dict[str, JsonValue] = {}
    """The JSON schema of its arguments: an object."""


class _Content(Record):
    text: str = ""
    """The plain rendering; filled from `parts` when left empty."""
    parts: tuple[Part, ...] = ()
    """The structured form, where there is one."""

    @model_validator(mode="before")
    @classmethod
    def _text_from_parts(cls, data: object) -> object:
        if isinstance(data, str):
            return {"text": data}
        return data

    @model_validator(mode="after")
    def _fill_text(self) -> _Content:
        if self.parts and not self.text:
            object.__setattr__(self, "text", "\n".join(part_text(p) for p in self.parts))
        return self


class Observation(_Content):
    """What the environment shows before an action."""

    actions: tuple[str, ...] | None = None
    """The admissible actions, verbatim as `step` accepts them; None when any text is, `()` when no
    text is and a tool must be called."""
    tools: tuple[Tool, ...] | None = None
    """The tools that may be called now; None: those of the observation before it, at first none."""


class Credit(Record):
    """What one report was worth to the decision that it was read for, as the manager says."""

    report: int
    """Which of the step's reports, from 1."""
    worth: Literal["decisive", "useful", "useless"]


class Action(_Content):
    """What the agent does: text, or tool calls as parts (several calls are one action)."""

    lessons_used: tuple[int, ...] = ()
    """Aliases of the guidance lines that the agent says it followed."""
    thought: str = ""
    """What the agent wrote before it decided; never shown to environments."""
    repaired: str = ""
    """What was wrong with a first answer, where the agent asked its model once more."""
    credits: tuple[Credit, ...] = ()
    """What the reports were worth to it, where a manager of a team decides; one each at most."""
    memos_used: tuple[int, ...] = ()
    """Which of the memos shown, from 1, it rested on, as the agent says."""
    memos_unknown: int = 0
    """How many numbers it gave that stand for no memo shown; they are left out."""


class Usage(Record):
    """Tokens of one or many model calls, normalised over providers."""

    input: int = 0
    """Uncached input tokens."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    """The part of `output` that was reasoning."""
    calls: int = 0
    reused: int = 0
    """The part of all tokens that a cache of earlier runs answered: counted, and not paid."""
    cost_usd: float | None = None
    """None when no price is known."""

    def __add__(self, other: Usage) -> Usage:
        costs = [c for c in (self.cost_usd, other.cost_usd) if c is not None]
        # A part of the price would be read as the whole.
        known = bool(costs) and not (self._unpriced or other._unpriced)
        return Usage(
            input=self.input + other.input,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            calls=self.calls + other.calls,
            reused=self.reused + other.reused,
            cost_usd=sum(costs) if known else None,
        )

    @property
    def _unpriced(self) -> bool:
        """True when something was paid and nobody knows how much."""
        free = 0 < self.total <= self.reused
        return self.cost_usd is None and self.calls > 0 and not free

    @property
    def total(self) -> int:
        """All tokens in and out."""
        return self.input + self.cache_read + self.cache_write + self.output

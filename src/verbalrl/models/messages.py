"""What goes to a model and what comes back: messages, tools, requests, replies.

Plain values. Who sends them, journals them or mends them is decided elsewhere.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import JsonValue

from ..ids import canonical_json, sha256_text, token_estimate
from ..records import (
    MediaPart,
    Part,
    Record,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
    part_text,
)
from ..text import normalise, redact

MAX_REPLY = 1 << 20
"""Characters: a longer reply is refused."""
MEDIA_TOKENS = 1_600
"""What one image, sound or document counts in estimates: a large image; providers differ."""

Finish = Literal["stop", "length", "tool_calls", "refusal"]


class Message(Record):
    """One message of a conversation; `text` or `parts`, not both."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def plain(self) -> str:
        """The message as plain text."""
        return "\n".join(part_text(p) for p in self.parts) if self.parts else self.text


class Request(Record):
    """One question to a model. The context of the call fills role, key and seed."""

    messages: tuple[Message, ...]
    role: str = "actor"
    output_schema: dict[str, JsonValue] | None = None
    """The JSON schema that the reply is to fit; None for free text."""
    tools: tuple[Tool, ...] = ()
    max_output: int | None = None
    """Tokens."""
    call_key: str = ""
    sample_seed: int = 0

    def content(self) -> str:
        """What the model gets to see, as canonical JSON; neither the role nor the call key."""
        return canonical_json(
            {
                "messages": [_message_json(m) for m in self.messages],
                "output_schema": self.output_schema,
                "tools": [vars(t) for t in self.tools],
                "max_output": self.max_output,
                "sample_seed": self.sample_seed,
            }
        )

    def sha(self) -> str:
        """Equal for requests that ask the same with the same seed."""
        return sha256_text(self.content())


class Reply(Record):
    """What a model answered, normalised over providers."""

    text: str = ""
    parts: tuple[Part, ...] = ()
    finish: Finish = "stop"
    usage: Usage = Usage()
    model: str = ""
    """The name that the provider says answered."""


def _message_json(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role, "text": message.text}
    if message.parts:
        # Their fields are JSON as they stand; to dump each part of a long history takes longer.
        plain["parts"] = [vars(p) for p in message.parts]
    return plain


def clean(text: str) -> str:
    """`text` as it may enter a run: normalised, without secrets."""
    return redact(normalise(text))


def clean_json(value: Any) -> Any:
    """`value`, as JSON or Python gives it, with every text in it cleaned; tuples become lists."""
    match value:
        case str():
            return clean(value)
        case list() | tuple():
            return [clean_json(v) for v in value]
        case dict():
            return {clean_json(k): clean_json(v) for k, v in value.items()}
    return value


def clean_part(part: Part) -> Part:
    """`part` with its texts cleaned."""
    match part:
        case TextPart() | ToolResultPart():
            return part.model_copy(update={"text": clean(part.text)})
        case ToolCallPart():
            return part.model_copy(update={"arguments": clean(part.arguments)})
    return part


def clean_tool(tool: Tool) -> Tool:
    """`tool` with the texts that a model reads cleaned."""
    parameters = {k: _clean_json(v) for k, v in tool.parameters.items()}
    return tool.model_copy(
        update={"description": clean(tool.description), "parameters": parameters}
    )


def _clean_json(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return clean(value)
        case list():
            return [_clean_json(v) for v in value]
        case dict():
            return {k: _clean_json(v) for k, v in value.items()}
    return value


def clean_message(message: Message) -> Message:
    """`message` with its texts cleaned."""
    parts = tuple(clean_part(p) for p in message.parts)
    return message.model_copy(update={"text": clean(message.text), "parts": parts})


def admitted(reply: Reply) -> Reply:
    """`reply` as it enters the run: what is journaled is what is used, now and on replay."""
    # One character too many is kept, so that the check of the size refuses it on replay too.
    usage = reply.usage if reply.usage.calls else reply.usage.model_copy(update={"calls": 1})
    return reply.having(
        text=clean(reply.text[: MAX_REPLY + 1]),
        parts=tuple(map(clean_part, reply.parts)),
        usage=usage,
    )


def estimated_usage(request: Request, text: str) -> Usage:
    """The usage that token estimates give, for models that report none."""
    # Normalised: what has no UTF-8 has no length in it.
    read = sum(token_estimate(normalise(m.plain)) for m in request.messages)
    read += MEDIA_TOKENS * sum(isinstance(p, MediaPart) for m in request.messages for p in m.parts)
    written = token_estimate(normalise(text))
    if request.max_output is not None:
        # An estimate must not exceed what the server was told to keep to.
        written = min(written, request.max_output)
    return Usage(input=read, output=written, calls=1)

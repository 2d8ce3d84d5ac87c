"""Anthropic's messages, and servers that speak them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..errors import ConfigurationError
from ..records import (
    MediaPart,
    Part,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
    part_text,
)
from ..text import normalise
from .faults import count, listing, mapping, words
from .messages import Finish, Message, Reply, Request
from .remote import NO_KEY, RemoteModel, Sdk, is_loopback
from .retry import Transient

DEFAULT_MAX_OUTPUT = 8192
"""The protocol wants a cap with every request."""
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_FINISH: dict[str, Finish] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool_calls",
}


class Anthropic(RemoteModel):
    """`anthropic:NAME`: messages. No sampling parameter is ever sent."""

    provider = "anthropic"
    path = "/v1/messages"
    url_variable = "ANTHROPIC_BASE_URL"
    url_tail = "/v1"
    schema_names = ("output_config", "output_format", "json_schema", "structured output")

    def prepare(self) -> tuple[str, ...]:
        """The credentials, found where the SDK finds them; local servers need none."""
        self._key = NO_KEY if self._place.offline else None
        if self._place.offline:
            return ()
        found = tuple(value for name in _KEYS if (value := os.environ.get(name)))
        if not found and not self._has_profile():
            if not is_loopback(self._place.base_url):
                raise ConfigurationError(
                    f"{self.name} needs a key: set {_KEYS[0]} in the environment"
                )
            self._key = NO_KEY
        return found

    def _has_profile(self) -> bool:
        import anthropic

        try:
            found = getattr(anthropic.Anthropic(), "credentials", None)
        except (anthropic.AnthropicError, OSError, ValueError):
            return False
        return found is not None

    def sdk(self) -> Sdk:
        """The SDK of Anthropic."""
        import anthropic

        return Sdk(anthropic, anthropic.AsyncAnthropic, anthropic.AnthropicError)

    def written(self, request: Request, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """The body of a message's request."""
        system = [m.plain for m in request.messages if m.role == "system"]
        written: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_output or DEFAULT_MAX_OUTPUT,
            "messages": _turns([m for m in request.messages if m.role != "system"]),
        }
        if system:
            written["system"] = normalise("\n\n".join(system))
        if schema is not None:
            written["output_config"] = {"format": _format(schema)}
        if request.tools:
            written["tools"] = [_tool(tool) for tool in request.tools]
        return written

    def read(self, body: dict[str, Any]) -> Reply:
        """All blocks of the message but its thinking."""
        blocks = [mapping(b, "block") for b in listing(body.get("content"), "content")]
        finish = _FINISH.get(str(body.get("stop_reason")), "stop")
        if not blocks and finish == "stop":
            raise Transient("an answer without content")
        parts: list[Part] = []
        for block in blocks:
            if block.get("type") == "text":
                parts.append(TextPart(text=words(block.get("text"), "text")))
            elif block.get("type") == "tool_use":
                parts.append(_call(block))
        model = body.get("model")
        has_calls = any(isinstance(p, ToolCallPart) for p in parts)
        return Reply(
            text="".join(p.text for p in parts if isinstance(p, TextPart)),
            parts=tuple(parts) if has_calls else (),
            finish=finish,
            usage=usage_of(body.get("usage")),
            model=normalise(model)[:200] if isinstance(model, str) else "",
        )


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "schema": _transformed(json.dumps(schema))}


@lru_cache(maxsize=256)
def _transformed(schema: str) -> dict[str, Any]:
    """The schema as the API takes it; an agent sends the same few again and again."""
    import anthropic

    try:
        # What the API does not take becomes part of the descriptions.
        return anthropic.transform_schema(json.loads(schema))
    except (ValueError, TypeError, KeyError):
        # It cannot be expressed; the server will say so, and the schema goes as words.
        given: dict[str, Any] = json.loads(schema)
        return given


def _tool(tool: Tool) -> dict[str, Any]:
    schema = tool.parameters or {"type": "object", "properties": {}}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _turns(messages: list[Message]) -> list[dict[str, Any]]:
    """User and assistant turns; what tools returned, and what is said to it, is one user turn."""
    turns: list[dict[str, Any]] = []
    was_tool = False
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        is_tool = message.role == "tool"
        content: Any = normalise(message.text)
        if message.parts:
            content = [_block(part) for part in message.parts]
        if was_tool and role == "user" and isinstance(turns[-1]["content"], list):
            turns[-1]["content"].extend(content if message.parts else [_text(content)])
        else:
            turns.append({"role": role, "content": content})
        was_tool = is_tool
    return turns


def _block(part: Part) -> dict[str, Any]:
    match part:
        case ToolCallPart():
            return {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": _arguments(part.arguments),
            }
        case ToolResultPart():
            return {
                "type": "tool_result",
                "tool_use_id": part.call_id,
                "content": normalise(part.text),
                "is_error": part.is_error,
            }
        case MediaPart() if part.media_type.startswith("image/"):
            return {"type": "image", "source": _source(part)}
        case MediaPart() if part.media_type == "application/pdf":
            return {"type": "document", "source": _source(part)}
    return _text(normalise(part_text(part)))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _source(part: MediaPart) -> dict[str, str]:
    head, _, data = part.uri.partition(",")
    if head.startswith("data:") and head.endswith(";base64"):
        return {"type": "base64", "media_type": part.media_type, "data": data}
    return {"type": "url", "url": part.uri}


def _arguments(text: str) -> dict[str, Any]:
    """The arguments of an earlier call; what is no object is shown as it was written."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": normalise(text)}


def _call(block: dict[str, Any]) -> ToolCallPart:
    arguments = json.dumps(mapping(block.get("input"), "input"), ensure_ascii=False)
    return ToolCallPart(
        id=normalise(words(block.get("id"), "tool call id")),
        name=normalise(words(block.get("name"), "tool name")),
        arguments=normalise(arguments),
    )


def usage_of(usage: object) -> Usage:
    """The counts of a `usage` field, whatever it is; input is counted without what was cached."""
    given = usage if isinstance(usage, Mapping) else {}
    output = count(given, "output_tokens")
    return Usage(
        input=count(given, "input_tokens"),
        cache_read=count(given, "cache_read_input_tokens"),
        cache_write=count(given, "cache_creation_input_tokens"),
        output=output,
        reasoning=min(output, count(given, "output_tokens_details", "thinking_tokens")),
        calls=1,
    )

"""OpenAI and every server that speaks its protocols: chat completions and responses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
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
from .faults import count, listing, mapping, of_error_body, words
from .messages import Finish, Message, Reply, Request
from .remote import NO_KEY, RemoteModel, Sdk, is_loopback
from .retry import Transient

_KEY = "OPENAI_API_KEY"
# What OpenAI's strict mode is documented to take; other schemas are sent as a wish.
_STRICT_KEYS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "$ref", "$defs", "description", "title"),
    }
)
_PDF, _DATA = "application/pdf", ";base64,"
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class _OpenAI(RemoteModel):
    """What both protocols share: the client, its key, its errors."""

    url_variable = "OPENAI_BASE_URL"

    def prepare(self) -> tuple[str, ...]:
        """The key, from the environment as the SDK reads it; local servers need none."""
        key = "" if self._place.offline else os.environ.get(_KEY, "")
        if not key and not self._place.offline and not is_loopback(self._place.base_url):
            raise ConfigurationError(f"{self.name} needs a key: set {_KEY} in the environment")
        self._key = key or NO_KEY
        return (key,) if key else ()

    def sdk(self) -> Sdk:
        """The SDK of OpenAI."""
        import openai

        return Sdk(openai, openai.AsyncOpenAI, openai.OpenAIError)


class OpenAIChat(_OpenAI):
    """`openai:NAME`: chat completions, the common denominator of compatible servers."""

    provider = "openai"
    path = "/chat/completions"
    schema_names = ("response_format", "json_schema", "structured output")

    def written(self, request: Request, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """The body of a chat completion."""
        written: dict[str, Any] = {
            "model": self.model,
            "messages": [m for message in request.messages for m in _chat_messages(message)],
        }
        if schema is not None:
            written["response_format"] = {"type": "json_schema", "json_schema": _named(schema)}
        if request.tools:
            written["tools"] = [
                {"type": "function", "function": _function(t)} for t in request.tools
            ]
        if request.max_output is not None:
            # Compatible servers know the old name, OpenAI's newer models only the new one.
            name = "max_completion_tokens" if self._place.base_url is None else "max_tokens"
            written[name] = request.max_output
        return written

    def read(self, body: dict[str, Any]) -> Reply:
        """The first choice."""
        choices = listing(body.get("choices"), "choices")
        if not choices:
            raise Transient("an answer without choices")
        choice = mapping(choices[0], "choice")
        message = mapping(choice.get("message"), "message")
        calls = listing(message.get("tool_calls") or [], "tool calls")
        reason = choice.get("finish_reason")
        finish: Finish = "tool_calls" if calls else "stop"
        if reason == "length":
            finish = "length"
        elif reason == "content_filter" or message.get("refusal"):
            finish = "refusal"
        return _reply(
            body,
            text=_content(message.get("content")),
            calls=[_chat_call(mapping(c, "tool call")) for c in calls],
            finish=finish,
            usage=usage_of(body.get("usage"), "prompt", "completion"),
        )


class OpenAIResponses(_OpenAI):
    """`openai-responses:NAME`: the responses protocol; nothing is kept on the server."""

    provider = "openai-responses"
    path = "/responses"
    schema_names = ("text.format", "json_schema", "structured output")

    def written(self, request: Request, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """The body of a response's request."""
        system = [m.plain for m in request.messages if m.role == "system"]
        others = [m for m in request.messages if m.role != "system"]
        written: dict[str, Any] = {
            "model": self.model,
            "input": [item for message in others for item in _items(message)],
            "store": False,
        }
        if system:
            written["instructions"] = normalise("\n\n".join(system))
        if schema is not None:
            written["text"] = {"format": {"type": "json_schema", **_named(schema)}}
        if request.tools:
            written["tools"] = [
                {"type": "function", "strict": False, **_function(t)} for t in request.tools
            ]
        if request.max_output is not None:
            written["max_output_tokens"] = request.max_output
        return written

    def read(self, body: dict[str, Any]) -> Reply:
        """All messages and calls of the output."""
        if body.get("status") == "failed":
            raise of_error_body(body.get("error") or "the response failed")
        items = [mapping(i, "output item") for i in listing(body.get("output"), "output")]
        contents = [
            mapping(part, "content")
            for item in items
            if item.get("type") == "message"
            for part in listing(item.get("content"), "content")
        ]
        calls = [_response_call(i) for i in items if i.get("type") == "function_call"]
        finish: Finish = "tool_calls" if calls else "stop"
        if body.get("status") == "incomplete":
            reason = mapping(body.get("incomplete_details") or {}, "incomplete_details")
            finish = "refusal" if reason.get("reason") == "content_filter" else "length"
        elif any(c.get("type") == "refusal" for c in contents):
            finish = "refusal"
        elif not contents and not calls:
            raise Transient("an answer without output")
        texts = [words(c.get("text"), "text") for c in contents if c.get("type") == "output_text"]
        return _reply(
            body,
            text="".join(texts),
            calls=calls,
            finish=finish,
            usage=usage_of(body.get("usage"), "input", "output"),
        )


def is_strict(schema: object) -> bool:
    """Whether strict mode takes `schema`: closed objects, all required, no other keywords."""
    if not isinstance(schema, Mapping) or not _STRICT_KEYS.issuperset(schema):
        return False
    properties = schema.get("properties", {})
    is_object = schema.get("type") == "object"
    if is_object and schema.get("additionalProperties") is not False:
        return False
    if set(schema.get("required", ())) != set(properties):
        return False
    inner = [*properties.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    if "items" in schema:
        inner.append(schema["items"])
    return all(map(is_strict, inner))


def _named(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "reply", "schema": dict(schema), "strict": is_strict(schema)}


def _function(tool: Tool) -> dict[str, Any]:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _chat_messages(message: Message) -> Iterable[dict[str, Any]]:
    results = [p for p in message.parts if isinstance(p, ToolResultPart)]
    for result in results:
        # There is no field that says it is an error; its text does.
        text = normalise(part_text(result))
        yield {"role": "tool", "tool_call_id": result.call_id, "content": text}
    rest = [p for p in message.parts if not isinstance(p, ToolResultPart)]
    if results and not rest:
        return
    calls = [p for p in rest if isinstance(p, ToolCallPart)]
    shown = [p for p in rest if not isinstance(p, ToolCallPart)]
    role = "user" if message.role == "tool" else message.role
    content: Any = normalise("\n".join(map(part_text, shown)) if message.parts else message.text)
    if any(isinstance(p, MediaPart) for p in shown):
        content = [_chat_part(p) for p in shown]
    written: dict[str, Any] = {"role": role, "content": content}
    if calls:
        written["content"] = content or None
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": normalise(call.arguments)},
            }
            for call in calls
        ]
    yield written


def _chat_part(part: Part) -> dict[str, Any]:
    if isinstance(part, MediaPart) and part.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": part.uri}}
    if isinstance(part, MediaPart) and part.media_type in _SOUNDS and _DATA in part.uri:
        data = part.uri.partition(_DATA)[2]
        return {
            "type": "input_audio",
            "input_audio": {"data": data, "format": _SOUNDS[part.media_type]},
        }
    if isinstance(part, MediaPart) and part.media_type == _PDF and _DATA in part.uri:
        return {"type": "file", "file": {"filename": "document.pdf", "file_data": part.uri}}
    return {"type": "text", "text": normalise(part_text(part))}


def _items(message: Message) -> Iterable[dict[str, Any]]:
    is_assistant = message.role == "assistant"
    role = "assistant" if is_assistant else "user"
    if not message.parts:
        yield {"role": role, "content": normalise(message.text)}
        return
    shown = [p for p in message.parts if not isinstance(p, ToolCallPart | ToolResultPart)]
    if shown:
        yield {"role": role, "content": [_response_part(p, is_assistant) for p in shown]}
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            arguments = normalise(part.arguments)
            call = {"call_id": part.id, "name": part.name, "arguments": arguments}
            yield {"type": "function_call", **call}
        elif isinstance(part, ToolResultPart):
            output = normalise(part_text(part))
            yield {"type": "function_call_output", "call_id": part.call_id, "output": output}


def _response_part(part: Part, is_assistant: bool) -> dict[str, Any]:
    if isinstance(part, MediaPart) and part.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": part.uri, "detail": "auto"}
    if isinstance(part, MediaPart) and part.media_type == _PDF:
        if _DATA in part.uri:
            return {"type": "input_file", "filename": "document.pdf", "file_data": part.uri}
        return {"type": "input_file", "file_url": part.uri}
    kind = "output_text" if is_assistant else "input_text"
    return {"type": kind, "text": normalise(part_text(part))}


def _content(content: object) -> str:
    """Text, or the texts of a list of parts, as some compatible servers answer."""
    if isinstance(content, list):
        return "".join(words(mapping(p, "content").get("text"), "text") for p in content)
    return words(content, "content")


def _chat_call(call: dict[str, Any]) -> ToolCallPart:
    function = mapping(call.get("function"), "function")
    return _call(call.get("id"), function)


def _response_call(item: dict[str, Any]) -> ToolCallPart:
    return _call(item.get("call_id"), item)


def _call(identity: object, function: dict[str, Any]) -> ToolCallPart:
    return ToolCallPart(
        id=normalise(words(identity, "tool call id")),
        name=normalise(words(function.get("name"), "tool name")),
        arguments=normalise(words(function.get("arguments"), "arguments")),
    )


def _reply(
    body: dict[str, Any], *, text: str, calls: list[ToolCallPart], finish: Finish, usage: Usage
) -> Reply:
    parts: list[Part] = [TextPart(text=text)] if text and calls else []
    model = body.get("model")
    return Reply(
        text=text,
        parts=(*parts, *calls),
        finish=finish,
        usage=usage,
        model=normalise(model)[:200] if isinstance(model, str) else "",
    )


def usage_of(usage: object, read: str, written: str) -> Usage:
    """The counts of a `usage` field, whatever it is; theirs of input include what was cached."""
    given = usage if isinstance(usage, Mapping) else {}
    total, output = count(given, f"{read}_tokens"), count(given, f"{written}_tokens")
    cached = count(given, f"{read}_tokens_details", "cached_tokens")
    kept = count(given, f"{read}_tokens_details", "cache_write_tokens")
    return Usage(
        input=max(0, total - cached - kept),
        cache_read=cached,
        cache_write=kept,
        output=output,
        reasoning=min(output, count(given, f"{written}_tokens_details", "reasoning_tokens")),
        calls=1,
    )

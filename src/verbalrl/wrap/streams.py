"""A streamed reply put together again: from its events to the body that a plain call would get."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Event = Mapping[str, Any]


def body_of(api: str, content: bytes) -> dict[str, Any]:
    """The body that `content` holds, whether it is JSON or a stream of events, whole or cut off."""
    text = content.decode("utf-8", "replace")
    if text.lstrip()[:1] == "{":
        return _object(text)
    return assembled(api, events_of(text))


def events_of(text: str) -> Iterator[dict[str, Any]]:
    """The data of each server-sent event that is a JSON object."""
    lines: list[str] = []
    # Not `splitlines`: JSON may hold other line breaks as they are.
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            lines.append(line[5:])
        elif not line and lines:
            if event := _object("\n".join(lines)):
                yield event
            lines = []


def assembled(api: str, events: Iterable[Event]) -> dict[str, Any]:
    """The body that `events` amount to, as far as they go."""
    return _WAYS[api](events)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _chat(events: Iterable[Event]) -> dict[str, Any]:
    texts: list[str] = []
    calls: dict[object, dict[str, Any]] = {}
    notes: list[Any] = []
    body: dict[str, Any] = {}
    for event in events:
        for name in ("id", "model", "usage", "error"):
            if event.get(name):
                body[name] = event[name]
        for choice in event.get("choices") or ():
            # Of several choices the first is the reply, as in a body that is not streamed.
            if choice.get("index", 0) == 0:
                delta = choice.get("delta") or {}
                texts.append(delta.get("content") or delta.get("refusal") or "")
                _add_calls(calls, delta.get("tool_calls") or ())
                notes += delta.get("annotations") or ()
    message = {"content": "".join(texts), "tool_calls": list(calls.values())}
    if notes:
        message["annotations"] = notes
    return body | {"choices": [{"message": message}]}


def _add_calls(calls: dict[object, dict[str, Any]], deltas: Iterable[Event]) -> None:
    for delta in deltas:
        kind = "custom" if delta.get("custom") else "function"
        asked, field = delta.get(kind) or {}, "input" if kind == "custom" else "arguments"
        # Compatible servers may leave the index out; each of their deltas is then a whole call.
        key = delta.get("index", len(calls))
        call = calls.setdefault(key, {"id": delta.get("id"), kind: {"name": "", field: ""}})
        call["id"] = call["id"] or delta.get("id")
        call[kind]["name"] += asked.get("name") or ""
        call[kind][field] += asked.get(field) or ""


_ENDS = ("response.completed", "response.incomplete", "response.failed")


def _responses(events: Iterable[Event]) -> dict[str, Any]:
    texts: list[str] = []
    done: list[Any] = []
    body: dict[str, Any] = {}
    for event in events:
        kind = event.get("type")
        if kind in _ENDS:
            ended: dict[str, Any] = event.get("response") or {}
            return ended
        if kind == "response.created":
            body = dict(event.get("response") or {})
        elif kind == "response.output_text.delta":
            texts.append(event.get("delta") or "")
        elif kind == "response.output_item.done":
            done.append(event.get("item"))
            texts.clear()
        elif kind == "error" or "error" in event:
            body["error"] = event.get("error") or event
    if texts:
        done.append({"type": "message", "content": [{"text": "".join(texts)}]})
    return body | {"output": done}


def _messages(events: Iterable[Event]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    blocks: dict[object, dict[str, Any]] = {}
    for event in events:
        kind, at = event.get("type"), event.get("index")
        if kind == "message_start":
            body |= event.get("message") or {}
        elif kind == "content_block_start":
            blocks[at] = dict(event.get("content_block") or {})
        elif kind == "content_block_delta":
            _add_delta(blocks.setdefault(at, {"type": "text"}), event.get("delta") or {})
        elif kind == "message_delta":
            told = {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
            body["usage"] = {**(body.get("usage") or {}), **told}
        elif kind == "error":
            body["error"] = event.get("error") or event
    return body | {"content": [_closed(block) for block in blocks.values()]}


def _add_delta(block: dict[str, Any], delta: Event) -> None:
    if delta.get("type") == "text_delta":
        block["text"] = block.get("text", "") + (delta.get("text") or "")
    elif delta.get("type") == "input_json_delta":
        block["json"] = block.get("json", "") + (delta.get("partial_json") or "")


def _closed(block: dict[str, Any]) -> dict[str, Any]:
    """The block with its input as it came: arguments that were cut off stay text."""
    written = block.pop("json", "")
    return block | {"input": written} if written else block


_WAYS: Mapping[str, Callable[[Iterable[Event]], dict[str, Any]]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}

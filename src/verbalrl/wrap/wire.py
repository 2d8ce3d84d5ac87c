"""What goes over the wire, as an exchange tells it: pure, and forgiving of odd servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import first_line
from ..models.anthropic import usage_of as anthropic_usage
from ..models.openai import usage_of as openai_usage
from ..records import Usage

Body = Mapping[str, Any]


def request_of(api: str, body: Body) -> tuple[dict[str, Any], ...]:
    """The caller's messages as plain data of our own, system text first with the role `system`."""
    if api == "messages":
        return (*_system(body.get("system")), *_turns(body.get("messages")))
    if api == "responses":
        return (*_system(body.get("instructions")), *_turns(body.get("input")))
    return tuple(_turns(body.get("messages")))


def _system(text: object) -> Iterator[dict[str, Any]]:
    if isinstance(text, str | list | tuple) and text:
        yield {"role": "system", "content": plain(text)}


def _turns(messages: object) -> Iterator[dict[str, Any]]:
    if isinstance(messages, str):
        yield {"role": "user", "content": messages}
        return
    for message in messages if isinstance(messages, list | tuple) else ():
        turn = plain(message)
        if isinstance(turn, dict):
            is_system = turn.get("role") == "developer"
            yield {**turn, "role": "system"} if is_system else turn


def tools_of(body: Body) -> tuple[str, ...]:
    """The names of the tools that a request offers; those of an MCP server are not in it."""
    listed = [body.get(field) for field in ("tools", "functions")]
    found = [_map(t) for tools in listed if isinstance(tools, list | tuple) for t in tools]
    names = [_map(tool.get("function") or tool.get("custom") or tool).get("name") for tool in found]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def ran_in(api: str, body: Body) -> tuple[str, ...]:
    """The tools that the provider ran for a reply, whose findings its text may repeat."""
    if api == "chat":
        choices = _maps(body.get("choices"))
        found = ["web_search" for c in choices[:1] if _map(c.get("message")).get("annotations")]
    elif api == "responses":
        kinds = [str(item.get("type")) for item in _maps(body.get("output"))]
        found = [k.removesuffix("_call") for k in kinds if k.endswith("_call") and k not in _ASKED]
    else:
        kinds = [str(block.get("type")) for block in _maps(body.get("content"))]
        found = [k.removesuffix("_tool_result") for k in kinds if k.endswith("_tool_result")]
    return tuple(dict.fromkeys(found))


_ASKED = (
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
)
"""Calls that the caller answers, as opposed to those that the provider does."""


def plain(value: Any) -> Any:
    """`value` as JSON data that nobody else holds; what is no data is named by its type."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json", exclude_unset=True))
    return f"<{type(value).__name__}>"


def reply_of(api: str, body: Body) -> dict[str, Any] | None:
    """The assistant's message: its text, and its calls with their arguments as JSON text.

    None when `body` tells of a failure and of nothing else.
    """
    texts, calls = _READERS[api](body)
    if not texts and not calls and failure_of(body):
        return None
    return {"role": "assistant", "content": "".join(texts), "tool_calls": calls}


def failure_of(body: Body) -> str:
    """The error that a body of a successful answer tells of, in one line; else empty."""
    error = body.get("error")
    if not error:
        return ""
    told = error.get("message") if isinstance(error, Mapping) else error
    return first_line(f"error in the reply: {told}")


def usage_of(api: str, body: Body) -> Usage:
    """The tokens of a reply; one call without counts where the server tells none."""
    usage = body.get("usage")
    if api == "messages":
        return anthropic_usage(usage)
    read, written = ("prompt", "completion") if api == "chat" else ("input", "output")
    return openai_usage(usage, read, written)


Told = tuple[list[str], list[dict[str, str]]]


def _chat(body: Body) -> Told:
    choices = _maps(body.get("choices"))
    message = _map(choices[0].get("message")) if choices else {}
    calls = []
    for call in _maps(message.get("tool_calls")):
        asked = _map(call.get("function") or call.get("custom"))
        calls.append(_call(call.get("id"), asked, "arguments" if "function" in call else "input"))
    return _texts(message.get("content") or message.get("refusal")), calls


def _responses(body: Body) -> Told:
    items = _maps(body.get("output"))
    parts = [p for i in items if i.get("type") == "message" for p in _maps(i.get("content"))]
    fields = {"function_call": "arguments", "custom_tool_call": "input"}
    calls = [
        _call(i.get("call_id"), i, fields[i["type"]]) for i in items if i.get("type") in fields
    ]
    return [str(p.get("text") or p.get("refusal") or "") for p in parts], calls


def _messages(body: Body) -> Told:
    blocks = _maps(body.get("content"))
    texts = [str(b.get("text") or "") for b in blocks if b.get("type") == "text"]
    asked = [b for b in blocks if b.get("type") == "tool_use"]
    return texts, [_call(b.get("id"), b, "input") for b in asked]


_READERS: Mapping[str, Callable[[Body], Told]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}


def _call(identity: object, asked: Body, field: str) -> dict[str, str]:
    arguments = asked.get(field)
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments if arguments is not None else {}, ensure_ascii=False)
    name = asked.get("name")
    return {"id": str(identity or ""), "name": str(name or ""), "arguments": arguments}


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(part.get("text") or "") for part in _maps(content)]


def _maps(value: object) -> list[Body]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _map(value: object) -> Body:
    return value if isinstance(value, Mapping) else {}

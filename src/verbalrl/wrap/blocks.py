"""Where guidance goes in a request. Pure: the caller's data is never changed.

The stable block ends the system text that is there, the volatile one ends the first user message.
Both stand behind the caller's own text, so that a prefix that a provider has cached (also one that
is marked with `cache_control`) stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .base import Blocks

Body = Mapping[str, Any]

_SYSTEM = ("system", "developer")
_GAP = "\n\n"


def merged(api: str, body: Body, blocks: Blocks) -> dict[str, Any]:
    """The fields of `body` that carry `blocks`, each block once, however often it is asked for.

    Raises:
        TypeError: The messages have no form that is known.
    """
    return _WAYS[api](body, blocks)


def _chat(body: Body, blocks: Blocks) -> dict[str, Any]:
    messages, stable = _placed(_items(body.get("messages")), blocks, "text")
    if stable:
        at = _system_at(messages)
        if at is None:
            messages.insert(0, {"role": "system", "content": stable})
        else:
            messages[at] = _added(messages[at], stable, "text")
    return {"messages": messages}


def _responses(body: Body, blocks: Blocks) -> dict[str, Any]:
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else _items(given)
    items, stable = _placed(items, blocks, "input_text")
    changed: dict[str, Any] = {"input": given}
    instructions, at = body.get("instructions"), _leading(items)
    if stable and isinstance(instructions, str) and instructions:
        changed["instructions"] = _joined(instructions, stable)
    elif stable and at is not None:
        items[at] = _added(items[at], stable, "input_text")
    elif stable and body.get("prompt"):
        # A stored prompt has system text of its own, which `instructions` would take the place of.
        items.insert(0, {"role": "developer", "content": stable})
    elif stable:
        changed["instructions"] = stable
    if isinstance(given, str) and len(items) == 1:
        changed["input"] = items[0]["content"]
    elif items:
        changed["input"] = items
    return {name: value for name, value in changed.items() if name in body or value is not None}


def _messages(body: Body, blocks: Blocks) -> dict[str, Any]:
    messages, stable = _placed(_items(body.get("messages")), blocks, "text")
    system = body.get("system")
    if not stable:
        return {"messages": messages}
    if not isinstance(system, str | list | tuple):
        system = ""
    return {"messages": messages, "system": _content(system, stable, "text")}


_WAYS: Mapping[str, Callable[[Body, Blocks], dict[str, Any]]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
}


def _placed(
    messages: list[dict[str, Any]], blocks: Blocks, kind: str
) -> tuple[list[dict[str, Any]], str]:
    """The messages with the volatile block, and what is left for the system text."""
    if not blocks.volatile:
        return messages, blocks.stable
    for at, message in enumerate(messages):
        if message.get("role") == "user":
            messages[at] = _added(message, blocks.volatile, kind)
            return messages, blocks.stable
    return messages, _GAP.join(filter(None, (blocks.stable, blocks.volatile)))


def _items(value: object) -> list[dict[str, Any]]:
    """A new list of the messages; those that the SDK has left as its own objects become data."""
    if value is None:
        return []
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        raise TypeError(f"messages are a list, not {type(value).__name__}")
    return [_item(item) for item in value]


def _item(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        return item
    if hasattr(item, "model_dump"):
        dumped: dict[str, Any] = item.model_dump(mode="json", exclude_unset=True)
        return dumped
    return dict(item)


def _leading(messages: Sequence[Body]) -> int | None:
    """Where the last of the system messages at the front stands."""
    last = None
    for at, message in enumerate(messages):
        if message.get("role") not in _SYSTEM:
            break
        last = at
    return last


def _system_at(messages: Sequence[Body]) -> int | None:
    """The end of the leading system text, else the first system message there is.

    A second system message is no way out: the chat templates of several local models refuse it.
    """
    if (at := _leading(messages)) is not None:
        return at
    return next((at for at, m in enumerate(messages) if m.get("role") in _SYSTEM), None)


def _added(message: Body, block: str, kind: str) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, str | list | tuple):
        content = ""
    return {**message, "content": _content(content, block, kind)}


def _content(content: str | Sequence[Any], block: str, kind: str) -> str | list[Any]:
    """`content` that ends with `block`; of a list no part changes, media and marks included."""
    if isinstance(content, str):
        return _joined(content, block)
    if any(isinstance(part, Mapping) and block in str(part.get("text", "")) for part in content):
        return list(content)
    return [*content, {"type": kind, "text": block}]


def carries(value: Any, block: str) -> bool:
    """Whether the text of a message, or of one of several, holds `block`."""
    if isinstance(value, str):
        return block in value
    if isinstance(value, Mapping):
        return carries(value.get("content", value.get("text")), block)
    return isinstance(value, Sequence) and any(carries(part, block) for part in value)


def _joined(text: str, block: str) -> str:
    if block in text:
        return text
    return f"{text}{_GAP}{block}" if text else block


def without(messages: Sequence[Body], blocks: Blocks) -> tuple[Body, ...]:
    """`messages` less our blocks, which are there when a prompt that carried them comes again."""
    ours = tuple(filter(None, (blocks.stable, blocks.volatile)))
    kept: list[Body] = []
    for message in messages:
        given = message.get("content")
        content = _cleared(given, ours) if ours else given
        if content == given:
            kept.append(message)
        elif content:
            kept.append({**message, "content": content})
    return tuple(kept)


def _cleared(content: Any, ours: Sequence[str]) -> Any:
    if isinstance(content, str):
        for block in ours:
            content = content.replace(_GAP + block, "").replace(block, "")
        return content
    if isinstance(content, list):
        return [p for p in content if not (isinstance(p, Mapping) and p.get("text") in ours)]
    return content

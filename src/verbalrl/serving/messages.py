"""From the messages of a client to steps: what was added since the last call, and what came back.

The system text is left out: it is the caller's own, and lessons must not be made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..models import clean
from ..records import (
    Action,
    Observation,
    Origin,
    Part,
    Step,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

Message = Mapping[str, Any]

_LONGEST = 40_000
_CUT = " […] "
_OURS = ("system", "developer")
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_THREADS = 8
"""Conversations of one episode that are told apart."""


@dataclass(slots=True)
class Transcript:
    """The calls of one episode as steps; a conversation that goes on is told by its beginning."""

    source: str | None = None
    """Who the episode is with: the name behind the goal."""
    trusted: Collection[str] = ()
    """Tools whose results the operator vouches for."""
    goal: str = ""
    all_of_source: bool = False
    """Whether all messages of users are of the source; else those that stand in the goal."""
    count: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """Call id → name of the tool."""
    threads: list[list[Message]] = field(default_factory=list)
    offered: tuple[str, ...] = ()
    """The tools that the last call offered."""

    def add(
        self,
        request: Sequence[Message],
        reply: Message,
        tools: Sequence[str] = (),
        ran: Sequence[str] = (),
    ) -> Step:
        """The next step: what `request` has that no earlier call had, and the reply.

        Args:
            request: All messages of the call.
            reply: The assistant's message.
            tools: The names of the tools that it was offered.
            ran: Those that the provider ran for it. What they found is in no message of ours, but
                the reply may repeat it, so they stand in the observation as a source.
        """
        self.count += 1
        added = self._added(list(request), reply)
        parts = tuple(part for message in added for part in self._parts(message))
        parts += tuple(self._found(name) for name in ran)
        seen = Observation(parts=parts, tools=self._changed(tools))
        return Step(n=self.count, observation=seen, action=self._action(reply))

    def _changed(self, names: Sequence[str]) -> tuple[Tool, ...] | None:
        """The tools of that name, as far as it has the form of one; None where they are as before.

        What they are for is the caller's own text and not recorded.
        """
        offered = tuple(name for name in names if _TOOL.fullmatch(name))
        if offered == self.offered:
            return None
        self.offered = offered
        return tuple(Tool(name=name) for name in offered)

    def own(self, observation: str, action: str) -> Step:
        """The next step of an agent that has no client of ours."""
        self.count += 1
        parts = (self._said(shortened(observation)),) if observation else ()
        said = Action(text=shortened(action))
        return Step(n=self.count, observation=Observation(parts=parts), action=said)

    def _added(self, request: list[Message], reply: Message) -> list[Message]:
        best = max(self.threads, key=lambda t: _shared(t, request), default=[])
        shared = _shared(best, request)
        if best and shared == len(best):
            # By identity: two conversations that are equal so far are two.
            self.threads = [t for t in self.threads if t is not best]
        self.threads = [*self.threads, [*request, reply]][-_THREADS:]
        return request[shared:]

    def _action(self, reply: Message) -> Action:
        calls = list(_calls(reply))
        self._name(calls)
        text = shortened("\n".join(_texts(reply.get("content"))))
        if not calls:
            return Action(text=text)
        said: tuple[Part, ...] = (TextPart(text=text),) if text else ()
        return Action(parts=(*said, *calls))

    def _parts(self, message: Message) -> Iterator[Part]:
        """What an agent saw of one message."""
        role = message.get("role")
        if role in _OURS:
            return
        if message.get("type") in ("function_call", "reasoning"):
            self._name(_calls({"tool_calls": [message]}))
            return
        if role in ("tool", "function") or str(message.get("type")).endswith("_call_output"):
            name = str(message.get("tool_call_id") or message.get("call_id") or "")
            shown = message.get("content", message.get("output"))
            yield self._result(name, "\n".join(_texts(shown)), is_error=False)
            return
        self._name(_calls(message))
        lead = f"{role}: " if role == "assistant" else ""
        for block in _blocks(message.get("content")):
            if block.get("type") == "tool_result":
                text = "\n".join(_texts(block.get("content")))
                identity = str(block.get("tool_use_id") or "")
                yield self._result(identity, text, is_error=bool(block.get("is_error")))
            elif text := "\n".join(_texts([block])):
                yield self._said(shortened(f"{lead}{text}"))

    def _said(self, text: str) -> TextPart:
        """A text under the name of whoever wrote it.

        A program may put what it has read elsewhere into a message of a user, so beyond the goal
        nobody knows who that is, unless the operator vouches for it.
        """
        is_theirs = self.all_of_source or " ".join(text.split()) in " ".join(self.goal.split())
        source = self.source if is_theirs else None
        return TextPart(text=text, origin=Origin.UNTRUSTED, source=source)

    def _name(self, calls: Iterable[ToolCallPart]) -> None:
        """Keep whose results these calls will have; an id that two of them share tells nothing."""
        found: dict[str, str] = {}
        for call in calls:
            same = found.get(call.id, call.name) == call.name
            found[call.id] = call.name if call.id and same else ""
        self.names |= found

    def _found(self, name: str) -> ToolResultPart:
        return self._from(name, "", f"[{name}]", is_error=False)

    def _result(self, identity: str, text: str, *, is_error: bool) -> ToolResultPart:
        return self._from(self.names.get(identity, ""), identity, text, is_error=is_error)

    def _from(self, name: str, identity: str, text: str, *, is_error: bool) -> ToolResultPart:
        vouched = bool(name) and name in self.trusted
        return ToolResultPart(
            call_id=identity,
            text=shortened(text),
            is_error=is_error,
            origin=Origin.TASK if vouched else Origin.UNTRUSTED,
            source=None if vouched or not name else f"tool:{clean(name)}",
        )


def first_text(request: Iterable[Message]) -> str:
    """What the first message of a user says: the situation that lessons are recalled for."""
    for message in request:
        if message.get("role") == "user" and (texts := list(_texts(message.get("content")))):
            return shortened("\n".join(texts))
    return ""


def shortened(text: str) -> str:
    """`text` as it is recorded: normalised, without secrets, its middle cut where it is long."""
    text = clean(text)
    if len(text) <= _LONGEST:
        return text
    head = _LONGEST * 2 // 3
    return text[:head] + _CUT + text[len(text) - (_LONGEST - head) :]


def _shared(thread: Sequence[Message], request: Sequence[Message]) -> int:
    """How many messages of `request` an earlier call had already."""
    count = 0
    for before, now in zip(thread, request, strict=False):
        last = count == len(thread) - 1
        # What we were answered comes back in the caller's own form.
        if before != now and not (last and _is_reply(now)):
            return count
        count += 1
    return count


def _is_reply(message: Message) -> bool:
    return message.get("role") == "assistant" or message.get("type") == "function_call"


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, Sequence):
        found = ({"type": "text", "text": b} if isinstance(b, str) else b for b in content)
        return [b for b in found if isinstance(b, Mapping)]
    return []


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, Mapping):
        content = [content]
    for block in _blocks(content):
        kind, text = block.get("type", "text"), block.get("text")
        if isinstance(text, str):
            if text:
                yield text
        elif kind in ("refusal",) and isinstance(block.get("refusal"), str):
            yield block["refusal"]
        elif isinstance(kind, str) and kind not in ("tool_use", "tool_result", "thinking"):
            yield f"[{clean(kind)[:40]}]"


def _calls(message: Message) -> Iterator[ToolCallPart]:
    """The tool calls of an assistant's message, in any provider's form."""
    listed = message.get("tool_calls")
    found = [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, Sequence) else []
    found += [b for b in _blocks(message.get("content")) if b.get("type") == "tool_use"]
    for call in found:
        inner = call.get("function")
        asked: Mapping[str, Any] = inner if isinstance(inner, Mapping) else call
        given = asked.get("arguments", asked.get("input", ""))
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        yield ToolCallPart(
            id=str(call.get("call_id") or call.get("id") or ""),
            name=clean(str(asked.get("name") or "")),
            arguments=shortened(text),
        )

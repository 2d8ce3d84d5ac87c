"""Steps as turns of a conversation with native tools, and back. Pure functions.

A turn is an action and what came of it: calls and results of one action never part, whatever else
of a history is cut. Ids of calls are made from the step and the place of the call, so that a
request says the same in every run; names and arguments that no server would take back are mended
in the turn that is written, not in the record.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from ..ids import token_estimate
from ..models import MEDIA_TOKENS, Message
from ..prompts import neutralise
from ..records import (
    Action,
    MediaPart,
    Observation,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    part_text,
)
from .history import Size, middle_cut

NOTHING = "(nothing)"
"""Stands where a server wants words and there are none."""
TOGETHER = "(answered together with the first call)"
NO_RESULT = "(no result)"
_LABELS = 8
"""Tokens of the labels of one part."""
_NAME = re.compile(r"[^A-Za-z0-9_-]")


class Turn(NamedTuple):
    """One turn: what the agent said, what its calls returned, what it was shown beside that."""

    said: tuple[Part, ...]
    results: tuple[ToolResultPart, ...]
    text: str
    """Of the observation, beside the results."""
    feedback: str
    media: tuple[MediaPart, ...]

    @property
    def size(self) -> Size:
        """What it costs in a prompt."""
        texts = [_cuttable(p) for p in (*self.said, *self.results)] + [self.text, self.feedback]
        count = len(self.said) + len(self.results) + len(self.media) + 2
        fixed = _LABELS * count + MEDIA_TOKENS * len(self.media)
        return Size(tuple(map(token_estimate, texts)), fixed)

    def cut(self, cap: int | None) -> Turn:
        """The same with at most `cap` tokens of each text."""
        if cap is None or max(self.size.texts) <= cap:
            return self
        return Turn(
            said=tuple(_cut_part(p, cap) for p in self.said),
            results=tuple(
                r.model_copy(update={"text": middle_cut(r.text, cap)}) for r in self.results
            ),
            text=middle_cut(self.text, cap),
            feedback=middle_cut(self.feedback, cap),
            media=self.media,
        )


def turn_of(step: int, action: Action, feedback: str, after: Observation) -> Turn:
    """The turn of `action` at `step`, which was answered by `feedback` and `after`."""
    calls = calls_of(action)
    results, rest = _answered(calls, after, step)
    return Turn(
        said=said(step, calls, action.thought if calls else action.text),
        results=results,
        text=_text(rest),
        feedback=neutralise(feedback),
        media=media_of(after.parts),
    )


def opening(first: Observation) -> Turn:
    """What is shown before the first action."""
    return Turn((), (), _text(_parts(first)), "", media_of(first.parts))


def said(step: int, calls: Sequence[ToolCallPart], text: str) -> tuple[Part, ...]:
    """What an agent said: text, then `calls` as they may be sent back to a server."""
    spoken = (TextPart(text=text),) if text.strip() else ()
    if not calls:
        return spoken or (TextPart(text=NOTHING),)
    return (*spoken, *(_sendable(call, call_id(step, n)) for n, call in enumerate(calls, 1)))


def call_id(step: int, place: int) -> str:
    """The id of call number `place` of the action at `step`, both from 1.

    Nine letters and digits: the one form that all servers take.
    """
    return f"s{step:04d}c{place:03d}"


def calls_of(action: Action) -> tuple[ToolCallPart, ...]:
    """The tool calls of `action`."""
    return tuple(p for p in action.parts if isinstance(p, ToolCallPart))


def media_of(parts: Iterable[Part]) -> tuple[MediaPart, ...]:
    """The media among `parts`, as they are."""
    return tuple(p for p in parts if isinstance(p, MediaPart))


def messages_of(turn: Turn, shown: str) -> Iterable[Message]:
    """`turn` as messages; `shown` is what the user's message says."""
    if turn.said:
        yield _message("assistant", turn.said)
    if turn.results:
        yield Message(role="tool", parts=turn.results)
    parts: list[Part] = [TextPart(text=shown)] if shown.strip() else []
    parts += turn.media
    if not parts and not turn.results:
        parts = [TextPart(text=NOTHING)]
    if parts:
        yield _message("user", tuple(parts))


def _message(role: Literal["assistant", "user"], parts: tuple[Part, ...]) -> Message:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return Message.model_construct(role=role, text=parts[0].text, parts=())
    return Message.model_construct(role=role, text="", parts=parts)


def _answered(
    calls: Sequence[ToolCallPart], after: Observation, step: int
) -> tuple[tuple[ToolResultPart, ...], tuple[Part, ...]]:
    """A result for each call, and the parts of `after` that are none."""
    given = [p for p in after.parts if isinstance(p, ToolResultPart)]
    if not calls:
        return (), _parts(after)
    if not given:
        # Whoever answers in plain text answers all calls at once.
        texts = [_text(_parts(after)) or NO_RESULT, *[TOGETHER] * (len(calls) - 1)]
        results = [
            ToolResultPart(call_id=call_id(step, n), text=text) for n, text in enumerate(texts, 1)
        ]
        return tuple(results), media_of(after.parts)
    left: dict[str, list[ToolResultPart]] = {}
    for part in given:
        left.setdefault(part.call_id, []).append(part)
    uses = Counter(call.id for call in calls)
    results = []
    for place, call in enumerate(calls, 1):
        own = left.pop(call.id, [])
        if uses[call.id] > 1:
            # Ids that are used twice are told apart by their order.
            uses[call.id] -= 1
            own, left[call.id] = own[:1], own[1:]
        text = neutralise("\n".join(p.text for p in own)) if own else NO_RESULT
        results.append(
            ToolResultPart(
                call_id=call_id(step, place), text=text, is_error=any(p.is_error for p in own)
            )
        )
    rest = [p for p in after.parts if not isinstance(p, ToolResultPart)]
    return tuple(results), (*rest, *chain.from_iterable(left.values()))


def _parts(observation: Observation) -> tuple[Part, ...]:
    return observation.parts or (TextPart(text=observation.text),)


def _text(parts: Sequence[Part]) -> str:
    """The text of `parts`, media aside."""
    return neutralise("\n".join(part_text(p) for p in parts if not isinstance(p, MediaPart)))


def _sendable(call: ToolCallPart, identity: str) -> ToolCallPart:
    name = _NAME.sub("_", call.name)[:64] or "unknown"
    return ToolCallPart(id=identity, name=name, arguments=_object(call.arguments))


def _object(arguments: str) -> str:
    """`arguments`, wrapped where they are no JSON object: servers parse what they are sent."""
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return json.dumps({"arguments": arguments}, ensure_ascii=False)


def _cuttable(part: Part) -> str:
    return part.arguments if isinstance(part, ToolCallPart) else part_text(part)


def _cut_part(part: Part, cap: int) -> Part:
    match part:
        case TextPart():
            return part.model_copy(update={"text": middle_cut(part.text, cap)})
        case ToolCallPart() if token_estimate(part.arguments) > cap:
            # Half: as a JSON text it grows again.
            return part.model_copy(
                update={"arguments": _object(middle_cut(part.arguments, cap // 2))}
            )
    return part

"""Message logs as episodes: a JSON object a line, with `messages` as chat completions have them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..ids import key_id
from ..records import Usage
from ..wrap.base import Exchange
from ..wrap.wire import reply_of, request_of

_LONGEST_LINE = 16_000_000
_LONGEST_NAME = 200
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Logged:
    """One row of a log: what a wrapped client would have recorded of it, and how it was judged."""

    id: str
    """The row's `id`, else one made from its messages: the same row has the same."""
    exchanges: tuple[Exchange, ...]
    """One for each reply of the model, with all that was said before it."""
    reward: float | None = None
    success: bool | None = None
    feedback: str = ""
    """What was said of it, in words."""
    source: str | None = None
    """Who the row says that it was with."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line of a log that is no row, and why."""

    line: int
    """From 1."""
    why: str
    """One of a few texts, whatever the line holds."""


def is_log(lines: Iterable[str]) -> bool:
    """Whether one of the first `lines` is a row of a message log, however wrong its details are."""
    seen = 0
    for line in lines:
        if line.strip():
            seen += 1
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, Mapping) and "messages" in row:
                return True
        if seen == _LOOKED_AT:
            break
    return False


def read_log(lines: Iterable[str]) -> Iterator[Logged | Refused]:
    """The rows of a log one by one, empty lines passed over; a wrong one spoils no other.

    Rows may say `id`, `model`, `reward` (a number), `success` (true or false), `feedback` (words)
    and `source` (a name); other fields are not read.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _row(line)
            except DataError as error:
                yield Refused(number, str(error))


def _row(line: str) -> Logged:
    if len(line) > _LONGEST_LINE:
        raise DataError(f"it has more than {_LONGEST_LINE:,} characters")
    try:
        line.encode()
    except UnicodeEncodeError:
        raise DataError("it is no UTF-8 text") from None
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError("it is no JSON") from error
    messages = row.get("messages") if isinstance(row, Mapping) else None
    if not isinstance(messages, list) or not all(_is_message(m) for m in messages):
        raise DataError('expected {"messages": [{"role": …, "content": …}, …]}')
    exchanges = _exchanges([_today(m) for m in messages], str(row.get("model") or ""))
    if not exchanges:
        raise DataError("no message has the role assistant, so there is nothing to learn from")
    return Logged(
        id=_name(row, "id") or key_id("log", json.dumps(messages, sort_keys=True)),
        exchanges=exchanges,
        reward=_reward(row),
        success=_success(row),
        feedback=_words(row),
        source=_name(row, "source") or None,
    )


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _is_message(message: object) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("role"), str)


def _today(message: dict[str, Any]) -> dict[str, Any]:
    """`message` in the form of today: old logs have one `function_call` in place of tool calls."""
    if message["role"] == "function":
        return {**message, "role": "tool", "tool_call_id": str(message.get("name") or "")}
    called = message.get("function_call")
    if message["role"] == "assistant" and isinstance(called, Mapping):
        call = {"id": str(called.get("name") or ""), "type": "function", "function": called}
        return {**message, "tool_calls": [call]}
    return message


def _exchanges(messages: list[dict[str, Any]], model: str) -> tuple[Exchange, ...]:
    said = request_of("chat", {"messages": messages})
    found = []
    for at, message in enumerate(messages):
        if message["role"] == "assistant":
            reply = reply_of("chat", {"choices": [{"message": message}]})
            found.append(
                Exchange(
                    provider="openai",
                    api="chat",
                    model=model,
                    request=said[:at],
                    reply=reply,
                    usage=Usage(),
                    error="",
                    seconds=0.0,
                )
            )
    return tuple(found)


def _name(row: Mapping[str, Any], field: str) -> str:
    given = row.get(field)
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise DataError(f"{field}: expected a text or a whole number")
    name = str(given).strip()
    if len(name) > _LONGEST_NAME:
        raise DataError(f"{field}: expected at most {_LONGEST_NAME} characters")
    return name


def _words(row: Mapping[str, Any]) -> str:
    given = row.get("feedback")
    if given is not None and not isinstance(given, str):
        raise DataError("feedback: expected a text")
    return given or ""


def _reward(row: Mapping[str, Any]) -> float | None:
    given = row.get("reward")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or abs(given) > 1e9:
        raise DataError("reward: expected a number")
    return float(given)


def _success(row: Mapping[str, Any]) -> bool | None:
    given = row.get("success")
    if given is not None and not isinstance(given, bool):
        raise DataError("success: expected true or false")
    return given

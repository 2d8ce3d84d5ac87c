"""Message logs as episodes: a JSON object a line, with `messages` as chat completions have them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..ids import key_id
from ..records import Usage
from ..wrap.base import Exchange
from ..wrap.wire import reply_of, request_of

_LONGEST_LINE = 16_000_000


@dataclass(frozen=True, slots=True)
class Logged:
    """One row of a log: what a wrapped client would have recorded of it, and how it was judged."""

    id: str
    """The row's `id`, else one made from its messages: the same row has the same."""
    exchanges: tuple[Exchange, ...]
    """One for each reply of the model, with all that was said before it."""
    reward: float | None
    success: bool | None


def read_log(lines: Iterable[str]) -> list[Logged]:
    """The episodes of a log; empty lines are passed over.

    Rows may say `id`, `model`, `reward` (a number) and `success` (true or false); other fields are
    not read.

    Raises:
        DataError: A line is no such row; the message has its number.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_row(line))
            except DataError as error:
                raise DataError(f"line {number}: {error}") from None
    return found


def _row(line: str) -> Logged:
    if len(line) > _LONGEST_LINE:
        raise DataError(f"it has more than {_LONGEST_LINE:,} characters")
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError("it is no JSON") from error
    messages = row.get("messages") if isinstance(row, Mapping) else None
    if not isinstance(messages, list) or not all(_is_message(m) for m in messages):
        raise DataError('expected {"messages": [{"role": …, "content": …}, …]}')
    exchanges = _exchanges(messages, str(row.get("model") or ""))
    if not exchanges:
        raise DataError("no message has the role assistant, so there is nothing to learn from")
    given = row.get("id")
    name = (
        str(given)
        if isinstance(given, str | int) and str(given)
        else key_id("log", json.dumps(messages, sort_keys=True))
    )
    return Logged(name, exchanges, _reward(row), _success(row))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _is_message(message: object) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("role"), str)


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


def _reward(row: Mapping[str, Any]) -> float | None:
    given = row.get("reward")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or abs(given) > 1e9:
        raise DataError(f"reward={given!r}: expected a number")
    return float(given)


def _success(row: Mapping[str, Any]) -> bool | None:
    given = row.get("success")
    if given is not None and not isinstance(given, bool):
        raise DataError(f"success={given!r}: expected true or false")
    return given

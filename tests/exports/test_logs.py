"""Rows of a message log as episodes."""

import json
from typing import Any

import pytest

from verbalrl.errors import DataError
from verbalrl.exports import read_log

CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
SAID: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Where is it?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "sent"},
    {"role": "assistant", "content": [{"type": "text", "text": "On its way."}]},
]


def row(**more: Any) -> str:
    return json.dumps({"messages": SAID} | more)


def test_each_reply_is_an_exchange() -> None:
    (logged,) = read_log([row(model="m", reward=1, success=True, id=7), "", "\n"])
    first, second = logged.exchanges
    assert (logged.id, logged.reward, logged.success) == ("7", 1.0, True)
    assert [m["role"] for m in first.request] == ["system", "user"]
    assert len(second.request) == 4
    assert first.reply == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "name": "look_up", "arguments": "{}"}],
    }
    assert second.reply == {"role": "assistant", "content": "On its way.", "tool_calls": []}
    assert (first.provider, first.api, first.model, first.error) == ("openai", "chat", "m", "")


def test_a_row_without_a_name_gets_one_from_its_messages() -> None:
    first, same, other = read_log([row(), row(reward=0), row(messages=SAID[:3])])
    assert first.id == same.id != other.id
    assert (first.reward, first.success) == (None, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "expected"),
        ('{"messages": "no"}', "expected"),
        ('{"messages": [{"content": "x"}]}', "expected"),
        ('{"messages": []}', "nothing to learn from"),
        (row(reward="good"), "expected a number"),
        (row(reward=float("nan")), "it is no JSON"),
        (row(success=1), "expected true or false"),
    ],
)
def test_what_is_no_row_is_named(line: str, why: str) -> None:
    with pytest.raises(DataError, match=f"^line 2: .*{why}"):
        read_log([row(), line])

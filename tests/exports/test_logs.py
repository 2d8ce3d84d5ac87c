"""Rows of a message log as episodes."""

import json
from typing import Any

import pytest

from verbalrl.exports import Logged, Refused, is_log, read_log

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


def rows(*lines: str) -> list[Logged]:
    found = list(read_log(lines))
    assert all(isinstance(r, Logged) for r in found), found
    return [r for r in found if isinstance(r, Logged)]


def test_each_reply_is_an_exchange() -> None:
    (logged,) = rows(row(model="m", reward=1, success=True, id=7), "", "\n")
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
    first, same, other = rows(row(), row(reward=0), row(messages=SAID[:3]))
    assert first.id == same.id != other.id
    assert (first.reward, first.success) == (None, None)


def test_what_became_of_it_is_read() -> None:
    (said,) = rows(row(feedback="Too slow.", source=" ann ", success=False))
    assert (said.feedback, said.source, said.success) == ("Too slow.", "ann", False)
    (silent,) = rows(row(feedback=None, source=None, id=None))
    assert (silent.feedback, silent.source) == ("", None)


def test_an_old_function_call_is_a_tool_call() -> None:
    old = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "function_call": {"name": "look_up", "arguments": "{}"}},
        {"role": "function", "name": "look_up", "content": "sent"},
        {"role": "assistant", "content": "On its way."},
    ]
    first, second = rows(row(messages=old))[0].exchanges
    assert first.reply is not None
    assert first.reply["tool_calls"] == [{"id": "look_up", "name": "look_up", "arguments": "{}"}]
    assert second.request[2]["role"] == "tool"
    assert second.request[2]["tool_call_id"] == "look_up"


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
        (row(feedback=["no"]), "feedback: expected a text"),
        (row(id=1.5), "id: expected a text or a whole number"),
        (row(source="s" * 201), "source: expected at most 200 characters"),
        (row(source="s").replace("On its way", "\udce9"), "no UTF-8"),
    ],
)
def test_what_is_no_row_is_named_and_spoils_no_other(line: str, why: str) -> None:
    before, refused, after = read_log([row(), line, row()])
    assert isinstance(before, Logged)
    assert before == after
    assert isinstance(refused, Refused)
    assert refused.line == 2
    assert why in refused.why


def test_a_log_is_told_by_one_of_its_first_lines() -> None:
    assert is_log(["", "{", row()])
    assert is_log(['{"messages": "wrong"}'])
    assert not is_log(['{"format": "verbalrl-lesson-1"}', "[]", "- a list"])
    assert not is_log([*(["{}"] * 20), row()])

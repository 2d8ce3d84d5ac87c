"""Where the blocks go, and that what was there stays as it was."""

import copy
from typing import Any

import pytest

from tests.wrap.doors import STABLE, VOLATILE
from verbalrl.wrap import Blocks
from verbalrl.wrap.blocks import merged, without

BOTH = Blocks(STABLE, VOLATILE)
USER = {"role": "user", "content": "Where is it?"}
ASKED = {"role": "user", "content": f"Where is it?\n\n{VOLATILE}"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def test_chat_ends_the_system_text() -> None:
    body = {"messages": [{"role": "system", "content": "Be brief."}, USER]}
    system = {"role": "system", "content": f"Be brief.\n\n{STABLE}"}
    assert merged("chat", body, BOTH) == {"messages": [system, ASKED]}


def test_chat_without_system_text_gets_some() -> None:
    assert merged("chat", {"messages": [USER]}, BOTH)["messages"] == [
        {"role": "system", "content": STABLE},
        ASKED,
    ]


@pytest.mark.parametrize("first", [[], [{"role": "system", "content": "S"}]])
def test_a_developer_message_is_system_text(first: list[Any]) -> None:
    body = {"messages": [*first, {"role": "developer", "content": [_text("Be brief.")]}, USER]}
    developer = {"role": "developer", "content": [_text("Be brief."), _text(STABLE)]}
    assert merged("chat", body, BOTH)["messages"] == [*first, developer, ASKED]


def test_a_late_system_message_is_still_the_only_one() -> None:
    body = {"messages": [USER, {"role": "system", "content": "Be brief."}]}
    roles = [m["role"] for m in merged("chat", body, BOTH)["messages"]]
    assert roles == ["user", "system"]


def test_media_stay_where_they_are() -> None:
    body = {"messages": [{"role": "user", "content": [_text("What is this?"), IMAGE]}]}
    content = merged("chat", body, BOTH)["messages"][1]["content"]
    assert content == [_text("What is this?"), IMAGE, _text(VOLATILE)]


def test_only_the_first_user_message_gets_the_volatile_block() -> None:
    said = [USER, {"role": "assistant", "content": "Here."}, USER]
    assert merged("chat", {"messages": said}, Blocks("", VOLATILE))["messages"] == [
        ASKED,
        *said[1:],
    ]


def test_without_a_user_message_all_is_system_text() -> None:
    body = {"messages": [{"role": "system", "content": "Be brief."}]}
    system = merged("chat", body, BOTH)["messages"][0]["content"]
    assert system == f"Be brief.\n\n{STABLE}\n\n{VOLATILE}"


def test_marks_of_a_cache_keep_their_place() -> None:
    marked = _text("Be brief.") | {"cache_control": {"type": "ephemeral"}}
    said = {"role": "user", "content": [marked]}
    changed = merged("messages", {"system": [marked], "messages": [said]}, BOTH)
    assert changed["system"] == [marked, _text(STABLE)]
    assert changed["messages"] == [{"role": "user", "content": [marked, _text(VOLATILE)]}]


@pytest.mark.parametrize(("system", "expected"), [(None, STABLE), ("S", f"S\n\n{STABLE}")])
def test_system_parameter(system: str | None, expected: str) -> None:
    body = {"messages": [USER]} | ({"system": system} if system else {})
    assert merged("messages", body, BOTH) == {"system": expected, "messages": [ASKED]}


def test_tool_results_come_first_in_their_message() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "sent"}
    body = {"messages": [{"role": "user", "content": [result]}]}
    content = merged("messages", body, BOTH)["messages"][0]["content"]
    assert content == [result, _text(VOLATILE)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": "Q"}, {"instructions": STABLE, "input": f"Q\n\n{VOLATILE}"}),
        (
            {"input": [USER], "instructions": "Be brief."},
            {"instructions": f"Be brief.\n\n{STABLE}", "input": [ASKED]},
        ),
        (
            {"input": [{"role": "developer", "content": "D"}, USER]},
            {"input": [{"role": "developer", "content": f"D\n\n{STABLE}"}, ASKED]},
        ),
        (
            {"input": "Q", "prompt": {"id": "p"}},
            {
                "input": [
                    {"role": "developer", "content": STABLE},
                    {"role": "user", "content": f"Q\n\n{VOLATILE}"},
                ]
            },
        ),
        (
            {"prompt": {"id": "p"}},
            {"input": [{"role": "developer", "content": f"{STABLE}\n\n{VOLATILE}"}]},
        ),
        ({}, {"instructions": f"{STABLE}\n\n{VOLATILE}"}),
    ],
)
def test_responses(body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merged("responses", body, BOTH) == expected


def test_parts_of_responses_are_of_their_kind() -> None:
    body = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Q"}]}]}
    content = merged("responses", body, BOTH)["input"][0]["content"]
    assert content[-1] == {"type": "input_text", "text": VOLATILE}


BODIES: list[tuple[str, dict[str, Any]]] = [
    ("chat", {"messages": [{"role": "system", "content": "Be brief."}, USER]}),
    ("chat", {"messages": [{"role": "user", "content": [_text("Q"), IMAGE]}]}),
    ("messages", {"system": [_text("Be brief.")], "messages": [USER]}),
    ("messages", {"messages": [USER]}),
    ("responses", {"input": "Q"}),
    ("responses", {"input": [{"role": "developer", "content": "D"}, USER]}),
]


@pytest.mark.parametrize(("api", "body"), BODIES)
def test_merging_twice_is_merging_once(api: str, body: dict[str, Any]) -> None:
    given = copy.deepcopy(body)
    once = {**body, **merged(api, body, BOTH)}
    assert body == given
    assert once != given
    assert {**once, **merged(api, once, BOTH)} == once


def test_nothing_to_say_changes_nothing() -> None:
    for api, body in BODIES:
        assert {**body, **merged(api, body, Blocks("", ""))} == body


def test_blocks_are_taken_out_of_what_is_said_again() -> None:
    given = [{"role": "system", "content": "Be brief."}, USER, {"type": "function_call"}]
    again = merged("chat", {"messages": given}, BOTH)["messages"]
    assert list(without(again, BOTH)) == given
    alone = merged("chat", {"messages": [USER]}, BOTH)["messages"]
    assert list(without(alone, BOTH)) == [USER]


@pytest.mark.parametrize("messages", ["Hello", {"role": "user"}, 5])
def test_unknown_forms_are_refused(messages: object) -> None:
    with pytest.raises(TypeError, match="messages are a list"):
        merged("chat", {"messages": messages}, BOTH)

"""A stream amounts to the body of a plain answer, and as far as it goes when it is cut."""

import json
from typing import Any

import pytest

from tests.wrap.server import CALL, TEXT, Asked, answer, events
from verbalrl.wrap.streams import assembled, body_of, events_of
from verbalrl.wrap.wire import failure_of, plain, ran_in, reply_of, request_of, usage_of

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


def _asked(api: str, **body: Any) -> Asked:
    return Asked("POST", PATHS[api], {}, json.dumps(body).encode())


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize("body", [{}, {"tools": [1]}])
def test_streamed_and_plain_answers_say_the_same(api: str, body: dict[str, Any]) -> None:
    asked = _asked(api, **body)
    streamed = body_of(api, b"".join(events(asked)))
    whole = body_of(api, json.dumps(answer(asked)).encode())
    assert reply_of(api, streamed) == reply_of(api, whole)
    assert usage_of(api, streamed) == usage_of(api, whole)
    assert reply_of(api, whole) == {
        "role": "assistant",
        "content": "" if body else TEXT,
        "tool_calls": [CALL] if body else [],
    }


@pytest.mark.parametrize("api", PATHS)
def test_every_cut_of_a_stream_can_be_read(api: str) -> None:
    whole = b"".join(events(_asked(api)))
    said = []
    for end in range(0, len(whole), 13):
        reply = reply_of(api, body_of(api, whole[:end]))
        assert reply is not None
        assert TEXT.startswith(reply["content"])
        said.append(len(reply["content"]))
    assert said == sorted(said)
    assert TEXT[: len(TEXT) // 2] != TEXT
    assert len(TEXT) // 2 in said


def test_arguments_that_were_cut_off_stay_text() -> None:
    whole = b"".join(events(_asked("messages", tools=[1])))
    cut = whole[: whole.index(b"input_json_delta", whole.index(b"input_json_delta") + 1)]
    reply = reply_of("messages", body_of("messages", cut))
    assert reply is not None
    assert CALL["arguments"].startswith(reply["tool_calls"][0]["arguments"])


def test_line_breaks_inside_of_json_end_no_line() -> None:
    data = json.dumps({"text": "a\u2028b\x0bc"}, ensure_ascii=False)
    assert [e["text"] for e in events_of(f"data: {data}\r\n\r\n")] == ["a\u2028b\x0bc"]


@pytest.mark.parametrize(
    ("api", "event"),
    [
        ("chat", {"error": {"message": "overloaded"}}),
        ("responses", {"type": "error", "message": "overloaded"}),
        (
            "responses",
            {"type": "response.failed", "response": {"error": {"message": "overloaded"}}},
        ),
        ("messages", {"type": "error", "error": {"message": "overloaded"}}),
    ],
)
def test_a_stream_may_tell_of_an_error(api: str, event: dict[str, Any]) -> None:
    body = body_of(api, f"data: {json.dumps(event)}\n\n".encode())
    assert failure_of(body) == "error in the reply: overloaded"
    assert reply_of(api, body) is None


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b'{"choices": "no"}', b"data: 5\n\n"])
def test_odd_bodies_are_no_error(api: str, content: bytes) -> None:
    body = body_of(api, content)
    reply = reply_of(api, body)
    assert reply is not None
    assert reply["content"] == ""
    assert usage_of(api, body).total == 0


def test_several_calls_of_a_server_without_indexes() -> None:
    calls = [{"id": n, "function": {"name": n, "arguments": "{}"}} for n in "ab"]
    deltas = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    stream = "".join(f"data: {json.dumps(d)}\n\n" for d in deltas).encode()
    reply = reply_of("chat", body_of("chat", stream))
    assert reply is not None
    assert [c["name"] for c in reply["tool_calls"]] == ["a", "b"]


def test_requests_are_data_of_our_own() -> None:
    part = {"type": "text", "text": "Q"}
    body = {"system": [part], "messages": [{"role": "user", "content": [part, b"raw"]}]}
    request = request_of("messages", body)
    part["text"] = "changed"
    assert request == (
        {"role": "system", "content": [{"type": "text", "text": "Q"}]},
        {"role": "user", "content": [{"type": "text", "text": "Q"}, "<bytes>"]},
    )
    assert plain({"a": (1, None)}) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("api", "body"),
    [
        ("chat", {"choices": [{"message": {"annotations": [{"type": "url_citation"}]}}]}),
        ("responses", {"output": [{"type": "web_search_call"}, {"type": "function_call"}]}),
        ("messages", {"content": [{"type": "tool_use"}, {"type": "web_search_tool_result"}]}),
    ],
)
def test_what_the_provider_ran_is_told(api: str, body: dict[str, Any]) -> None:
    assert ran_in(api, body) == ("web_search",)
    assert ran_in(api, {}) == ()


def test_what_the_provider_ran_is_told_of_a_stream() -> None:
    cited = {"choices": [{"delta": {"annotations": [{"type": "url_citation"}]}}]}
    assert ran_in("chat", assembled("chat", [cited])) == ("web_search",)
    block = {"type": "web_search_tool_result", "content": []}
    started = {"type": "content_block_start", "index": 0, "content_block": block}
    assert ran_in("messages", assembled("messages", [started])) == ("web_search",)

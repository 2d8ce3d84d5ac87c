"""How requests are written and answers read on the three APIs, as they stand on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models.faultd import APIS, SEED_HEADER, Asked, Faultd
from verbalrl.errors import ConfigurationError, ProviderDown, UnknownNameError
from verbalrl.models import (
    MEDIA_TOKENS,
    Message,
    RemoteModel,
    Reply,
    Request,
    RetryPolicy,
    load_model,
    run_sync,
)
from verbalrl.models.messages import estimated_usage
from verbalrl.models.openai import is_strict
from verbalrl.records import (
    MediaPart,
    Origin,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
    part_text,
)
from verbalrl.text import notice_environment

SYSTEM, ASK = Message(role="system", text="Be brief."), Message(role="user", text="Which way?")
CALL = ToolCallPart(id="t1", name="look", arguments='{"at": "door"}')
TALK = (
    SYSTEM,
    ASK,
    Message(role="assistant", parts=(TextPart(text="I look."), CALL)),
    Message(role="tool", parts=(ToolResultPart(call_id="t1", text="It is red."),)),
    Message(role="tool", parts=(ToolResultPart(call_id="t2", text="No.", is_error=True),)),
)
LOOK = Tool(name="look", description="Look.", parameters={"type": "object", "properties": {}})
IMAGE = MediaPart(media_type="image/png", uri="data:image/png;base64,AAAA")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"action": {"type": "string", "enum": ["north", "south"]}},
    "required": ["action"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Faultd]:
    with Faultd(lambda asked: "north") as running:
        yield running


def sent(server: Faultd, api: str, request: Request) -> tuple[Asked, Reply]:
    """`request` as the server got it, and the reply."""

    async def ask() -> Reply:
        model = load_model(f"{api}:any", base_url=server.url(api), offline=True)
        try:
            return await model.complete(request)
        finally:
            await model.aclose()

    server.play("ok")
    reply = asyncio.run(ask())
    (asked,) = server.asked
    return asked, reply


def reader(api: str) -> RemoteModel:
    model = load_model(f"{api}:any", base_url="http://127.0.0.1:9/v1", offline=True)
    assert isinstance(model, RemoteModel)
    return model


@pytest.mark.parametrize("api", APIS)
def test_messages_schema_and_seed_arrive(server: Faultd, api: str) -> None:
    request = Request(messages=(SYSTEM, ASK), output_schema=SCHEMA, sample_seed=7, max_output=99)
    asked, reply = sent(server, api, request)
    assert asked.messages == [("system", "Be brief."), ("user", "Which way?")]
    assert asked.schema is not None
    assert asked.schema["properties"]["action"]["enum"] == ["north", "south"]
    assert asked.headers[SEED_HEADER] == "7"
    assert 99 in asked.body.values()
    assert not {"temperature", "top_p", "top_k"} & set(asked.body)
    assert (reply.text, reply.finish, reply.model) == ("north", "stop", "any")


@pytest.mark.parametrize("api", APIS)
def test_seed_goes_to_offline_servers_only_and_keys_to_others_only(
    server: Faultd, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "sk-real-0123456789")
    asked, _ = sent(server, api, Request(messages=(ASK,)))
    assert "sk-real" not in str(asked.headers)
    server.play("ok")
    model = load_model(f"{api}:any", base_url=server.url(api))

    async def ask() -> None:
        await model.complete(Request(messages=(ASK,), sample_seed=7))
        await model.aclose()

    asyncio.run(ask())
    assert SEED_HEADER not in server.asked[0].headers
    assert "sk-real-0123456789" in str(server.asked[0].headers)
    assert not model.simulated


def test_tools_on_chat_completions(server: Faultd) -> None:
    asked, _ = sent(server, "openai", Request(messages=TALK, tools=(LOOK,)))
    function = {"name": "look", "arguments": '{"at": "door"}'}
    assert asked.body["messages"][2:] == [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "t1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "It is red."},
        {"role": "tool", "tool_call_id": "t2", "content": "error: No."},
    ]
    assert asked.body["tools"][0]["function"]["name"] == "look"
    message = {"content": None, "tool_calls": [{"id": "t1", "function": function}]}
    reply = reader("openai").read({"choices": [{"message": message}]})
    assert (reply.finish, reply.parts) == ("tool_calls", (CALL,))


def test_tools_on_responses(server: Faultd) -> None:
    asked, _ = sent(server, "openai-responses", Request(messages=TALK, tools=(LOOK,)))
    assert [i.get("type", i.get("role")) for i in asked.body["input"]] == [
        "user", "assistant", "function_call", "function_call_output", "function_call_output",
    ]  # fmt: skip
    assert asked.body["store"] is False
    item = {"type": "function_call", "call_id": "t1", "name": "look", "arguments": CALL.arguments}
    reply = reader("openai-responses").read({"output": [item]})
    assert (reply.finish, reply.parts) == ("tool_calls", (CALL,))


def test_tools_on_messages(server: Faultd) -> None:
    asked, _ = sent(server, "anthropic", Request(messages=TALK, tools=(LOOK,)))
    user, assistant, results = asked.body["messages"]
    assert (user["role"], assistant["role"], results["role"]) == ("user", "assistant", "user")
    assert assistant["content"][1]["input"] == {"at": "door"}
    assert [b["tool_use_id"] for b in results["content"]] == ["t1", "t2"]
    assert asked.body["tools"][0]["input_schema"]["type"] == "object"
    blocks = [
        {"type": "thinking", "thinking": "…"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "door"}},
    ]
    reply = reader("anthropic").read({"content": blocks, "stop_reason": "tool_use"})
    assert (reply.finish, reply.parts) == ("tool_calls", (CALL,))


@pytest.mark.parametrize("api", APIS)
def test_images_pass_through(server: Faultd, api: str) -> None:
    message = Message(role="user", parts=(TextPart(text="What is it?"), IMAGE))
    asked, _ = sent(server, api, Request(messages=(message,)))
    assert "AAAA" in str(asked.body)
    assert "[image/png" not in str(asked.body)


PDF = MediaPart(media_type="application/pdf", uri="data:application/pdf;base64,QUFB")
WAV = MediaPart(media_type="audio/wav", uri="data:audio/wav;base64,QkJC")
FAR = MediaPart(media_type="application/pdf", uri="https://example.org/a.pdf")
FILE = {"filename": "document.pdf", "file_data": PDF.uri}
PARTS: dict[str, dict[str, Any]] = {
    "openai": {
        "pdf": {"type": "file", "file": FILE},
        "wav": {"type": "input_audio", "input_audio": {"data": "QkJC", "format": "wav"}},
        "far": {"type": "text", "text": f"[application/pdf: {FAR.uri}]"},
    },
    "openai-responses": {
        "pdf": {"type": "input_file", **FILE},
        "wav": {"type": "input_text", "text": part_text(WAV)},
        "far": {"type": "input_file", "file_url": FAR.uri},
    },
    "anthropic": {
        "pdf": {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUFB"},
        },
        "wav": {"type": "text", "text": part_text(WAV)},
        "far": {"type": "document", "source": {"type": "url", "url": FAR.uri}},
    },
}


@pytest.mark.parametrize("api", APIS)
def test_other_media_go_where_an_api_has_a_form_for_them(server: Faultd, api: str) -> None:
    message = Message(role="user", parts=(PDF, WAV, FAR, IMAGE))
    asked, _ = sent(server, api, Request(messages=(message,)))
    turns = asked.body.get("messages") or asked.body["input"]
    assert turns[-1]["content"][:3] == [PARTS[api][name] for name in ("pdf", "wav", "far")]


def test_what_is_said_after_results_belongs_into_their_turn(server: Faultd) -> None:
    said = (Message(role="user", text="Go on."), Message(role="user", parts=(IMAGE,)))
    asked, _ = sent(server, "anthropic", Request(messages=(*TALK, said[0]), tools=(LOOK,)))
    assert [b["type"] for b in asked.body["messages"][-1]["content"]] == [
        "tool_result", "tool_result", "text",
    ]  # fmt: skip
    asked, _ = sent(server, "anthropic", Request(messages=(*TALK, said[1]), tools=(LOOK,)))
    assert asked.body["messages"][-1]["content"][-1]["type"] == "image"
    assert len(asked.body["messages"]) == 3


def test_what_is_hashed_of_parts_and_tools_is_all_of_them() -> None:
    part = TextPart(text="a", origin=Origin.TASK, source="b")
    request = Request(messages=(Message(role="user", parts=(part, CALL, IMAGE)),), tools=(LOOK,))
    content = json.loads(request.content())
    assert content["messages"][0]["parts"] == [
        p.model_dump(mode="json") for p in (part, CALL, IMAGE)
    ]
    assert content["tools"] == [LOOK.model_dump(mode="json")]


def test_media_count_as_media_in_estimates() -> None:
    huge = MediaPart(media_type="image/png", uri=f"data:image/png;base64,{'A' * 100_000}")
    read = estimated_usage(Request(messages=(Message(role="user", parts=(huge, huge)),)), "").input
    assert 2 * MEDIA_TOKENS <= read <= 2 * MEDIA_TOKENS + 100


CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
RESPONSE_USAGE = {
    name.replace("prompt", "input").replace("completion", "output"): value
    for name, value in CHAT_USAGE.items()
}
MESSAGE_USAGE = {
    "input_tokens": 30,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 10,
    "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 5},
}
BODIES: dict[str, dict[str, Any]] = {
    "openai": {"choices": [{"message": {"content": "a"}}], "usage": CHAT_USAGE},
    "openai-responses": {
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}],
        "usage": RESPONSE_USAGE,
    },
    "anthropic": {"content": [{"type": "text", "text": "a"}], "usage": MESSAGE_USAGE},
}


@pytest.mark.parametrize("api", APIS)
def test_usage_means_the_same_everywhere(api: str) -> None:
    expected = Usage(input=30, cache_read=60, cache_write=10, output=20, reasoning=5, calls=1)
    assert reader(api).read(BODIES[api]).usage == expected
    broken = {"usage": {"prompt_tokens": "many", "input_tokens": -1, "output_tokens": True}}
    assert reader(api).read(BODIES[api] | broken).usage == Usage(calls=1)


def test_strict_mode_is_asked_for_only_where_it_can_be_kept() -> None:
    assert is_strict(SCHEMA)
    assert not is_strict(SCHEMA | {"additionalProperties": True})
    assert not is_strict(SCHEMA | {"required": []})
    long = {"type": "string", "maxLength": 3}
    assert not is_strict(SCHEMA | {"properties": {"action": long}})


@pytest.mark.parametrize("api", APIS)
def test_missing_key_is_one_line_before_anything_is_sent(api: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^\S+:any needs a key: set \w+_API_KEY") as error:
        load_model(f"{api}:any")
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigurationError, match="needs a key"):
        load_model(f"{api}:any", base_url="https://example.org/v1")
    assert load_model(f"{api}:any", base_url="http://localhost:8000/v1").name == f"{api}:any"


BAD_URLS = ["localhost:8000", "ftp://a/b", "http://", "http://a:b", "http://u:p@a"]


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url") as error:
        load_model("openai:any", base_url=url, offline=True)
    assert "u:p" not in str(error.value)


KEY = "sk-proj-1234567890abcdefghij"


@pytest.mark.parametrize("tail", [f"{KEY}/v1", f"x%2F{KEY}", f"v1?key={KEY}", f"v1#{KEY}"])
def test_an_address_with_a_key_is_refused_and_not_repeated(tail: str) -> None:
    with pytest.raises(ConfigurationError, match="it is kept with the run") as error:
        load_model("openai:any", base_url=f"https://example.org/{tail}", offline=True)
    assert KEY not in str(error.value)


def test_an_address_with_a_secret_of_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "of-no-known-form")
    notice_environment()
    with pytest.raises(ConfigurationError, match="what looks like a key"):
        load_model("openai:any", base_url="https://example.org/of-no-known-form/v1", offline=True)
    monkeypatch.undo()
    notice_environment()


def test_address_from_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "nowhere")
    with pytest.raises(ConfigurationError, match="base_url"):
        load_model("anthropic:any")


def test_names_say_what_works() -> None:
    with pytest.raises(UnknownNameError, match="openai"):
        load_model("opnai:any")
    with pytest.raises(ConfigurationError, match="openai:NAME"):
        load_model("openai:")
    with pytest.raises(ConfigurationError, match="base_url"):
        load_model("openai:any", offline=True)
    with pytest.raises(ConfigurationError, match="offline=True means nothing"):
        load_model("offline:apprentice", offline=True)


def test_a_model_serves_one_loop_after_another(server: Faultd) -> None:
    server.play("ok")
    model = load_model("openai:any", base_url=server.url("openai"), offline=True)

    async def ask() -> str:
        try:
            return await model.ask("Which way?")
        finally:
            await model.aclose()

    assert [asyncio.run(ask()) for _ in range(2)] == ["north", "north"]


@pytest.mark.parametrize("api", APIS)
def test_a_lost_connection_is_not_called_silence(api: str) -> None:
    with Faultd() as server:
        server.play("reset-before", always=True)
        policy = RetryPolicy(attempts=1)
        model = load_model(f"{api}:any", base_url=server.url(api), offline=True, policy=policy)
        with pytest.raises(ProviderDown, match="connection failed"):
            run_sync(model.ask("ping"))
        run_sync(model.aclose())

"""What becomes of calls: retries, errors, streams that end early, episodes, failing memory."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.wrap.doors import KEY, STABLE, VOLATILE, Coach, Episode, _now, client
from tests.wrap.paths import SAID, got
from tests.wrap.server import TEXT, Server
from verbalrl.errors import ConfigurationError, VerbalRLError
from verbalrl.wrap import Blocks, wrap, wrap_anthropic, wrap_openai
from verbalrl.wrap.calls import Binding, Call

USER = [{"role": "user", "content": "Where is it?"}]


@pytest.fixture
def bare(server: Server) -> Iterator[Any]:
    with client("OpenAI", server) as made:
        yield made


@pytest.fixture
def claude(server: Server) -> Iterator[Any]:
    with client("Anthropic", server) as made:
        yield made


def _ask(wrapped: Any, **more: Any) -> Any:
    return wrapped.chat.completions.create(model="m", messages=SAID, **more)


def _counts(server: Server) -> list[int]:
    return [a.raw.count(b"do S.") for a in server.take()]


def test_retries_send_the_same_body(server: Server, bare: Any, claude: Any) -> None:
    episode = Episode()
    server.script = [500, 503]
    _ask(wrap(bare, Coach(episode)))
    bodies = [a.raw for a in server.take()]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"do S.") == 1

    server.script = [500, 529]
    wrap(claude, Coach(episode)).messages.create(model="m", max_tokens=9, messages=USER)
    assert len({a.raw for a in server.take()}) == 1
    assert [e.error for e in episode.exchanges] == ["", ""]
    assert len(episode.seen) == 2


@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic"])
def test_a_refused_call_is_recorded_without_secrets(kind: str, server: Server) -> None:
    episode, server.script = Episode(), [400]
    wrapped = wrap(client(kind, server), Coach(episode))

    async def ask() -> None:
        try:
            if "OpenAI" in kind:
                await got(_ask(wrapped))
            else:
                await got(wrapped.messages.create(model="m", max_tokens=9, messages=USER))
        finally:
            await got(wrapped.close())

    with pytest.raises(Exception, match="Error code: 400") as caught:
        asyncio.run(ask())
    assert KEY in str(caught.value)
    (exchange,) = episode.exchanges
    assert exchange.reply is None
    assert exchange.error.startswith("BadRequestError: Error code: 400")
    assert KEY not in exchange.error
    assert exchange.request[-1] == USER[0]


def test_nobody_listens(bare: Any, server: Server) -> None:
    episode = Episode()
    nowhere = bare.with_options(base_url="http://127.0.0.1:9", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        _ask(wrap(nowhere, Coach(episode)))
    assert episode.exchanges[0].error == "APIConnectionError: Connection error."


def test_a_reply_that_cannot_be_parsed_is_still_a_reply(bare: Any) -> None:
    episode = Episode()
    wrapped = wrap(bare, Coach(episode))
    with pytest.raises(Exception, match="validation error"):
        wrapped.chat.completions.parse(model="m", messages=SAID, response_format=_Other)
    (exchange,) = episode.exchanges
    assert exchange.reply is not None
    assert exchange.reply["content"] == TEXT
    assert exchange.error.startswith("ValidationError: ")


class _Other(openai.BaseModel):
    number: int


def test_a_stream_that_is_closed_early(bare: Any, claude: Any) -> None:
    episode = Episode()
    with _ask(wrap(bare, Coach(episode)), stream=True) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert episode.exchanges == []
    with wrap(claude, Coach(episode)).messages.stream(
        model="m", max_tokens=9, messages=USER
    ) as told:
        next(iter(told.text_stream))
    first, second = episode.exchanges
    for exchange in (first, second):
        assert exchange.reply is not None
        assert exchange.reply["content"]
        assert TEXT.startswith(exchange.reply["content"])
        assert exchange.error == ""


def test_a_stream_that_is_dropped(bare: Any) -> None:
    episode = Episode()
    stream = _ask(wrap(bare, Coach(episode)), stream=True)
    next(stream)
    del stream
    gc.collect()
    assert len(episode.exchanges) == 1


def test_a_stream_that_breaks(bare: Any, server: Server) -> None:
    episode, server.break_streams = Episode(), True
    with pytest.raises(Exception, match=r"closed|Connection"):
        list(_ask(wrap(bare, Coach(episode)), stream=True))
    (exchange,) = episode.exchanges
    assert exchange.error.startswith("RemoteProtocolError: ")
    assert exchange.reply is not None


@pytest.mark.parametrize("cut", [None, 20])
def test_raw_bytes_that_are_packed(cut: int | None, bare: Any, server: Server) -> None:
    episode, server.zips = Episode(), True
    wrapped = wrap(bare, Coach(episode))
    create = wrapped.chat.completions.with_streaming_response.create
    with create(model="m", messages=SAID) as reply:
        chunks = reply.http_response.iter_raw(cut)
        packed = next(chunks) if cut else b"".join(chunks)
    assert packed[:2] == b"\x1f\x8b", "they pass as they came"
    (exchange,) = episode.exchanges
    if cut is None:
        assert exchange.reply == {"role": "assistant", "content": TEXT, "tool_calls": []}
    else:
        assert exchange.reply is None, "nothing can be read of so little"


def test_a_cancelled_call(server: Server) -> None:
    episode = Episode()

    async def ask() -> None:
        async with client("AsyncOpenAI", server) as made:
            task = asyncio.create_task(_ask(wrap(made, Coach(episode))))
            await asyncio.sleep(0)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ask())
    assert [e.error.partition(":")[0] for e in episode.exchanges] == ["CancelledError"]


def test_outside_an_episode_nothing_happens(bare: Any, server: Server) -> None:
    _ask(wrap(bare, Coach(None)))
    _ask(bare)
    with_us, without_us = server.take()
    assert with_us.raw == without_us.raw


def test_episodes_follow_the_context(bare: Any, server: Server) -> None:
    wrapped, mine, other = wrap(bare, Coach(None)), Episode(), Episode()
    token = _now.set(mine)
    try:
        _ask(wrapped)
        # A thread starts with no context; a client that is bound needs none.
        bound = wrapped.for_episode(other)
        for asked in (wrapped, bound.with_options(max_retries=1)):
            thread = threading.Thread(target=_ask, args=(asked,))
            thread.start()
            thread.join()
    finally:
        _now.reset(token)
    assert (len(mine.exchanges), len(other.exchanges)) == (1, 1)
    assert _counts(server) == [1, 0, 1]
    assert isinstance(bound, openai.OpenAI)


def test_wrapping_again_binds_anew(bare: Any, server: Server) -> None:
    first, second = Episode(), Episode()
    _ask(wrap(wrap(bare, Coach(first)), Coach(second)))
    assert _counts(server) == [1]
    assert (len(first.exchanges), len(second.exchanges)) == (0, 1)


def test_a_prompt_that_carries_the_blocks_is_not_given_them_again(
    bare: Any, server: Server
) -> None:
    episode = Episode()
    said = [
        {"role": "system", "content": f"Be brief.\n\n{STABLE}"},
        {"role": "user", "content": f"Where is it?\n\n{VOLATILE}"},
    ]
    wrap(bare, Coach(episode)).chat.completions.create(model="m", messages=said)
    assert server.take()[0].body["messages"] == said
    assert list(episode.exchanges[0].request) == SAID


class _Broken(Episode):
    """An episode whose memory fails at one of its doors."""

    at = "blocks"

    def _fail(self, door: str) -> None:
        if self.at == door:
            raise RuntimeError("the store is gone")

    def see(self, request: Any) -> None:
        self._fail("see")

    def blocks(self) -> Blocks:
        self._fail("blocks")
        return super().blocks()

    def record(self, exchange: Any) -> None:
        self._fail("record")
        super().record(exchange)


@pytest.mark.parametrize("door", ["see", "blocks", "record"])
@pytest.mark.parametrize("streamed", [False, True])
def test_failing_memory_is_logged_and_nothing_else(
    door: str, streamed: bool, bare: Any, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    episode = _Broken()
    episode.at = door
    wrapped = wrap(bare, Coach(episode, strict=False))
    with caplog.at_level(logging.WARNING, "verbalrl"):
        got, expected = (_ask(c, stream=streamed) for c in (wrapped, bare))
        if streamed:
            got, expected = list(got), list(expected)
        assert got == expected
    (line,) = caplog.messages
    assert line.startswith("wrap.failed ")
    assert "the store is gone" in line
    sent = server.take()[0].body["messages"]
    assert (sent == SAID) == (door != "record")
    assert len(episode.exchanges) == (door != "record")


@pytest.mark.parametrize("door", ["see", "blocks", "record"])
def test_a_strict_coach_raises(door: str, bare: Any) -> None:
    episode = _Broken()
    episode.at = door
    with pytest.raises(VerbalRLError, match="RuntimeError: the store is gone"):
        _ask(wrap(bare, Coach(episode, strict=True)))


def test_what_the_server_keeps_is_not_said_again(bare: Any, server: Server) -> None:
    episode = Episode()
    wrapped = wrap(bare, Coach(episode))
    asked = {"model": "m", "input": "Where is it?"}
    first = wrapped.responses.create(**asked)
    other = wrapped.with_options(max_retries=1)
    other.responses.create(**asked, previous_response_id=first.id)
    episode.given = Blocks(STABLE, VOLATILE.replace("V", "W"))
    wrapped.responses.create(**asked, previous_response_id=first.id)
    wrapped.responses.create(**asked, previous_response_id="of another")
    sent = [a.raw for a in server.take()]
    # Instructions are not kept, so the stable block goes with every request.
    assert [raw.count(b"do S.") for raw in sent] == [1, 1, 1, 1]
    assert [raw.count(b"do V.") + raw.count(b"do W.") for raw in sent] == [1, 0, 1, 1]


def test_what_failed_is_not_kept_by_the_server(bare: Any, server: Server) -> None:
    wrapped = wrap(bare, Coach(Episode())).with_options(max_retries=0)
    asked = {"model": "m", "input": "Where is it?", "conversation": "conv_1"}
    server.script = [500]
    with pytest.raises(openai.InternalServerError):
        wrapped.responses.create(**asked)
    # Two that go on from the same place: only what went into the conversation itself stays there.
    first = {**asked, "conversation": "conv_2", "previous_response_id": "resp_0"}
    for again in (asked, asked, first, {**first, "conversation": "conv_3"}):
        wrapped.responses.create(**again)
    assert [a.raw.count(b"do V.") for a in server.take()] == [1, 1, 0, 1, 1]


def test_a_thread_that_others_began_keeps_its_system_text(claude: Any, server: Server) -> None:
    episode = Episode()
    thread = {"type": "continue", "previous_message_id": "msg_0"}
    wrap(claude, Coach(episode)).messages.create(
        model="m", max_tokens=9, messages=USER, extra_body={"thread": thread}
    )
    body = server.take()[0].body
    assert "system" not in body
    assert body["messages"][0]["content"] == f"Where is it?\n\n{STABLE}\n\n{VOLATILE}"


def test_azure(server: Server) -> None:
    episode = Episode()
    url = server.url("anthropic")
    with openai.AzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="1") as made:
        wrapped = wrap(made, Coach(episode)).with_options(timeout=30)
        assert isinstance(wrapped, openai.AzureOpenAI)
        _ask(wrapped)
    (asked,) = server.take()
    assert asked.path.startswith("/openai/deployments/m/chat/completions")
    assert asked.raw.count(b"do S.") == 1
    assert episode.exchanges[0].model == "m"


VERTEX = {"region": "r", "project_id": "p", "access_token": KEY}
BEDROCK = {"aws_region": "r", "api_key": KEY}


@pytest.mark.parametrize(("kind", "given"), [("Vertex", VERTEX), ("Bedrock", BEDROCK)])
def test_models_of_anthropic_elsewhere(kind: str, given: dict[str, str], server: Server) -> None:
    episode = Episode()
    made = getattr(anthropic, f"Anthropic{kind}")
    with made(base_url=server.url("anthropic"), **given) as bare:
        wrapped = wrap(bare, Coach(episode)).with_options(timeout=30)
        said = wrapped.messages.create(model="m", max_tokens=9, messages=USER)
        assert isinstance(wrapped, made)
    assert said.content[0].text == TEXT
    (asked,) = server.take()
    assert "m" in asked.path
    assert asked.raw.count(b"do S.") == 1
    assert (episode.exchanges[0].model, episode.exchanges[0].error) == ("m", "")


def test_a_subclass_keeps_what_it_adds(server: Server) -> None:
    class Own(openai.OpenAI):
        def hello(self) -> str:
            return "hello"

    with Own(api_key=KEY, base_url=server.url("openai")) as made:
        wrapped = wrap(made, Coach(Episode()))
        assert wrapped.hello() == "hello"
        assert type(wrapped).__name__ == "Own"
        _ask(wrapped)
    assert _counts(server) == [1]


def test_a_client_that_cannot_be_copied(server: Server) -> None:
    class Own(openai.OpenAI):
        def __init__(self, place: str) -> None:
            super().__init__(api_key=KEY, base_url=place)

    with (
        Own(server.url("openai")) as made,
        pytest.raises(ConfigurationError, match=r"wrap: .*Own cannot be copied"),
    ):
        wrap(made, Coach())


@pytest.mark.parametrize("wrapping", [wrap, wrap_openai, wrap_anthropic])
def test_what_is_no_client_is_refused(wrapping: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"not object$"):
        wrapping(object(), Coach())


def test_wrapping_imports_no_sdk_before_it_is_used() -> None:
    code = (
        "import sys, verbalrl.wrap\n"
        "print({'openai', 'anthropic', 'httpx', 'httpx2', 'structlog'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_reply_that_cannot_be_read_is_told(bare: Any) -> None:
    episode = Episode()
    call = Call(Binding(Coach(episode), episode, "openai", {}), episode, "chat", ())
    call.arrived(httpx.Response(200, content=b'{"id": '), None)
    call.returned()
    assert episode.exchanges[0].reply is None
    assert episode.exchanges[0].error == "a reply that cannot be read"


def test_a_call_within_a_call_is_not_taken_for_it(server: Server) -> None:
    episode = Episode()
    coach = Coach(episode)
    with client("OpenAI", server) as other:
        within = wrap(other, coach)

        def hook(request: httpx.Request) -> None:
            if request.url.path.endswith("completions"):
                within.post("/embeddings", body={"model": "m", "input": "x"}, cast_to=object)

        hooks = httpx.Client(event_hooks={"request": [hook]})
        with client("OpenAI", server, http_client=hooks) as made:
            _ask(wrap(made, coach))
    assert _counts(server) == [0, 1]
    assert [e.api for e in episode.exchanges] == ["chat"]


def test_what_the_server_does_not_keep_is_sent_again(server: Server, bare: Any) -> None:
    wrapped = wrap(bare, Coach(Episode()))
    given: Any = [{"type": "function_call_output", "call_id": "c", "output": "late"}]
    reply = wrapped.responses.create(model="m", input=given, previous_response_id="resp_old")
    wrapped.responses.create(model="m", input=USER, previous_response_id=reply.id)
    assert [a.raw.count(b"do V.") for a in server.take()] == [1, 1]


def test_an_exchange_names_the_tools_that_were_offered(
    server: Server, bare: Any, claude: Any
) -> None:
    episode = Episode()
    schema = {"type": "object", "properties": {}}
    chat: Any = {"type": "function", "function": {"name": "look", "parameters": schema}}
    wrapped = wrap(bare, Coach(episode))
    _ask(wrapped, tools=[chat])
    flat: Any = {"type": "function", "name": "look", "parameters": schema, "strict": False}
    wrapped.responses.create(model="m", input="hi", tools=[flat])
    named: Any = {"name": "look", "input_schema": schema}
    wrap(claude, Coach(episode)).messages.create(
        model="m", max_tokens=9, messages=USER, tools=[named]
    )
    _ask(wrapped)
    assert [e.tools for e in episode.exchanges] == [("look",), ("look",), ("look",), ()]

"""Every way of every client: the block once on the wire, the reply as without us, one exchange."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest

from tests.wrap.doors import KEY, STABLE, VOLATILE, Coach, Episode, client
from tests.wrap.paths import ALL, MATRIX, got
from tests.wrap.server import CALL, TEXT, Asked, Server
from verbalrl.wrap import wrap


def _count(asked: Asked, block: str) -> int:
    return asked.raw.decode().count(json.dumps(block)[1:-1])


def _bare(asked: Asked) -> dict[str, Any]:
    """Headers that may differ from one call to the next are not compared."""
    moving = {"x-stainless-retry-count", "idempotency-key", "content-length", "host"}
    moving |= {"x-stainless-read-timeout", "traceparent"}
    return {k: v for k, v in asked.headers.items() if k not in moving}


@pytest.mark.parametrize(("api", "kind", "way"), MATRIX)
def test_way(api: str, kind: str, way: str, server: Server) -> None:
    ask, original, episode = ALL[api][way], client(kind, server), Episode()

    async def both() -> tuple[list[Asked], list[Asked]]:
        expected = await ask(original)
        plain = server.take()
        wrapped = wrap(original, Coach(episode))
        assert isinstance(wrapped, type(original))
        assert server.take() == []
        assert await _closing(ask, wrapped) == expected
        return plain, server.take()

    plain, sent = asyncio.run(both())
    # Of a thread the server keeps what was said, system text included.
    expected_blocks = [0 if _goes_on(a) else 1 for a in plain]
    assert [_count(a, STABLE) for a in sent] == expected_blocks
    assert [_count(a, VOLATILE) for a in sent] == expected_blocks
    assert [_bare(a) for a in sent] == [_bare(a) for a in plain]
    assert not any(_count(a, STABLE) + _count(a, VOLATILE) for a in plain)
    _check_exchanges(api, episode, plain)


def _goes_on(asked: Asked) -> bool:
    thread: dict[str, Any] = asked.body.get("thread") or {}
    return thread.get("type") == "continue"


def _check_exchanges(api: str, episode: Episode, plain: list[Asked]) -> None:
    assert len(episode.exchanges) == len(plain)
    first = {"role": "system", "content": "Be brief."}
    for exchange, asked in zip(episode.exchanges, plain, strict=True):
        calls = b'"tools"' in asked.raw and exchange is episode.exchanges[0]
        said = {"role": "assistant", "content": "" if calls else TEXT}
        assert exchange.reply == {**said, "tool_calls": [CALL] if calls else []}
        assert (exchange.api, exchange.model, exchange.error) == (api, "m", "")
        if not _goes_on(asked):
            assert exchange.request[:2] == (first, {"role": "user", "content": "Where is it?"})
        assert STABLE not in str(exchange.request)
        assert VOLATILE not in str(exchange.request)
        used = exchange.usage
        assert (used.input, used.cache_read, used.output, used.calls) == (7, 3, 4, 1)
        assert exchange.seconds > 0


async def _closing(ask: Any, used: Any) -> Any:
    try:
        return await ask(used)
    finally:
        await got(used.close())


@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic"])
def test_original_client_sends_nothing_extra(kind: str, server: Server) -> None:
    original, episode = client(kind, server), Episode()
    wrapped = wrap(original, Coach(episode))
    before = set(vars(original))
    way = "create" if "OpenAI" in kind else "message"
    ask = ALL["chat" if "OpenAI" in kind else "messages"][way]

    async def both() -> None:
        await ask(wrapped)
        await ask(original)
        await _closing(ask, original)

    asyncio.run(both())
    assert [_count(a, STABLE) for a in server.take()] == [1, 0, 0]
    assert len(episode.exchanges) == 1
    assert type(original) is getattr(openai if "OpenAI" in kind else anthropic, kind)
    # Resources are made on use, for it alone.
    assert before <= set(vars(original))


def test_other_calls_are_untouched(server: Server) -> None:
    episode = Episode()
    coach = Coach(episode)
    speaks, says = client("OpenAI", server), client("Anthropic", server)
    said = [{"role": "user", "content": "Where is it?"}]

    def ask(speaking: Any, saying: Any) -> list[Asked]:
        saying.messages.count_tokens(model="m", system="Be brief.", messages=said)
        saying.beta.messages.count_tokens(model="m", messages=said)
        saying.models.list()
        speaking.embeddings.create(model="m", input="Where is it?", encoding_format="float")
        speaking.models.list()
        speaking.chat.completions.list()
        speaking.completions.create(model="m", prompt="Where is it?")
        return server.take()

    bare, wrapped = ask(speaks, says), ask(wrap(speaks, coach), wrap(says, coach))
    assert [(a.method, a.path, a.raw) for a in wrapped] == [(a.method, a.path, a.raw) for a in bare]
    assert len(bare) == 7
    assert episode.exchanges == []
    assert episode.seen == []
    speaks.close()
    says.close()


def test_the_key_is_the_clients(server: Server) -> None:
    with client("OpenAI", server) as original:
        wrap(original, Coach(Episode())).chat.completions.create(model="m", messages=[])
        assert server.take()[0].headers["authorization"] == f"Bearer {KEY}"

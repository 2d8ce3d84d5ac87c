"""Pools are bounded, and aiohttp is used where it is asked for and can be had."""

from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.models.faultd import APIS, Faultd
from verbalrl.cli.building import Setup, learner_of
from verbalrl.errors import ConfigurationError
from verbalrl.models import Message, Request, load_model
from verbalrl.models.transport import Transport, _options, http_client, of_one_address, post


class SlowServer(Faultd):
    """Answers after a while, so that calls pile up."""

    async def _answer(self, *given: Any) -> bool:
        await asyncio.sleep(0.2)
        return await super()._answer(*given)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("transport", ["httpx", "fastest"])
def test_at_most_a_hundred_connections(api: str, transport: Transport) -> None:
    async def run(url: str) -> list[str]:
        model = load_model(f"{api}:any", base_url=url, offline=True, transport=transport)
        request = Request(messages=(Message(role="user", text="Which way?"),))
        try:
            replies = await asyncio.gather(*(model.complete(request) for _ in range(140)))
            return [reply.text for reply in replies]
        finally:
            await model.aclose()

    with SlowServer(lambda asked: "north") as server:
        assert asyncio.run(run(server.url(api))) == ["north"] * 140
        assert 1 < server.connections <= 140
        assert server.most <= 100


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_the_pool_keeps_twenty(sdk: Any) -> None:
    client = http_client(sdk, "httpx", None)
    pool = client._transport._pool
    assert (pool._max_connections, pool._max_keepalive_connections) == (100, 20)
    assert not client.follow_redirects


GIVEN: tuple[dict[str, Any], ...] = (
    {"content": b"{}", "headers": [("accept", "x")]},
    {"params": {"n": "1"}},
    {"content": b"{}", "headers": {"User-Agent": "x", "X-A": "1", "Accept-Encoding": "br"}},
    {"content": b"{}", "headers": [("X-A", "1"), ("x-a", "2"), (b"accept", b"y")]},
    {"content": b"{}", "headers": {"host": "b.example"}},
    {"content": b"{}", "headers": {"Content-Length": "2"}},
    {"content": b"{}", "headers": {"transfer-encoding": "chunked"}},
    {"content": b"{}", "params": {"n": "1"}},
    {"content": b"{}", "cookies": {"a": "b"}},
    {"content": b"{}", "extensions": {"sni_hostname": "b.example"}},
    {"content": b"", "headers": None},
    {"content": "{}"},
    {"json": {"a": 1}},
    {"content": b"{}", "json": {"a": 1}},
    {"content": b"{}", "data": {"a": "1"}},
    {"content": b"{}", "files": {"a": b"1"}},
    {"content": b"{}", "params": {}},
)
OF_CLIENT: tuple[dict[str, Any], ...] = (
    {},
    {"cookies": {"c": "d"}},
    {"params": {"p": "q"}},
    {"headers": {"Host": "b.example"}},
    {"headers": {"Content-Length": "2"}},
    {"headers": {"X-Always": "1", "Accept": "z"}},
)


@pytest.mark.parametrize("sdk", [openai, anthropic])
@pytest.mark.parametrize("of_client", OF_CLIENT)
@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("transport", ["httpx", "fastest"])
def test_requests_are_those_of_the_sdks_own_client(
    sdk: Any, of_client: dict[str, Any], transport: Transport, *, timed: bool
) -> None:
    ours = http_client(sdk, transport, None)
    theirs = type(ours).__mro__[1](timeout=None)
    for client in (ours, theirs):
        client.cookies.update(of_client.get("cookies", {}))
        client.headers.update(of_client.get("headers", {}))
        client.params = of_client.get("params", {})
    timeout = {"timeout": type(ours.timeout)(7, connect=2)} if timed else {}
    for url in ("http://localhost:1/v1/chat", "http://localhost:2/v1/chat", "http://a/b?c=d", "/e"):
        for given in GIVEN:
            if url == "/e" and ("cookies" in of_client or "cookies" in given):
                # Cookies are for a host.
                continue
            for _ in range(2):
                made, wanted = (
                    c.build_request("post", url, **given, **timeout) for c in (ours, theirs)
                )
                assert made.method == wanted.method
                assert str(made.url) == str(wanted.url)
                assert made.extensions == wanted.extensions
                assert type(made.stream) is type(wanted.stream)
                if "files" in given:
                    # Parts are told apart by a word of chance.
                    continue
                assert made.headers.raw == wanted.headers.raw
                assert made.content == wanted.content


@pytest.mark.parametrize("sdk", [openai, anthropic])
@pytest.mark.parametrize("transport", ["httpx", "fastest"])
def test_what_is_plain_is_not_merged_by_httpx(
    sdk: Any, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = http_client(sdk, transport, None)
    merged: list[Any] = []
    theirs: Any = type(ours).__mro__[1]
    merge = theirs.build_request

    def counting(*given: Any, **named: Any) -> Any:
        merged.append(given)
        return merge(*given, **named)

    monkeypatch.setattr(theirs, "build_request", counting)
    timeout = type(ours.timeout)(7)
    body, headers = b"{}", [("accept", "x")]
    ours.build_request("POST", "http://a/b", content=body, headers=headers, timeout=timeout)
    assert not merged
    ours.build_request("POST", "http://a/b", content=body, headers=headers)
    assert merged
    with pytest.raises(TypeError, match="auth"):
        ours.build_request("POST", "http://a/b", content=body, timeout=timeout, auth=("a", "b"))


class Fewer(BaseModel):
    """Options of an SDK to come, which has another name for the body."""

    headers: dict[str, str] = {}


@pytest.mark.parametrize("client", [openai.AsyncOpenAI, anthropic.AsyncAnthropic])
@pytest.mark.parametrize("known", ["as it is", "otherwise", "gone"])
def test_an_sdk_is_asked_as_by_its_own_post(
    monkeypatch: pytest.MonkeyPatch, client: Any, known: str
) -> None:
    sdk = client.__module__.partition(".")[0]
    asked: list[Any] = []
    posted: list[str] = []

    class Asked(client):  # type: ignore[misc]
        async def post(self, path: str, **given: Any) -> Any:
            posted.append(path)
            return await super().post(path, **given)

        async def request(self, cast_to: Any, options: Any, **given: Any) -> Any:
            # As text, because what is not given is unlike itself.
            told = {k: v for k, v in given.items() if v}
            asked.append((cast_to, str(options.model_dump()), told))

    Asked.__module__ = client.__module__
    if known == "gone":
        monkeypatch.delattr(f"{sdk}._models.FinalRequestOptions")
    elif known == "otherwise":
        monkeypatch.setattr(f"{sdk}._models.FinalRequestOptions", Fewer)
    _options.cache_clear()
    own = Asked(api_key="k", base_url="http://localhost:1")
    for body, headers in (({"a": 1}, {"x": "1"}), ({"b": [2]}, {})):
        asyncio.run(post(own, "/path", body, headers))
        response = asked[-1][0]
        asyncio.run(
            own.post(
                "/path", cast_to=response, body=body, options={"headers": headers}, stream=True
            )
        )
        assert asked[-2] == asked[-1]
    assert response.__name__ == "Response"
    assert len(posted) == (2 if known == "as it is" else 4)
    kept = _options(sdk, "/path")[1]
    assert kept is None or kept.json_data is None
    _options.cache_clear()


@pytest.mark.parametrize(
    "address", ["http://localhost:1/v1", "https://a.example/b/c/", "http://[::1]:2"]
)
@pytest.mark.parametrize("client", [openai.AsyncOpenAI, anthropic.AsyncAnthropic])
def test_an_address_is_joined_once_with_each_path(client: Any, address: str) -> None:
    ours = of_one_address(client(api_key="k", base_url=address))
    theirs = client(api_key="k", base_url=address)
    for path in ("/chat/completions", "/v1/messages", "http://b.example/d?e=f", "x"):
        joined = ours._prepare_url(path)
        assert joined == theirs._prepare_url(path)
        assert ours._prepare_url(path) is joined


@pytest.mark.parametrize("api", APIS)
def test_a_model_asks_through_a_client_that_does_so(api: str) -> None:
    model = load_model(f"{api}:any", base_url="http://localhost:1/v1", offline=True)
    client = model.client()  # type: ignore[attr-defined]
    assert client._prepare_url("/x") is client._prepare_url("/x")


def test_a_client_that_joins_otherwise_is_left_as_it_is() -> None:
    client = SimpleNamespace()
    assert of_one_address(client) is client
    assert not vars(client)


@pytest.mark.parametrize("sdk", [openai, anthropic])
@pytest.mark.parametrize("transport", ["httpx", "fastest"])
def test_certificates_are_loaded_once_for_each_setting(
    sdk: Any, transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    loaded: list[ssl.SSLContext] = []
    load = ssl.SSLContext.load_verify_locations

    def counting(self: ssl.SSLContext, *given: Any, **named: Any) -> None:
        loaded.append(self)
        load(self, *given, **named)

    def make() -> None:
        http_client(sdk, transport, None)

    make()
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counting)
    make()
    assert loaded == []
    empty = tmp_path / "certificates.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(ssl.SSLError):
        make()


def without_aiohttp() -> Any:
    class Missing:
        def __init__(self, **_: object) -> None:
            raise RuntimeError("install the aiohttp extra")

    return SimpleNamespace(
        __name__="sdk",
        __version__="0",
        DefaultAioHttpClient=Missing,
        DefaultAsyncHttpxClient=openai.DefaultAsyncHttpxClient,
    )


def test_what_is_asked_for_and_not_there_is_said_in_a_line() -> None:
    with pytest.raises(ConfigurationError, match=r"sdk 0 cannot use aiohttp here; pip install"):
        http_client(without_aiohttp(), "aiohttp", None)
    fallen_back = http_client(without_aiohttp(), "fastest", None)
    assert isinstance(fallen_back, openai.DefaultAsyncHttpxClient)


@pytest.mark.parametrize(
    ("concurrency", "expected"), [(None, "fastest"), (15, "httpx"), (16, "fastest")]
)
def test_the_command_line_asks_for_the_fastest_when_many_are_in_flight(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, concurrency: int | None, expected: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    learner = learner_of(Setup(model="openai:any", store=tmp_path, concurrency=concurrency))
    (model,) = {id(m): m for m in learner._models().values()}.values()
    assert model._place.transport == expected  # type: ignore[attr-defined]

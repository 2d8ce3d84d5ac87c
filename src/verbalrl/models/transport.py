"""The HTTP client below an SDK: bounded pools, and aiohttp in place of httpx where it is asked for.

Per call aiohttp takes about half of the CPU (`docs/decisions.md` has figures), which counts when
many calls are in flight. So does what httpx does once more for each request though nothing has
changed: it parses the same address and merges what is empty, and each client loads all
certificates there are.
"""

from __future__ import annotations

import importlib
import os
import ssl
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Literal

from ..errors import ConfigurationError
from .limiter import MAX_CONNECTIONS

Transport = Literal["httpx", "aiohttp", "fastest"]
"""`fastest` is aiohttp where it is installed and the SDK takes it, else httpx."""

MANY = 16
"""With so many calls in flight the command line asks for the fastest transport."""
_KEPT = 20
"""Idle connections that are kept."""
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where the environment may say that other certificates are trusted."""
_PLAIN = frozenset(("content", "headers", "timeout"))
"""All that a request with a body has to be given; what else is, httpx merges or refuses."""
_IMPLIED = (b"host", b"content-length", b"transfer-encoding")
"""Headers that httpx adds only where they are not given."""

Fields = list[tuple[bytes, bytes]]
"""Headers as they are sent."""


def http_client(sdk: Any, transport: Transport, timeout: Any) -> Any:
    """A client for the SDK module `sdk` that follows no redirects with our key.

    Raises:
        ConfigurationError: aiohttp is asked for and not there, or the SDK does not take it.
    """
    certificates = tuple(os.environ.get(name, "") for name in _CERTIFICATES)
    settings = {
        "follow_redirects": False,
        "timeout": timeout,
        "limits": _limits(sdk),
        "verify": _verified(_httpx(sdk), certificates),
    }
    if transport != "httpx":
        try:
            return _sparing(sdk.DefaultAioHttpClient, _httpx(sdk))(**settings)
        except (AttributeError, RuntimeError):
            # What the SDKs raise without aiohttp.
            if transport == "aiohttp":
                raise ConfigurationError(
                    f"transport='aiohttp': {sdk.__name__} {sdk.__version__} cannot use aiohttp "
                    "here; pip install 'verbalrl[aiohttp]', or leave it out"
                ) from None
    return _sparing(sdk.DefaultAsyncHttpxClient, _httpx(sdk))(**settings)


def of_one_address(client: Any) -> Any:
    """`client` of an SDK, that joins its address with a path but once, not at each request.

    Its address must not change later. One that has another way to do so is left as it is.
    """
    joined = getattr(client, "_prepare_url", None)
    if joined is not None:
        client._prepare_url = lru_cache(maxsize=64)(joined)
    return client


async def post(client: Any, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
    """The answer of `client` of an SDK to `body`, not read yet; the caller closes it.

    As the client's `post` does it, with options that are made but once.
    """
    response, options = _options(type(client).__module__.partition(".")[0], path)
    if options is None:
        return await client.post(
            path, cast_to=response, body=body, options={"headers": headers}, stream=True
        )
    own = options.model_copy(update={"json_data": body, "headers": headers})
    return await client.request(response, own, stream=True)


@lru_cache(maxsize=64)
def _options(sdk: str, path: str) -> tuple[Any, Any]:
    """The class of an SDK's responses, and what its client is asked with for `path`, if anything.

    The SDKs keep the latter to themselves: of one that has no such thing, or calls its parts
    otherwise, it is None.
    """
    options = getattr(sys.modules.get(f"{sdk}._models"), "FinalRequestOptions", None)
    has = {"json_data", "headers"} <= getattr(options, "model_fields", {}).keys()
    made = options.construct(method="post", url=path) if options and has else None
    return _httpx(sys.modules[sdk]).Response, made


@lru_cache(maxsize=4)
def _verified(httpx: Any, _certificates: tuple[str, ...]) -> ssl.SSLContext:
    """How servers are verified: as a client of its own would; it takes 20 ms to make."""
    context: ssl.SSLContext = httpx.create_ssl_context()
    return context


@cache
def _sparing(client: Any, httpx: Any) -> Any:
    """The class `client`, that parses an address but once, and merges only what is given.

    A request with nothing to merge but headers it puts together itself, which takes httpx longer.
    """
    address = lru_cache(maxsize=64)(httpx.URL)

    class Client(client):  # type: ignore[misc]
        def build_request(self, method: str, url: Any, **given: Any) -> Any:
            """The request as httpx builds it."""
            known = address(url)
            own = httpx.Headers(given.get("headers")).raw
            timeout, content = given.get("timeout"), given.get("content")
            if (
                not isinstance(timeout, httpx.Timeout)
                or not (content and isinstance(content, bytes))
                or any(given[name] is not None for name in given.keys() - _PLAIN)
                or self.cookies
                or self.params
                or not (headers := _headers(known, self.headers.raw, own, len(content)))
            ):
                return super().build_request(method, known, **given)
            limits, body = {"timeout": timeout.as_dict()}, httpx.ByteStream(content)
            made = httpx.Request(method, known, headers=headers, stream=body, extensions=limits)
            made.read()
            return made

    return Client


def _headers(url: Any, usual: Fields, own: Fields, size: int) -> Fields:
    """All that httpx would send with a body of `size` bytes; none where it has to decide."""
    names = {name.lower() for name, _ in own}
    kept = [field for field in usual if field[0].lower() not in names]
    names.update(name.lower() for name, _ in kept)
    if url.is_relative_url or not names.isdisjoint(_IMPLIED):
        return []
    return [(b"Host", url.netloc), *kept, *own, (b"Content-Length", b"%d" % size)]


def _limits(sdk: Any) -> Any:
    return _httpx(sdk).Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=_KEPT)


def _httpx(sdk: Any) -> Any:
    """The httpx that the SDK stands on: `httpx2`, or `httpx` below older ones."""
    name = next(
        cls.__module__.partition(".")[0]
        for cls in sdk.DefaultAsyncHttpxClient.__mro__
        if cls.__name__ == "AsyncClient"
    )
    return importlib.import_module(name)

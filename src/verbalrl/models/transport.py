"""The HTTP client below an SDK: bounded pools, and aiohttp in place of httpx where it is asked for.

Per call aiohttp takes about half of the CPU (`docs/decisions.md` has figures), which counts when
many calls are in flight. So does what httpx does once more for each request though nothing has
changed: it parses the same address, and each client loads all certificates there are.
"""

from __future__ import annotations

import importlib
import os
import ssl
import sys
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
            return _of_known_addresses(sdk.DefaultAioHttpClient, _httpx(sdk))(**settings)
        except (AttributeError, RuntimeError):
            # What the SDKs raise without aiohttp.
            if transport == "aiohttp":
                raise ConfigurationError(
                    f"transport='aiohttp': {sdk.__name__} {sdk.__version__} cannot use aiohttp "
                    "here; pip install 'verbalrl[aiohttp]', or leave it out"
                ) from None
    return sdk.DefaultAsyncHttpxClient(**settings)


def of_one_address(client: Any) -> Any:
    """`client` of an SDK, that joins its address with a path but once, not at each request.

    Its address must not change later. One that has another way to do so is left as it is.
    """
    joined = getattr(client, "_prepare_url", None)
    if joined is not None:
        client._prepare_url = lru_cache(maxsize=64)(joined)
    return client


@cache
def response_type(sdk: str) -> Any:
    """The class of the responses that the SDK of this name gets."""
    return _httpx(sys.modules[sdk]).Response


@lru_cache(maxsize=4)
def _verified(httpx: Any, _certificates: tuple[str, ...]) -> ssl.SSLContext:
    """How servers are verified: as a client of its own would; it takes 20 ms to make."""
    context: ssl.SSLContext = httpx.create_ssl_context()
    return context


@cache
def _of_known_addresses(client: Any, httpx: Any) -> Any:
    """The class `client`, that parses an address but once: 0.06 ms of each request."""
    address = lru_cache(maxsize=64)(httpx.URL)

    class Client(client):  # type: ignore[misc]
        def build_request(self, method: str, url: Any, **given: Any) -> Any:
            """The request as httpx builds it."""
            return super().build_request(method, address(url), **given)

    return Client


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

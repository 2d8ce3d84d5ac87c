"""The HTTP client below an SDK: bounded pools, and aiohttp in place of httpx where it is asked for.

Per call aiohttp takes about half of the CPU (`docs/decisions.md` has figures), which counts when
many calls are in flight.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any, Literal

from ..errors import ConfigurationError
from .limiter import MAX_CONNECTIONS

Transport = Literal["httpx", "aiohttp", "fastest"]
"""`fastest` is aiohttp where it is installed and the SDK takes it, else httpx."""

MANY = 16
"""With so many calls in flight the command line asks for the fastest transport."""
_KEPT = 20
"""Idle connections that are kept."""


def http_client(sdk: Any, transport: Transport, timeout: Any) -> Any:
    """A client for the SDK module `sdk` that follows no redirects with our key.

    Raises:
        ConfigurationError: aiohttp is asked for and not there, or the SDK does not take it.
    """
    settings = {"follow_redirects": False, "timeout": timeout, "limits": _limits(sdk)}
    if transport != "httpx":
        try:
            return sdk.DefaultAioHttpClient(**settings)
        except (AttributeError, RuntimeError):
            # What the SDKs raise without aiohttp.
            if transport == "aiohttp":
                raise ConfigurationError(
                    f"transport='aiohttp': {sdk.__name__} {sdk.__version__} cannot use aiohttp "
                    "here; pip install 'verbalrl[aiohttp]', or leave it out"
                ) from None
    return sdk.DefaultAsyncHttpxClient(**settings)


@cache
def response_type(sdk: str) -> Any:
    """The class of the responses that the SDK of this name gets."""
    return _httpx(sys.modules[sdk]).Response


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

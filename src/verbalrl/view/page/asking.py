"""What a request asks for: values from addresses and forms, and answers made of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ...errors import ConfigurationError
from ...store import Store
from ..tables import Table, csv_text
from ..templating import render
from .guard import Keys

_LARGEST = 64_000
"""Bytes of a form."""


def store_of(request: Request) -> Store:
    """The store that the page shows."""
    store: Store = request.app.state.store
    return store


def one_state(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """`answer`, with all that it reads from one state of the store."""

    @wraps(answer)
    def within(request: Request) -> Response:
        with store_of(request).snapshot():
            return answer(request)

    return within


def at_once(
    answer: Callable[[Request], Response],
) -> Callable[[Request], Coroutine[None, None, Response]]:
    """`one_state` of an answer of a few rows, without a change of threads, which takes as long.

    While others read it waits in a thread as all do: the loop never waits for the store.
    """
    within = one_state(answer)

    @wraps(answer)
    async def here(request: Request) -> Response:
        with store_of(request).snapshot_now() as alone:
            if alone:
                return answer(request)
        return await run_in_threadpool(within, request)

    return here


def in_two(
    read: Callable[[Request], Callable[[], Response]], is_long: Callable[[Request], bool]
) -> Callable[[Request], Coroutine[None, None, Response]]:
    """`at_once` where that is short; what is long is made in a thread, and holds nobody up.

    `read` gives what makes the answer, which needs the store no more: others read meanwhile.
    """

    def apart(request: Request) -> Response:
        with store_of(request).snapshot():
            make = read(request)
        return make()

    @wraps(read)
    async def here(request: Request) -> Response:
        with store_of(request).snapshot_now() as alone:
            if alone and not is_long(request):
                return read(request)()
        return await run_in_threadpool(apart, request)

    return here


def keys_of(request: Request) -> Keys:
    """The secrets of this session."""
    keys: Keys = request.app.state.keys
    return keys


def text(request: Request, name: str) -> str:
    """A value of the address; empty where it is not given."""
    return request.query_params.get(name, "").strip()


def chosen(request: Request, names: Iterable[str]) -> dict[str, str | None]:
    """The values of `names`; None where one is empty: not asked for."""
    return {name: text(request, name) or None for name in names}


def number(request: Request, name: str, default: int | None = None) -> int | None:
    """A whole number of the address, not below 0."""
    value = text(request, name)
    if not value:
        return default
    if not (value.isascii() and value.isdecimal() and len(value) < 12):
        raise ConfigurationError(f"{name}={value[:40]!r} is no number")
    return int(value)


async def fields(request: Request) -> dict[str, str]:
    """The fields of a form, the last value of each.

    Raises:
        ConfigurationError: It is larger than any of ours.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise ConfigurationError("a form of this page is never so large")
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=64)
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def page(request: Request, template: str, title: str, status: int = 200, **values: Any) -> Response:
    """A page of ours."""
    html = render(f"page/{template}", title=title, form_key=keys_of(request).form, **values)
    return HTMLResponse(html, status_code=status)


def sheet(table: Table) -> Response:
    """`table` as a file of comma separated values."""
    return Response(
        csv_text(table),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{table.name}.csv"'},
    )

"""How pages are answered: none that takes long holds up another."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tests.store.builders import an_episode, lane, new_store, open_lane, wait
from verbalrl.store import Store
from verbalrl.view.page.app import application
from verbalrl.view.page.asking import in_two, store_of
from verbalrl.view.page.guard import Keys

BASE = "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("steps", "words", "is_long"), [(200, 1, False), (201, 1, True), (3, 100_000, True)]
)
def test_what_is_long_is_told_by_its_steps(
    tmp_path: Path, steps: int, words: int, is_long: bool
) -> None:
    with new_store(tmp_path) as store:
        open_lane(store)
        made = an_episode(steps=steps)
        first = made.trajectory.steps[0].replace(feedback="wall " * words)
        trajectory = made.trajectory.replace(steps=(first, *made.trajectory.steps[1:]))
        wait(store.put_episode(made.replace(trajectory=trajectory)))
        assert store.is_long(made.id) is is_long
        assert not store.is_long("ep_none")


@pytest.mark.parametrize("sizes", [[290_000, 1, 400_000], [1] * 200 + [400_000]])
def test_what_is_long_is_read_no_further_than_that_takes(tmp_path: Path, sizes: list[int]) -> None:
    with new_store(tmp_path) as store:
        open_lane(store)
        made = an_episode(steps=len(sizes))
        steps = zip(made.trajectory.steps, sizes, strict=True)
        told = tuple(step.replace(feedback="x" * size) for step, size in steps)
        wait(store.put_episode(made.replace(trajectory=made.trajectory.replace(steps=told))))
        # What is longer than this cannot be read at all.
        store._read(lambda c: c.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 300_000))
        assert store.is_long(made.id)


def test_other_pages_are_answered_while_a_long_one_is_made(tmp_path: Path) -> None:
    """The first waits for an event that is only set once the second has been answered."""
    begun, answered = threading.Event(), threading.Event()

    def read(request: Request) -> Callable[[], Response]:
        count = len(store_of(request).runs())

        def make() -> Response:
            begun.set()
            assert answered.wait(30)
            return PlainTextResponse(f"{count} runs")

        return make

    with new_store(tmp_path) as store:
        open_lane(store, lane("run_one"))
        first, second = asyncio.run(both(store, read, begun, answered))
    assert (first.text, second.status_code) == ("1 runs", 200)
    assert "run_one" in second.text


async def both(
    store: Store,
    read: Callable[[Request], Callable[[], Response]],
    begun: threading.Event,
    answered: threading.Event,
) -> tuple[httpx.Response, httpx.Response]:
    keys = Keys()
    app = application(store, keys, 8123)
    app.add_route("/long", in_two(read, lambda _: True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        await client.get(f"/?token={keys.token}")
        long = asyncio.create_task(client.get("/long"))
        assert await asyncio.to_thread(begun.wait, 30)
        other = await client.get("/")
        answered.set()
        return await long, other


def test_a_long_episode_has_the_page_that_a_short_one_has(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        open_lane(store)
        made = an_episode(steps=201)
        wait(store.put_episode(made))
        html = asyncio.run(asked(store, f"/episodes/{made.id}"))
        missing = asyncio.run(asked(store, "/episodes/ep_none"))
    assert html.count("<section class=") == 201
    assert "there is no episode" in missing


async def asked(store: Store, path: str) -> str:
    keys = Keys()
    transport = httpx.ASGITransport(application(store, keys, 8123))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await client.get(f"/?token={keys.token}")
        return (await client.get(path)).text

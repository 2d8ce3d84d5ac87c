"""Several processes that follow one store on one Chroma server: none undoes what another makes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.memory.chroma_server import chroma_server
from tests.memory.following import (
    BRANCH,
    SCOPE,
    SPEC,
    ask,
    asked_until_it_serves,
    commit,
    far,
    recaller,
)
from tests.memory.ports import free_port
from verbalrl.memory import Recaller, describe, following
from verbalrl.memory.chroma import ChromaIndex
from verbalrl.memory.embed import HashEmbedder
from verbalrl.records import Usage
from verbalrl.store import Store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma_server(tmp_path_factory.mktemp("server"), free_port()) as found:
        yield found


def events(told: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage().split()[0] for r in told.records]


def collections(url: str, store: Store) -> list[str]:
    """How the generations of this store on the server end."""
    index = ChromaIndex(url, "vr-none")
    mine = f"vr-{store.vectors.store_id()[:8]}-"
    found = sorted(name.rpartition("-")[2] for name in index.names() if name.startswith(mine))
    index.close()
    return found


def test_the_generation_that_another_makes_is_not_made_twice(
    url: str, store: Store, told: pytest.LogCaptureFixture
) -> None:
    one, other = recaller(store, url), recaller(store, url)
    for made in (one, other):
        asked_until_it_serves(made, store, "topic7")
    lost = ChromaIndex(url, f"{far(one).key.rpartition(' ')[2]}-g1")
    lost.drop()
    for made in (one, other):
        ask(made, store, "topic7")
        asked_until_it_serves(made, store, "topic7")
        assert (far(made).reason, far(made).generation) == ("", 2)
    assert collections(url, store) == ["g2"]
    assert events(told).count("index.built") == 2
    commit(store, "zebra1")
    for made in (one, other):
        assert "rule zebra1" in ask(made, store, "zebra1").text
        made.close()
    assert describe(store)["indexes"][0]["rows"] == 11


def test_two_names_of_one_server_stay_apart(
    url: str, store: Store, told: pytest.LogCaptureFixture
) -> None:
    places = (url, url.replace("127.0.0.1", "localhost"))
    one, other = (recaller(store, place) for place in places)
    for made in (one, other, one, other):
        asked_until_it_serves(made, store, "topic7")
        assert "rule topic7" in ask(made, store, "topic7").text
    assert (far(one).generation, far(other).generation) == (1, 2)
    assert "index.stood_aside" not in events(told)
    assert collections(url, store) == ["g1", "g2"]
    one.close()
    other.close()


class Late(ChromaIndex):
    """Asks the server when another process has done its work there."""

    meanwhile: list[Callable[[], None]]

    def names(self) -> list[str]:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().names()


def test_who_comes_second_takes_what_the_first_has_made(
    url: str, store: Store, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other() -> None:
        first = recaller(store, url)
        asked_until_it_serves(first, store, "topic7")
        first.close()

    monkeypatch.setattr(following, "ChromaIndex", Late)
    monkeypatch.setattr(Late, "meanwhile", [other], False)
    made = recaller(store, url)
    asked_until_it_serves(made, store, "topic7")
    assert (far(made).reason, far(made).generation) == ("", 1)
    assert (collections(url, store), events(told).count("index.built")) == (["g1"], 1)
    made.close()


class Waiting(HashEmbedder):
    """Knows no zebra until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = threading.Event(), threading.Event()

    async def embed(self, texts: Sequence[str], /) -> tuple[Any, Usage]:
        if any("zebra" in text for text in texts):
            self.asked.set()
            await asyncio.to_thread(self.free.wait, 60)
        return await super().embed(texts)


@pytest.mark.slow
def test_what_is_being_made_is_not_made_anew_beside_it(
    url: str, store: Store, told: pytest.LogCaptureFixture
) -> None:
    commit(store, *(f"more{n}" for n in range(2000)))
    lessons = store.lessons(BRANCH, SCOPE)
    commit(store, "zebra1")
    waiting = Waiting()
    one, other = Recaller(store, waiting, f"chroma:{url}"), recaller(store, url)
    far(one).scan_below = 0
    shelf = one.pool(lessons, (), SPEC).shared
    asyncio.run(one.ranking(shelf, "topic7"))
    # The first pieces are in the collection, the last waits for its vector.
    assert waiting.asked.wait(60)
    asked_until_it_serves(other, store, "zebra1")
    waiting.free.set()
    assert far(one).wait(60)
    assert (far(one).reason, far(one).generation, far(other).generation) == ("", 1, 1)
    assert "index.stood_aside" not in events(told)
    assert describe(store)["indexes"][0]["rows"] == 2011
    one.close()
    other.close()

"""What an index stands aside for passes, and then it serves, from what is newest by then."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
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
    without_room,
)
from tests.memory.ports import free_port
from verbalrl.errors import ModelError
from verbalrl.memory import Recaller
from verbalrl.memory.embed import HashEmbedder
from verbalrl.memory.following import LOCK_NAME
from verbalrl.memory.sums import SUMS_NAME
from verbalrl.records import Usage
from verbalrl.store import Store
from verbalrl.store.locks import OwnerLock

HOLDER = """
import sys
from pathlib import Path
from verbalrl.store.locks import OwnerLock
lock = OwnerLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
sys.stdin.read()
"""


def events(told: pytest.LogCaptureFixture) -> list[str]:
    return [f"{r.levelname} {r.getMessage().split()[0]}" for r in told.records]


@contextmanager
def held(place: Path) -> Iterator[None]:
    """Another process has the folder open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place / LOCK_NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield
        # It ends when its input does.


def test_a_folder_that_another_process_closes_is_taken_over(
    store: Store, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    made = recaller(store, tmp_path / "i")
    with held(tmp_path / "i"):
        found = ask(made, store, "topic7")
        for _ in range(20):
            assert ask(made, store, "topic7") == found
        # Asked for the lock once more, after a second.
        time.sleep(1.1)
        assert ask(made, store, "topic7") == found
        assert far(made).wait(60)
        assert "another process has" in far(made).reason
        assert events(told) == ["WARNING index.stood_aside"]
    asked_until_it_serves(made, store, "topic7")
    assert (far(made).reason, far(made).generation) == ("", 1)
    assert ask(made, store, "topic7") == found
    assert events(told)[1:] == ["INFO index.built", "INFO index.took_over"]
    made.close()


def test_what_others_made_meanwhile_is_taken_over(store: Store, tmp_path: Path) -> None:
    first = recaller(store, tmp_path / "i")
    asked_until_it_serves(first, store, "topic7")
    late = recaller(store, tmp_path / "i")
    ask(late, store, "topic7")
    assert "another process has" in far(late).reason
    first.close()
    for sums in tmp_path.rglob(SUMS_NAME):
        sums.write_text("{}", "utf-8")
    commit(store, "zebra1")
    second = recaller(store, tmp_path / "i")
    asked_until_it_serves(second, store, "zebra1")
    assert far(second).generation == 2
    second.close()
    asked_until_it_serves(late, store, "zebra1")
    assert (far(late).reason, far(late).generation) == ("", 2)
    assert "rule zebra1" in ask(late, store, "zebra1").text
    late.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_comes_back_serves(
    store: Store, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    made = recaller(store, f"http://127.0.0.1:{port}")
    far(made).again_s = 0.0
    for _ in range(3):
        ask(made, store, "topic7")
        assert far(made).wait(60)
        assert far(made).reason
        time.sleep(0.5)
    assert events(told) == ["WARNING index.stood_aside"]
    with chroma_server(tmp_path / "server", port):
        # It rests for twenty times as long as its last attempt took.
        asked_until_it_serves(made, store, "topic7", 600)
        assert (far(made).reason, far(made).generation) == ("", 1)
        assert events(told)[1:] == ["INFO index.built", "INFO index.took_over"]
        made.close()


def test_a_store_that_cannot_be_written_for_a_moment_costs_no_generation(
    store: Store, tmp_path: Path
) -> None:
    made = recaller(store, tmp_path / "i")
    far(made).again_s = 0.0
    asked_until_it_serves(made, store, "topic7")
    with without_room(tmp_path / "store"):
        commit(store, "zebra1")
        assert "rule zebra1" in ask(made, store, "zebra1").text
        assert "no room" in far(made).reason
    asked_until_it_serves(made, store, "zebra1")
    assert (far(made).reason, far(made).generation) == ("", 1)
    made.close()


class Failing(HashEmbedder):
    """Knows no word for some texts while it is `down`."""

    down = False

    async def embed(self, texts: Sequence[str], /) -> tuple[Any, Usage]:
        if self.down and any("zebra" in text for text in texts):
            raise ModelError("the embedder is down")
        return await super().embed(texts)


def test_an_embedder_that_fails_leaves_the_scan(store: Store, tmp_path: Path) -> None:
    embedder = Failing()
    made = Recaller(store, embedder, f"chroma:{tmp_path / 'i'}")
    far(made).scan_below, far(made).again_s = 0, 0.0
    asked_until_it_serves(made, store, "topic7")
    lessons, embedder.down = store.lessons(BRANCH, SCOPE), True
    # The index follows what no prompt of this view needs.
    commit(store, "zebra1")
    shelf = made.pool(lessons, (), SPEC).shared
    assert asyncio.run(made.ranking(shelf, "topic7")).items
    assert "the embedder is down" in far(made).reason
    others = OwnerLock(tmp_path / "i" / LOCK_NAME)
    assert others.take()
    others.let_go()
    embedder.down = False
    asked_until_it_serves(made, store, "zebra1")
    assert far(made).reason == ""
    made.close()


def test_a_search_that_is_cancelled_gives_its_turn_back(store: Store, tmp_path: Path) -> None:
    made = recaller(store, tmp_path / "i")
    asked_until_it_serves(made, store, "topic7")
    follower, row = far(made), np.zeros(HashEmbedder().dim, dtype=np.float32)

    async def work() -> object:
        async def search() -> object:
            return await follower.search([SCOPE], row, 3, shelf.by_content)

        searches = [asyncio.create_task(search()) for _ in range(4)]
        await asyncio.sleep(0)
        for waiting in searches[1:]:
            waiting.cancel()
        await asyncio.wait(searches)
        return await asyncio.wait_for(search(), 20)

    shelf = made.pool(store.lessons(BRANCH, SCOPE), (), SPEC).shared
    assert asyncio.run(work())
    made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no alarm")
def test_a_look_ends_though_nobody_waits_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "verbalrl.memory.probe", str(tmp_path / "i"), "vr-x", "0"]
    done = subprocess.run([*command, "0.01"], check=False, timeout=60)
    assert done.returncode == -signal.SIGALRM

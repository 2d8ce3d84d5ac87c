"""What an event loop waits for: lessons are embedded in a thread, steady recall is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.serving.worlds import RULES, SCOPE, coach_of
from tests.wrap.doors import client
from tests.wrap.server import Server
from verbalrl.memory import HashEmbedder
from verbalrl.memory.review import review
from verbalrl.memory.transfer import Exported, import_lessons
from verbalrl.serving import Coach
from verbalrl.store import open_store

MATTERS = 60
SMALL = RULES.replace(tokens=200)
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "matter 7"}]}


async def filled(folder: Path) -> None:
    """Lessons of more tokens than a prompt may have, so that they are embedded."""
    texts = [f"Look matter {n} of the order up first." for n in range(MATTERS)]
    made = [Exported(scope=SCOPE, kind="behavior", instruction=text) for text in texts]
    with open_store(folder, create=True) as store:
        await import_lessons(store, made, "main")
        names = [lesson.id for lesson in store.current_lessons("main", scope=SCOPE)]
        await review(store, names, "approve", branch="main")


Embedded = list[tuple[int, bool]]
"""How many texts at once, and whether on the loop's thread."""


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Embedded:
    seen: Embedded = []
    rows, here = HashEmbedder.rows, threading.get_ident()

    def noted(self: HashEmbedder, texts: Sequence[str]) -> Any:
        seen.append((len(texts), threading.get_ident() == here))
        return rows(self, texts)

    monkeypatch.setattr(HashEmbedder, "rows", noted)
    return seen


async def of_client(coach: Coach, server: Server) -> None:
    # Not `async with`: nothing before the call can wait.
    with coach.episode("the order") as episode:
        wrapped = coach.wrap(client("AsyncOpenAI", server))
        await wrapped.chat.completions.create(**ASKED)
        await wrapped.close()
    assert "Look matter 7" in episode.guidance


async def of_episode(coach: Coach, server: Server) -> None:
    async with coach.episode("the order: matter 7") as episode:
        assert "Look matter 7" in episode.guidance


async def of_function(coach: Coach, server: Server) -> None:
    @coach.learns
    async def agent(question: str, guidance: str = "") -> str:
        return guidance

    assert "Look matter 7" in await agent("the order: matter 7")


@pytest.mark.parametrize("use", [of_client, of_episode, of_function])
def test_lessons_are_embedded_beside_the_loop(tmp_path: Path, use: Any, embedded: Embedded) -> None:
    async def twice() -> None:
        await filled(tmp_path)
        with Server() as server, coach_of(tmp_path, rules=SMALL) as coach:
            await use(coach, server)
            first = embedded.copy()
            embedded.clear()
            await use(coach, server)
            assert first[0] == (MATTERS, False)
            assert embedded == [first[-1]] == [(1, True)], "steady recall starts no thread"

    asyncio.run(twice())


def test_those_who_wait_wait_for_one_thread(tmp_path: Path, embedded: Embedded) -> None:
    async def many() -> None:
        await filled(tmp_path)
        with coach_of(tmp_path, rules=SMALL) as coach:
            waiting = [asyncio.create_task(coach.recall.ready()) for _ in range(5)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.gather(*waiting[1:])
            assert [n for n, _ in embedded if n > 1] == [MATTERS]

    asyncio.run(many())


def test_lessons_that_are_new_are_embedded_beside_the_loop_too(
    tmp_path: Path, embedded: Embedded
) -> None:
    async def learned() -> None:
        await filled(tmp_path)
        with coach_of(tmp_path, rules=SMALL) as coach:
            async with coach.episode("the order") as episode:
                assert episode.guidance
            coach.feedback(
                episode, text="do offer a refund when it broke", origin="operator", success=False
            )
            await coach.learn()
            embedded.clear()
            async with coach.episode("it broke") as episode:
                assert "offer a refund" in episode.guidance
            assert embedded[0] == (1, False)

    asyncio.run(learned())

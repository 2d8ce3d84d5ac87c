"""One search at a time, whichever loop it is of."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.memory.following import (
    BRANCH,
    PROMPTS,
    SCOPE,
    SPEC,
    asked_until_it_serves,
    commit,
    far,
    new_store,
    recaller,
)
from verbalrl.memory import Recaller
from verbalrl.memory.embed import HashEmbedder
from verbalrl.memory.turns import Turn
from verbalrl.records import Lesson


async def asked_together(made: Recaller, lessons: tuple[Lesson, ...]) -> list[str]:
    asks = (made.recall(lessons, (), SPEC, f"topic{n}", prompts=PROMPTS) for n in range(4))
    return [guidance.text for guidance in await asyncio.gather(*asks)]


@pytest.mark.parametrize("index", ["exact", "chroma"])
def test_runs_one_after_another_and_at_once_may_share_a_recaller(
    tmp_path: Path, index: str
) -> None:
    with new_store(tmp_path / "store") as store:
        commit(store, *(f"topic{n}" for n in range(10)))
        lessons = store.lessons(BRANCH, SCOPE)
        if index == "chroma":
            made = recaller(store, tmp_path / "i")
            asked_until_it_serves(made, store, "topic7")
        else:
            made = Recaller(store)
        found = [asyncio.run(asked_together(made, lessons)) for _ in range(2)]

        def other_thread() -> None:
            found.append(asyncio.run(asked_together(made, lessons)))

        threads = [threading.Thread(target=other_thread) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 6
        assert all(texts == found[0] for texts in found)
        made.close()


def test_only_one_has_the_turn_over_all_loops() -> None:
    turn, inside, most = Turn(), [0], [0]

    async def work() -> None:
        async with turn:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            await asyncio.sleep(0.001)
            inside[0] -= 1

    async def several() -> None:
        await asyncio.gather(*(work() for _ in range(5)))

    threads = [threading.Thread(target=asyncio.run, args=(several(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == ([0], [1])


def test_who_is_cancelled_takes_no_turn_away() -> None:
    async def work() -> list[str]:
        turn, had = Turn(), list[str]()

        async def take(name: str) -> None:
            async with turn:
                had.append(name)

        await turn.take()
        first, second, third = (asyncio.create_task(take(name)) for name in "abc")
        await asyncio.sleep(0)
        first.cancel()
        turn.give_back()
        # Its turn has come, and it is cancelled before it hears of that.
        second.cancel()
        await asyncio.wait_for(third, 20)
        await asyncio.gather(first, second, return_exceptions=True)
        return had

    assert asyncio.run(work()) == ["c"]


def test_a_loop_that_is_closed_holds_nobody_up() -> None:
    turn = Turn()
    waiting = turn.take()

    async def begin() -> None:
        waiting.send(None)

    asyncio.run(turn.take())
    asyncio.run(begin())
    turn.give_back()
    asyncio.run(asyncio.wait_for(turn.take(), 20))
    waiting.close()


def test_a_thread_keeps_the_turn_of_who_is_cancelled() -> None:
    turn, begun, free = Turn(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        free.wait(60)

    async def lent() -> None:
        async with turn:
            await turn.lend(work)

    async def several() -> None:
        first = asyncio.create_task(lent())
        await asyncio.to_thread(begun.wait, 60)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        second = asyncio.create_task(turn.take())
        assert not (await asyncio.wait([second], timeout=0.1))[0]
        free.set()
        await asyncio.wait_for(second, 60)
        turn.give_back()
        turn.join()

    asyncio.run(several())


def test_a_thread_that_never_began_keeps_nothing() -> None:
    turn, free, did = Turn(), threading.Event(), list[str]()

    async def lent() -> None:
        async with turn:
            await turn.lend(lambda: did.append("too late"))

    async def several() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        busy = asyncio.create_task(asyncio.to_thread(free.wait, 60))
        first = asyncio.create_task(lent())
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait_for(turn.take(), 20)
        free.set()
        await busy
        assert await turn.lend(lambda: 7) == 7
        turn.give_back()
        await asyncio.wait_for(turn.take(), 20)

    asyncio.run(several())
    assert did == []


class Slow:
    """A view whose looks take until it is let go on."""

    def __init__(self) -> None:
        self.looked, self.free = threading.Event(), threading.Event()

    def __contains__(self, content: object) -> bool:
        self.looked.set()
        self.free.wait(60)
        return True


def test_a_cancelled_search_keeps_its_turn_until_chroma_is_done(tmp_path: Path) -> None:
    with new_store(tmp_path / "store") as store:
        commit(store, *(f"topic{n}" for n in range(10)))
        made = recaller(store, tmp_path / "i")
        asked_until_it_serves(made, store, "topic7")
        slow, row = Slow(), np.ones(HashEmbedder().dim, dtype=np.float32)
        closing = threading.Thread(target=made.close)

        def search(view: Any) -> asyncio.Task[Any]:
            return asyncio.create_task(far(made).search([SCOPE], row, 3, view))

        async def several() -> None:
            first = search(slow)
            await asyncio.to_thread(slow.looked.wait, 60)
            first.cancel()
            await asyncio.wait([first])
            second = search({}.keys())
            assert not (await asyncio.wait([second], timeout=0.2))[0]
            closing.start()
            await asyncio.to_thread(closing.join, 0.2)
            assert closing.is_alive(), "it is not closed under a thread that reads it"
            slow.free.set()
            await asyncio.wait_for(second, 60)

        asyncio.run(several())
        closing.join(60)
        assert not closing.is_alive()


class Late(ThreadPoolExecutor):
    """Its threads begin late with what they cannot be relieved of any more."""

    def __init__(self) -> None:
        super().__init__(1)
        self.taken, self.free = threading.Event(), threading.Event()

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Any:
        def begin() -> Any:
            self.taken.set()
            self.free.wait(60)
            return fn(*args, **named)

        return super().submit(begin)


def test_a_thread_that_comes_too_late_leaves_the_turn_to_others() -> None:
    turn, late, done = Turn(), Late(), list[str]()

    async def lent() -> None:
        async with turn:
            await turn.lend(lambda: done.append("too late"))

    async def several() -> None:
        asyncio.get_running_loop().set_default_executor(late)
        first = asyncio.create_task(lent())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert late.taken.wait(60)
        first.cancel()
        await asyncio.wait([first])
        await asyncio.wait_for(turn.take(), 20)
        turn.join()
        late.free.set()
        late.shutdown()
        assert not done
        turn.give_back()

    asyncio.run(several())

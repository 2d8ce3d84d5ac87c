"""Work that is done side by side: begun in turn, ended together."""

import asyncio
from collections.abc import Coroutine, Iterator

import pytest

from verbalrl.lanes import together


def test_work_begins_one_piece_in_each_turn_of_the_loop() -> None:
    turn, began = [0], list[tuple[int, int]]()

    async def piece(n: int) -> int:
        began.append((turn[0], n))
        await asyncio.sleep(0.01)
        return n

    async def count() -> None:
        while True:
            turn[0] += 1
            await asyncio.sleep(0)

    async def run() -> None:
        counting = asyncio.create_task(count())
        assert await together(map(piece, range(8))) == list(range(8))
        counting.cancel()

    asyncio.run(run())
    assert [n for _, n in began] == list(range(8))
    assert len({at for at, _ in began}) == 8


def test_the_first_failure_ends_the_others_and_those_that_had_not_begun() -> None:
    begun = list[int]()

    async def piece(n: int) -> None:
        begun.append(n)
        if n == 1:
            raise LookupError("the second")
        await asyncio.sleep(10)

    with pytest.raises(LookupError, match="the second"):
        asyncio.run(_of(piece(n) for n in range(50)))
    assert len(begun) < 50


async def _of(work: Iterator[Coroutine[None, None, None]]) -> None:
    await together(work)

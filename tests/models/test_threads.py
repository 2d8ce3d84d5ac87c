"""Threads are bounded, given up when they do not return, counted, and never waited for."""

import asyncio
import sqlite3
import sys
import threading
import time
from typing import Any

import pytest

from verbalrl.errors import StuckThreadsError
from verbalrl.models import Workers


def call(function: Any) -> Any:
    async def run() -> Any:
        worker = Workers().worker()
        try:
            return await worker.call(function)
        finally:
            worker.end()

    return asyncio.run(run())


def test_one_worker_is_one_thread() -> None:
    async def run() -> int:
        worker = Workers().worker("environment")
        # sqlite3 refuses a connection that another thread made.
        connection = await worker.call(sqlite3.connect, ":memory:")
        found = await worker.call(lambda: connection.execute("select 7").fetchone()[0])
        await worker.call(connection.close)
        worker.end()
        return int(found)

    assert asyncio.run(run()) == 7


def test_errors_come_back_as_they_are() -> None:
    with pytest.raises(KeyError, match="x"):
        call(lambda: dict[str, int]()["x"])


@pytest.mark.parametrize("function", [lambda: sys.exit(3), lambda: next(iter(()))])
def test_what_would_break_the_loop_comes_back_as_an_error(function: Any) -> None:
    with pytest.raises(RuntimeError, match=r"SystemExit|StopIteration"):
        call(function)


async def stick(workers: Workers, release: threading.Event) -> None:
    worker = workers.worker()
    try:
        async with asyncio.timeout(0.01):
            await worker.call(release.wait)
    except TimeoutError:
        pass
    assert worker.is_stuck
    worker.end()


def test_four_stuck_threads_stop_everything_until_they_return() -> None:
    async def run() -> tuple[int, int]:
        workers, release = Workers(), threading.Event()
        for _ in range(4):
            await stick(workers, release)
        with pytest.raises(StuckThreadsError, match="4"):
            await workers.worker().call(time.monotonic)
        release.set()
        while workers.stuck:
            await asyncio.sleep(0.01)
        await workers.check()
        own = workers.worker()
        assert await own.call(lambda: 1) == 1
        own.end()
        return workers.stuck, workers.late

    assert asyncio.run(run()) == (0, 4)


def test_threads_are_bounded_by_kind() -> None:
    async def run() -> int:
        workers, peak, now = Workers(limit=2), 0, 0
        lock = threading.Lock()

        def work() -> None:
            nonlocal peak, now
            with lock:
                now += 1
                peak = max(peak, now)
            time.sleep(0.01)
            with lock:
                now -= 1

        async def one() -> None:
            worker = workers.worker()
            try:
                await worker.call(work)
            finally:
                worker.end()

        holder = workers.worker("environment")
        await holder.call(time.monotonic)
        await asyncio.gather(*(one() for _ in range(6)))
        holder.end()
        return peak

    assert asyncio.run(run()) == 2


def test_last_job_of_a_stuck_thread_runs_when_it_returns() -> None:
    async def run() -> bool:
        workers, release, closed = Workers(), threading.Event(), threading.Event()
        worker = workers.worker("environment")
        try:
            async with asyncio.timeout(0.01):
                await worker.call(release.wait)
        except TimeoutError:
            worker.end(last=closed.set)
        assert not closed.is_set()
        release.set()
        return await asyncio.to_thread(closed.wait, 60)

    assert asyncio.run(run())


def test_result_after_the_loop_closed_is_dropped() -> None:
    release, workers = threading.Event(), Workers()

    async def run() -> None:
        task = asyncio.create_task(workers.worker().call(release.wait))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
    assert workers.stuck == 1
    release.set()
    while not workers.late:
        time.sleep(0.01)
    assert (workers.stuck, workers.late) == (0, 1)

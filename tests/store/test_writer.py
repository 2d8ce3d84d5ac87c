"""One fsync for many rows, one failure for one caller, and no thread that hangs."""

import asyncio
import gc
import shutil
import sqlite3
import threading
from pathlib import Path
from weakref import WeakSet

import pytest

from tests.store.builders import (
    a_call,
    a_commit,
    a_run,
    add,
    an_episode,
    new_store,
    open_lane,
    wait,
)
from verbalrl.errors import StorageError
from verbalrl.store import Store, open_store
from verbalrl.store.locks import FileLock
from verbalrl.store.schema import FILE_NAME, connect
from verbalrl.store.store import LOCK_NAME
from verbalrl.store.writer import Writer


def test_one_append_alone_is_one_transaction(store: Store) -> None:
    async def append_ten() -> None:
        for i in range(10):
            await store.append(a_call(f"k{i}"))

    wait(append_ten())
    assert store._writer.transactions == 10


def test_concurrent_appends_share_transactions(store: Store) -> None:
    async def append_all() -> None:
        await asyncio.gather(*(store.append(a_call(f"k{i}")) for i in range(32)))

    wait(store.append(a_call("first")))
    before = store._writer.transactions
    wait(append_all())
    assert store._writer.transactions - before <= 3
    assert all(store.lookup(f"k{i}", 0) for i in range(32))


def test_what_arrives_during_a_commit_goes_into_the_next_together(store: Store) -> None:
    started, go = threading.Event(), threading.Event()

    def slow(_: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    async def run() -> None:
        first = asyncio.create_task(store._writer.put(slow))
        await asyncio.to_thread(started.wait, 10)
        appends = [asyncio.create_task(store.append(a_call(f"k{i}"))) for i in range(32)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *appends)

    wait(run())
    assert store._writer.transactions == 2


def test_those_who_wait_are_told_one_in_each_turn_in_their_order(store: Store) -> None:
    turns, heard = [0], list[tuple[int, int]]()
    started, go = threading.Event(), threading.Event()

    def slow(_: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    async def append(i: int) -> None:
        await store.append(a_call(f"k{i}"))
        heard.append((turns[0], i))

    async def count() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def run() -> None:
        first = asyncio.create_task(store._writer.put(slow))
        await asyncio.to_thread(started.wait, 10)
        appends = [asyncio.create_task(append(i)) for i in range(32)]
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *appends)
        counting.cancel()

    wait(run())
    assert [i for _, i in heard] == list(range(32))
    assert len({turn for turn, _ in heard}) == 32


def test_one_that_fails_takes_nobody_along(store: Store) -> None:
    branch = open_lane(store)

    async def run() -> list[object]:
        return await asyncio.gather(
            store.append(a_call("k1")),
            store.put_commit(a_commit(branch, 7, add("le_1"))),
            store.append(a_call("k1", reply='"other"')),
            store.put_episode(an_episode()),
            store._writer.put(lambda c: c.execute("INSERT INTO nowhere VALUES (1)")),
            store._writer.put(lambda c: [][1]),
            store.append(a_call("k2")),
            return_exceptions=True,
        )

    kinds = [type(outcome).__name__ for outcome in wait(run())]
    assert kinds == [
        "NoneType", "StorageError", "StorageError", "Episode", "StorageError", "IndexError",
        "NoneType",
    ]  # fmt: skip
    assert store.lookup("k1", 0) == a_call("k1")
    assert store.lookup("k2", 0) is not None


def test_cancelled_caller_leaves_a_whole_row(store: Store) -> None:
    async def run() -> None:
        task = asyncio.create_task(store.append(a_call("k1")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.append(a_call("k2"))

    wait(run())
    assert store.lookup("k1", 0) == a_call("k1")


def test_loop_that_ended_does_not_stop_the_writer(store: Store) -> None:
    started, go = threading.Event(), threading.Event()

    def slow(c: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    loop = asyncio.new_event_loop()
    task = loop.create_task(store._writer.put(slow))
    loop.run_until_complete(asyncio.sleep(0))
    started.wait(10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    go.set()
    wait(store.append(a_call("k")))
    assert store.lookup("k", 0) is not None


def test_a_store_does_not_keep_loops_that_ended(store: Store) -> None:
    loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    async def run(key: str) -> None:
        loops.add(asyncio.get_running_loop())
        await store.append(a_call(key))

    for n in range(5):
        asyncio.run(run(f"k{n}"))
    gc.collect()
    assert len(loops) <= 1  # the writer's thread may still be at the last
    assert len(store._writer._heralds) <= 1


def test_closing_writes_what_is_under_way(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    async def run() -> None:
        appends = [asyncio.create_task(store.append(a_call(f"k{i}"))) for i in range(50)]
        await asyncio.sleep(0)
        store.close()
        await asyncio.gather(*appends)

    wait(run())
    with open_store(tmp_path) as again:
        assert all(again.lookup(f"k{i}", 0) for i in range(50))


def test_threads_write_and_read_at_once(store: Store) -> None:
    open_lane(store)

    def work(n: int) -> None:
        for i in range(20):
            wait(store.append(a_call(f"{n}-{i}")))
            assert store.lookup(f"{n}-{i}", 0)
            assert store.runs()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.lookup(f"{n}-{i}", 0) for n in range(4) for i in range(20))


class Bug(BaseException):
    """What no item may raise."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_writer_that_dies_leaves_nobody_waiting(store: Store) -> None:
    def broken(_: sqlite3.Connection) -> None:
        raise Bug

    with pytest.raises(StorageError, match="has stopped"):
        wait(store._writer.put(broken))
    with pytest.raises(StorageError, match="closed"):
        store.create_run(a_run())


def test_lock_held_for_too_long_is_one_clear_line(tmp_path: Path) -> None:
    holder, waiter = FileLock(tmp_path / "l"), FileLock(tmp_path / "l", timeout=0.05)
    with (
        holder.hold(),
        pytest.raises(StorageError, match=r"writing to .* for 0\.05 s"),
        waiter.hold(),
    ):
        pass
    with waiter.hold():
        pass
    for lock in (holder, waiter):
        lock.close()


def limit(store: Store, extra: int | None) -> None:
    """Let the file grow by `extra` pages, or at will."""

    def work(c: sqlite3.Connection) -> None:
        pages: int = c.execute("PRAGMA page_count").fetchone()[0]
        most = 1_000_000 if extra is None else pages + extra
        c.execute(f"PRAGMA max_page_count = {most}")

    store._writer.do(work)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    with new_store(folder) as store:
        branch = open_lane(store)
        wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    return folder


def fill(store: Store) -> tuple[list[str], list[str]]:
    """Episodes and journal rows, four at a time, until the disk is full: (kept, messages)."""

    async def run() -> tuple[list[str], list[str]]:
        kept: list[str] = []
        refused: list[str] = []

        async def one(trial: int) -> None:
            episode = an_episode(trial=trial, steps=5)
            try:
                await store.append(a_call(f"k{trial}", request="x" * 1500))
                await store.put_episode(episode)
                kept.append(episode.id)
            except StorageError as error:
                refused.append(str(error))

        for first in range(0, 400, 4):
            await asyncio.gather(*(one(first + n) for n in range(4)))
            if refused:
                break
        return kept, refused

    return wait(run())


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_full_disk_loses_nothing_that_was_acknowledged(
    template: Path, tmp_path: Path, first: int
) -> None:
    for extra in range(first, first + 10):
        folder = tmp_path / str(extra)
        shutil.copytree(template, folder)
        with open_store(folder) as store:
            limit(store, extra)
            kept, refused = fill(store)
            assert refused
            assert all("no room left" in message for message in refused)
            stored = {e.id: e for e in store.episodes()}
            assert set(kept) <= set(stored)
            assert all(len(e.trajectory.steps) == 5 for e in stored.values())
            limit(store, None)
            again = an_episode(trial=999)
            wait(store.put_episode(again))
            wait(store.put_commit(a_commit("r1/learned/0", 1, add("le_2"))))
            assert store.episode(again.id) == again
        with sqlite3.connect(folder / FILE_NAME) as c:
            assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        c.close()


def test_batch_that_does_not_fit_is_written_as_far_as_it_fits(store: Store) -> None:
    branch = open_lane(store)
    big = a_call("big", request="x" * 400_000)

    async def run() -> tuple[object, object, object]:
        return await asyncio.gather(
            store.append(a_call("k1")),
            store.append(big),
            store.put_commit(a_commit(branch, 0, add("le_1"))),
            return_exceptions=True,
        )

    limit(store, 30)
    first, second, third = wait(run())
    assert first is None
    assert "no room left" in str(second)
    assert not isinstance(third, BaseException)
    assert store.lookup("k1", 0) is not None
    limit(store, None)
    wait(store.append(big))


def test_what_is_patient_outlasts_a_held_store_in_its_order(store: Store, tmp_path: Path) -> None:
    open_lane(store)
    store.close()
    file, lock = store.path / FILE_NAME, store.path / LOCK_NAME
    writer = Writer(file, lambda: connect(file), FileLock(lock, timeout=0.05))
    done: list[int] = []
    holder = FileLock(lock)
    with holder.hold():
        asked = [
            writer.post(lambda _, n=n: done.append(n), patient=n % 3 > 0)  # type: ignore[misc]
            for n in range(30)
        ]
        for future in asked[::3]:
            with pytest.raises(StorageError):
                future.result(10)
        assert not any(future.done() for n, future in enumerate(asked) if n % 3)
    for n, future in enumerate(asked):
        if n % 3:
            future.result(10)
    writer.close()
    holder.close()
    assert done == [n for n in range(30) if n % 3]

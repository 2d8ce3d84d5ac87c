"""What a busy event loop asks for is written together; an idle one waits for nothing."""

import asyncio
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.store.builders import a_call, new_store, wait
from verbalrl.errors import StorageError
from verbalrl.store import Store, open_store, writer

ROWS = 6
HELD_S = writer._HELD_S


@pytest.fixture(autouse=True)
def patient_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are held for as long as the loop is busy, on a slow machine too."""
    monkeypatch.setattr(writer, "_HELD_S", 60)


async def asked_while_busy(store: Store) -> list[asyncio.Future[None]]:
    """One row asked for in each of some turns of the loop, all of which take a while."""
    asked: list[asyncio.Future[None]] = []
    for n in range(ROWS):
        asked.append(asyncio.ensure_future(store.append(a_call(f"k{n}"))))
        await asyncio.sleep(0)
        time.sleep(0.002)
    return asked


def test_what_a_busy_loop_asks_for_is_one_transaction(store: Store) -> None:
    async def run() -> None:
        await asyncio.gather(*await asked_while_busy(store))

    before = store._writer.transactions
    wait(run())
    assert store._writer.transactions - before == 1
    assert all(store.lookup(f"k{n}", 0) for n in range(ROWS))


def test_nothing_is_held_for_longer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_HELD_S", 0.004)

    async def run() -> None:
        first = (await asked_while_busy(store))[0]
        for _ in range(500):
            if first.done():
                break
            await asyncio.sleep(0)
            time.sleep(0.002)

    before = store._writer.transactions
    wait(run())
    assert store._writer.transactions - before > 1


def test_an_idle_loop_hands_over_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_IDLE_TURN_S", 60)

    async def run() -> None:
        asked = asyncio.ensure_future(store.append(a_call("k")))
        await asyncio.sleep(0)
        assert store._writer._held
        await asyncio.sleep(0)
        assert not store._writer._held
        await asked

    wait(run())


def test_whoever_asks_outside_a_loop_is_behind_what_is_held(store: Store) -> None:
    done: list[int] = []

    async def run() -> None:
        held = store._writer.begin(lambda _: done.append(1))
        time.sleep(0.002)
        store._writer.do(lambda _: done.append(2))
        await held

    wait(run())
    assert done == [1, 2]


def test_closing_writes_what_is_held(tmp_path: Path) -> None:
    store = new_store(tmp_path)

    async def run() -> None:
        asked = await asked_while_busy(store)
        await asyncio.to_thread(store.close)
        await asyncio.gather(*asked)

    wait(run())
    with open_store(tmp_path) as again:
        assert all(again.lookup(f"k{n}", 0) for n in range(ROWS))


def test_what_a_loop_that_ended_had_asked_for_goes_with_the_next(store: Store) -> None:
    done: list[int] = []

    def ask() -> None:
        store._writer.begin(lambda _: done.append(1))
        loop.stop()

    loop = asyncio.new_event_loop()
    loop.call_soon(ask)
    # Nobody looks after this turn.
    loop.run_forever()
    loop.close()
    assert store._writer._held
    wait(store.append(a_call("k")))
    assert done == [1]


def test_rows_are_held_for_milliseconds() -> None:
    assert writer._IDLE_TURN_S < HELD_S <= 0.02


def test_a_transaction_stays_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_BATCH", 4)
    store._do(lambda _: None)
    before = store._writer.transactions

    async def run() -> None:
        await asyncio.gather(*(store.append(a_call(f"k{n}")) for n in range(40)))

    wait(run())
    assert store._writer.transactions - before >= 40 / 8


class Bug(BaseException):
    """What no item may raise."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_lets_go_of_what_is_held(store: Store) -> None:
    def broken(_: object) -> None:
        raise Bug

    async def run() -> None:
        held = store._writer.begin(lambda _: None)
        # Ahead of it, so that the thread ends before the loop looks.
        store._writer._queue.put([writer._Item(broken, Future())])
        thread = store._writer._thread
        assert thread is not None
        thread.join(10)
        with pytest.raises(StorageError, match="has stopped"):
            await asyncio.wait_for(held, 5)

    wait(run())


def test_whoever_asks_a_closed_store_hears_it(store: Store) -> None:
    store.close()

    async def run() -> None:
        await asyncio.wait_for(store.append(a_call("k")), 5)

    with pytest.raises(StorageError, match="closed"):
        wait(run())


def test_a_thread_that_cannot_start_is_an_error_of_the_caller(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        await asyncio.wait_for(store.append(a_call("k")), 5)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="new thread"):
            wait(run())
    wait(run())
    assert store.lookup("k", 0)

"""`ask` and `ask_sync` find their context, from threads too, and work without one."""

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest
from pydantic import BaseModel

from verbalrl.errors import ModelError
from verbalrl.models import (
    CallContext,
    DelayedModel,
    MemoryJournal,
    Message,
    Model,
    ScriptedModel,
    Slots,
    Workers,
    run_sync,
)


class Way(BaseModel):
    way: str


def context(journal: MemoryJournal | None = None) -> CallContext:
    return CallContext(journal or MemoryJournal(), Slots(), owner="ep_1", sample_seed=7)


def test_plain_script_needs_no_context() -> None:
    model = ScriptedModel(["north", {"way": "south"}, {"way": "east"}])
    assert model.ask_sync("Which way?") == "north"
    assert model.ask_sync("Which way?", schema=Way) == Way(way="south")
    assert model.ask_sync([Message(role="user", text="?")], schema={"type": "object"}) == {
        "way": "east"
    }
    assert model.requests[0].call_key == ""


def test_plain_script_gets_repairs_too() -> None:
    assert ScriptedModel(["no", {"way": "up"}]).ask_sync("?", schema=Way).way == "up"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_run_sync_works_in_a_forked_child() -> None:
    program = (
        "import os\n"
        "from verbalrl.models import ScriptedModel\n"
        "model = ScriptedModel(['one', 'two'])\n"
        "assert model.ask_sync('?') == 'one'\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(model.ask_sync('?') != 'two')\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    asked = [sys.executable, "-c", program]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_run_sync_works_under_a_running_loop() -> None:
    async def outer() -> str:
        return ScriptedModel(["north"]).ask_sync("Which way?")

    assert asyncio.run(outer()) == "north"


def test_run_sync_raises_what_the_coroutine_raises() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_sync(fail())


def test_ask_finds_the_ambient_context() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["north"])

    async def ask() -> str:
        with context(journal).active(step=3):
            return await model.ask("Which way?")

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["north", "north"]
    assert len(model.requests) == len(journal.records) == 1


@pytest.mark.parametrize("own_loop", [False, True])
def test_sync_code_in_a_thread_asks_through_the_run(own_loop: bool) -> None:
    journal = MemoryJournal()
    model = DelayedModel(ScriptedModel(["north", "south"]), seed=1)

    def agent() -> list[str]:
        if own_loop:
            return [asyncio.run(model.ask(q)) for q in ("a", "b")]
        return [model.ask_sync(q) for q in ("a", "b")]

    async def play() -> tuple[list[str], CallContext]:
        own, worker = context(journal), Workers().worker()
        with own.active(step=1):
            answers = await worker.call(agent)
        worker.end()
        return answers, own

    for replayed in (0, 2):
        answers, own = asyncio.run(play())
        assert answers == ["north", "south"]
        assert own.replayed == replayed
        assert own.usage["actor"].calls == 2


def test_ask_sync_on_the_loop_says_what_to_do() -> None:
    async def ask() -> str:
        with context().active():
            return ScriptedModel(["x"]).ask_sync("?")

    with pytest.raises(RuntimeError, match="write `await"):
        asyncio.run(ask())


def test_thread_that_waits_is_let_go_when_its_step_ends() -> None:
    model = DelayedModel(ScriptedModel(["x"]), seed=1, low=30, high=30)
    raised: list[BaseException] = []
    ended = threading.Event()

    def agent() -> None:
        try:
            model.ask_sync("?")
        except ModelError as error:
            raised.append(error)
            ended.set()

    async def play() -> Workers:
        workers = Workers()
        worker = workers.worker()
        with context().active():
            try:
                async with asyncio.timeout(0.05):
                    await worker.call(agent)
            except TimeoutError:
                pass
        worker.end()
        await asyncio.to_thread(ended.wait, 60)
        while workers.stuck:
            await asyncio.sleep(0.01)
        return workers

    workers = asyncio.run(play())
    assert len(raised) == 1
    assert (workers.stuck, workers.late) == (0, 1)


def test_late_ask_is_refused_and_never_asked() -> None:
    model = ScriptedModel(["x"])
    go, ended, raised = threading.Event(), threading.Event(), list[BaseException]()

    def late() -> None:
        go.wait()
        try:
            model.ask_sync("?")
        except ModelError as error:
            raised.append(error)
        ended.set()

    async def play() -> None:
        worker = Workers().worker()
        with context().active():
            task = asyncio.create_task(worker.call(late))
            await asyncio.sleep(0.01)
        go.set()
        await task
        worker.end()

    asyncio.run(play())
    assert "had ended" in str(raised[0])
    assert model.requests == []


def test_reordering_model_really_reorders() -> None:
    async def play(model: Model) -> None:
        async def one(n: int) -> None:
            own = CallContext(MemoryJournal(), Slots(), owner=f"ep_{n}", sample_seed=n)
            with own.active():
                await model.ask("?")

        await asyncio.gather(*(one(n) for n in range(8)))

    inner = ScriptedModel(lambda _: "x")
    model, again = (DelayedModel(inner, seed=5) for _ in range(2))
    asyncio.run(play(inner))
    asked = [r.call_key for r in inner.requests]
    started = time.monotonic()
    asyncio.run(play(model))
    assert time.monotonic() - started < 5
    assert sorted(model.order) == sorted(asked)
    assert model.order != asked
    asyncio.run(play(again))
    assert len(again.order) == 8

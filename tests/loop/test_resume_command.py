"""`verbalrl resume RUN` leads where `Learner.resume` leads; so does going on after Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.loop.doomed import has_episodes
from tests.loop.test_resume import ARMS, ROOT, Reached, Session, keys, reached, read, wait_until
from tests.loop.test_resume import REFLEXION as SCRIPT
from tests.loop.test_resume import whole as whole
from verbalrl import ChatAgent, Learner, Limits, load_model, load_task
from verbalrl.errors import LeaseError
from verbalrl.methods import reflexion
from verbalrl.models import DelayedModel
from verbalrl.store import open_store

REFLEXION = ("run", "gridnav-v1", "--method", "reflexion", "--trials", "3")
HANDBOOK = ("run", "triage-v1", "--method", "handbook", "--set", "round_size=8", "--trials", "2")
SLOTS = 4
CASES = pytest.mark.parametrize("command", [REFLEXION, HANDBOOK], ids=["reflexion", "handbook"])


def verbalrl(
    *arguments: str, store: Path, ends: tuple[int, int] | None = None
) -> subprocess.Popen[str]:
    """The command; with `ends` this signal meets it when its store holds so many episodes."""
    program = ["verbalrl"]
    if ends:
        program = ["tests.loop.doomed", *map(str, ends), str(store / "verbalrl.db")]
    return subprocess.Popen(
        [sys.executable, "-m", *program, *arguments, "--store", str(store), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> Reached:
    out, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return reached(json.loads(out), 0)


def paid(folder: Path) -> set[Any]:
    """The journal: what was asked, what was answered, in which generation."""
    return set(read(folder, "SELECT json_array(key, generation, request_sha, reply) FROM calls"))


def killed_along_the_way(command: tuple[str, ...], folder: Path, kills: int) -> None:
    whole = finished(verbalrl(*command, store=folder / "whole" / "store"))
    (total,) = read(folder / "whole", "SELECT count(*) FROM episodes")
    store, journal, asked = folder / "store", set[Any](), command
    for turn in range(1, kills + 1):
        ends = (signal.SIGKILL, total * turn // (kills + 1))
        process = verbalrl(*asked, store=store, ends=ends)
        process.communicate(timeout=600)
        assert process.returncode == -signal.SIGKILL
        assert journal <= paid(folder), "what was paid for is gone"
        journal = paid(folder)
        (run,) = read(folder, "SELECT id FROM runs")
        asked = ("resume", run[:8])
    assert finished(verbalrl(*asked, store=store)) == whole
    assert journal <= paid(folder)
    assert len(paid(folder)) == len(paid(folder / "whole"))
    assert read(folder, "SELECT max(generation) FROM calls") == [0]
    assert read(folder, "SELECT count(*) FROM episodes") == [total]
    assert read(folder, "SELECT status FROM runs") == ["done"]


@pytest.mark.slow
def test_resume_after_a_kill(tmp_path: Path) -> None:
    size = ("--instances", "4", "--train-instances", "8")
    killed_along_the_way((*HANDBOOK, "--model", "offline:apprentice", *size), tmp_path, 1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@CASES
def test_resume_after_ten_kills(tmp_path: Path, command: tuple[str, ...]) -> None:
    size = ("--instances", "24", "--seeds", "2")
    killed_along_the_way((*command, "--model", "offline:apprentice", *size), tmp_path, 10)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_says_how_to_go_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = (*REFLEXION, "--model", "offline:apprentice", "--instances", "12")
    whole = finished(verbalrl(*command, store=tmp_path / "whole" / "store"))
    process = verbalrl(*command, store=tmp_path / "store", ends=(number, 10))
    _, said = process.communicate(timeout=600)
    assert process.returncode == code, said
    (run,) = read(tmp_path, "SELECT id FROM runs")
    assert f"verbalrl resume {run}" in said
    assert read(tmp_path, "SELECT status FROM runs") == ["interrupted"]
    assert finished(verbalrl("resume", run, store=tmp_path / "store")) == whole


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_in_a_script_leaves_a_run_to_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    there = whole(SCRIPT, tmp_path / "whole")
    script = Session(SCRIPT, tmp_path, 0, most=there.calls - 1)
    file = tmp_path / "store" / "verbalrl.db"
    wait_until(lambda: has_episodes(file, 10), script.process)
    script.process.send_signal(signal.SIGINT)
    _, said = script.process.communicate(timeout=600)
    assert "KeyboardInterrupt" in said
    assert read(tmp_path, "SELECT status FROM runs") == ["interrupted"]
    (run,) = read(tmp_path, "SELECT id FROM runs")
    last = Session(SCRIPT, tmp_path, 1, run)
    figures = last.figures()
    asked = {*keys(script.calls), *keys(last.calls)}
    assert reached(figures, len(asked)) == there
    # An interruption is no kill: what was under way was given up, what was answered is kept.
    again = set(keys(script.calls)) & set(keys(last.calls))
    assert len(again) <= 8


def slow_learner(folder: Path) -> Learner:
    model = DelayedModel(load_model("offline:apprentice"), 3, 0.0, 0.01)
    return Learner(
        ChatAgent(model), method=reflexion(trials=3), store=folder, limits=Limits(concurrency=SLOTS)
    )


def test_a_cancelled_run_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    task, settings = load_task("gridnav-v1"), dict[str, Any]({"instances": 4, "arms": ARMS})
    whole = slow_learner(tmp_path / "whole").run_sync(task, **settings)
    learner = slow_learner(tmp_path / "store")

    async def interrupted() -> None:
        running = asyncio.ensure_future(learner.run(task, **settings))
        while (state := learner.progress()) is None or state.episodes_done < 10:
            await asyncio.sleep(0.002)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(interrupted())
    with open_store(tmp_path / "store") as store:
        (record,) = store.runs()
        assert record.status == "interrupted"
        done, journal = store.episodes(), paid(tmp_path)
        assert 10 <= len(done) < len(open_episodes(tmp_path / "whole"))
    resumed = slow_learner(tmp_path / "store").resume_sync(record.id, task)
    assert reached(resumed.figures, 0) == reached(whole.figures, 0)
    assert journal <= paid(tmp_path)
    assert {e.id for e in done} <= {e.id for e in open_episodes(tmp_path / "store")}


def open_episodes(folder: Path) -> tuple[Any, ...]:
    with open_store(folder) as store:
        return store.episodes()


def test_a_run_that_was_told_to_stop_goes_on(tmp_path: Path) -> None:
    task, settings = load_task("gridnav-v1"), dict[str, Any]({"instances": 6, "arms": ARMS})
    whole = slow_learner(tmp_path / "whole").run_sync(task, **settings)
    learner = slow_learner(tmp_path / "store")

    async def stopped() -> Any:
        running = asyncio.ensure_future(learner.run(task, **settings))
        while (state := learner.progress()) is None or state.episodes_done < 10:
            await asyncio.sleep(0.002)
        learner.stop("enough for today")
        return await running, state.episodes_done

    result, done = asyncio.run(stopped())
    # Those that were open end; those that only waited for their turn do not begin.
    assert done <= len(open_episodes(tmp_path / "store")) <= done + 2 * SLOTS
    assert result.figures["status"] == "stopped"
    assert result.figures["stop_reason"] == "enough for today"
    resumed = slow_learner(tmp_path / "store").resume_sync(result.run, task)
    assert reached(resumed.figures, 0) == reached(whole.figures, 0)
    assert resumed.figures["stop_reason"] == ""


def test_a_run_that_is_under_way_cannot_be_resumed(tmp_path: Path) -> None:
    task, settings = load_task("gridnav-v1"), dict[str, Any]({"instances": 4, "arms": ARMS})
    learner = slow_learner(tmp_path / "store")

    async def twice() -> None:
        running = asyncio.ensure_future(learner.run(task, **settings))
        while (state := learner.progress()) is None or state.episodes_done < 3:
            await asyncio.sleep(0.002)
        asked = set(read(tmp_path, "SELECT key FROM calls"))
        with pytest.raises(LeaseError, match="being changed by run_"):
            await slow_learner(tmp_path / "store").resume(state.run, task)
        assert asked <= set(read(tmp_path, "SELECT key FROM calls"))
        assert (await running).figures["status"] == "done"

    asyncio.run(twice())


def test_resuming_what_is_done_asks_nobody(tmp_path: Path) -> None:
    task, settings = load_task("gridnav-v1"), dict[str, Any]({"instances": 3, "arms": ARMS})
    first = slow_learner(tmp_path / "store").run_sync(task, **settings)
    journal = paid(tmp_path)
    again = slow_learner(tmp_path / "store").resume_sync(first.run, task)
    assert paid(tmp_path) == journal
    same = {k: v for k, v in first.figures.items() if k != "wall_s"}
    assert {k: v for k, v in again.figures.items() if k != "wall_s"} == same

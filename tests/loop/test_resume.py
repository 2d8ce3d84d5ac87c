"""A killed run goes on to the very memory it would have reached, and pays for nothing twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.loop.child import session

ROOT = Path(__file__).parents[2]
ARMS = ("none", "retry", "learned")
REFLEXION = {
    "task": "gridnav-v1",
    "method": "reflexion",
    "settings": {"trials": 3},
    "concurrency": 8,
    "run": {"instances": 8, "seeds": [0, 1], "arms": ARMS},
}
HANDBOOK = {
    "task": "triage-v1",
    "method": "handbook",
    "settings": {"trials": 2, "round_size": 8},
    "concurrency": 8,
    "run": {"instances": 8, "train_instances": 16, "seeds": [0, 1], "arms": ARMS},
}
TEAM = {
    "task": "trading-v1?horizon=6",
    "team": ["news", "momentum", "risk"],
    "method": "reflexion",
    "settings": {"trials": 2},
    "concurrency": 8,
    "run": {"instances": 4, "seeds": [0, 1], "arms": ["retry", "learned"]},
}
CASES = pytest.mark.parametrize(
    "case", [REFLEXION, HANDBOOK, TEAM], ids=["reflexion", "handbook", "team"]
)


class Reached(NamedTuple):
    """What a run came to, whatever its ids are."""

    digests: dict[str, Any]
    calls: int


def reached(figures: dict[str, Any], calls: int) -> Reached:
    digests = {
        name: (arm["memory_digest"], arm["episodes_digest"], arm["success_by_trial"])
        for name, arm in figures["arms"].items()
    }
    assert figures["status"] == "done"
    return Reached(digests, calls)


def whole(case: dict[str, Any], folder: Path) -> Reached:
    """The run without any interruption."""
    result = session({**case, "longest": 0.0}, folder / "store", folder / "calls.txt")
    assert sum(result.arms["learned"]["lessons"].values()) > 0
    return reached(result.figures, len(keys(folder / "calls.txt")))


def keys(calls: Path) -> list[str]:
    """The call keys that were asked for; the last line may be cut by a kill."""
    text = calls.read_text() if calls.exists() else ""
    return text.splitlines()[: text.count("\n")]


class Session:
    """One child process."""

    def __init__(
        self,
        case: dict[str, Any],
        folder: Path,
        turn: int,
        resume: str = "",
        most: int | None = None,
    ) -> None:
        self.calls, self.most = folder / f"calls-{turn}.txt", most
        given = {
            "case": case,
            "store": str(folder / "store"),
            "calls": str(self.calls),
            "resume": resume,
            "turn": turn,
            "most": most,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.loop.child", json.dumps(given)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background of a shell, SIGINT is ignored and handed down.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def kill(self) -> None:
        """SIGKILL as soon as it has asked for all that it is answered."""
        assert self.most is not None
        most = self.most
        wait_until(lambda: len(keys(self.calls)) >= most, self.process)
        self.process.kill()
        self.process.communicate()
        assert self.process.returncode == -9

    def figures(self) -> dict[str, Any]:
        """Of a session that is left alone."""
        out, error = self.process.communicate(timeout=600)
        assert self.process.returncode == 0, error
        found: dict[str, Any] = json.loads(out)
        return found


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 600
    while not ready():
        assert process.poll() is None, f"ended before its kill: {process.communicate()}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def read(folder: Path, sql: str) -> list[Any]:
    """What the store of a dead process holds."""
    with closing(sqlite3.connect(folder / "store" / "verbalrl.db")) as connection:
        return [row[0] for row in connection.execute(sql)]


def killed_again_and_again(case: dict[str, Any], folder: Path, calls: int, kills: int) -> Reached:
    """Kills after equal shares of the calls; checks after each what was paid for and kept."""
    asked: list[list[str]] = []
    journals: list[set[str]] = []
    run = ""
    for turn in range(kills):
        before = len({key for session in asked for key in session})
        goal = max(1, calls * (turn + 1) // (kills + 1) - before)
        child = Session(case, folder, turn, run, goal)
        child.kill()
        asked.append(keys(child.calls))
        journals.append(set(read(folder, "SELECT key FROM calls")))
        (run,) = read(folder, "SELECT id FROM runs") or [""]
        assert read(folder, "PRAGMA integrity_check") == ["ok"]
        assert read(folder, "SELECT status FROM runs") == ["running"]
    last = Session(case, folder, kills, run)
    figures = last.figures()
    asked.append(keys(last.calls))
    paid_once(asked, journals, case["concurrency"])
    return reached(figures, len({key for session in asked for key in session}))


def paid_once(asked: list[list[str]], journals: list[set[str]], concurrency: int) -> None:
    """No call is made twice but those under way at a kill."""
    for turn, calls in enumerate(asked):
        assert len(set(calls)) == len(calls), "asked twice in one session"
        later = {key for other in asked[turn + 1 :] for key in other}
        if turn < len(journals):
            assert not later & journals[turn], "asked again although it was journaled"
            assert len(set(calls) & later) <= concurrency


@CASES
def test_a_killed_run_reaches_the_same_memory(tmp_path: Path, case: dict[str, Any]) -> None:
    small = {"instances": 3, "seeds": [0]}
    if "train_instances" in case["run"]:
        small["train_instances"] = 6
    case = {**case, "run": {**case["run"], **small}}
    (tmp_path / "whole").mkdir()
    there = whole(case, tmp_path / "whole")
    assert killed_again_and_again(case, tmp_path, there.calls, 1) == there


@pytest.mark.slow
@pytest.mark.timeout(900)
@CASES
def test_a_run_that_is_killed_ten_times_reaches_the_same_memory(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    (tmp_path / "whole").mkdir()
    there = whole(case, tmp_path / "whole")
    assert killed_again_and_again(case, tmp_path, there.calls, 10) == there

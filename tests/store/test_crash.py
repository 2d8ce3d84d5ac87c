"""Killed at any moment, a store has all that was acknowledged, and nothing by halves."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import lane
from verbalrl.store import open_store
from verbalrl.store.lessons import replay
from verbalrl.store.schema import FILE_NAME

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def drive(mode: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.crash_driver", mode, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_forty_kills_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    acknowledged = drive("random", tmp_path)["acknowledged"]
    assert len(acknowledged) > 40, "too few writes to say anything"
    branch = lane().branch
    with open_store(tmp_path) as store:
        for line in acknowledged:
            kind, name = line.split(" ")
            row = store.lookup(name, 0) if kind == "call" else getattr(store, kind)(name)
            assert row is not None, line
        for episode in store.episodes():
            assert len(episode.trajectory.steps) == 4
            assert [len(g.uses) for g in episode.guidance.values()] == [2, 0]
        assert all(c.episodes for c in store.critiques())
        lessons = store.current_lessons(branch)
        assert lessons == replay(store.updates(branch, "s"), "s")
        assert len(lessons) == 3 * store.revision(branch, "s")
        with store.acquire_lease(branch, "after"):
            pass
    with sqlite3.connect(tmp_path / FILE_NAME) as c:
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert c.execute("PRAGMA foreign_key_check").fetchall() == []
    c.close()
    assert not list(tmp_path.glob("alive-*"))


def test_kill_at_every_statement_of_a_commit(tmp_path: Path) -> None:
    found = drive("statements", tmp_path)
    assert found["wrong"] == []
    assert found["exit"] == 0
    assert found["kills"] >= 25
    assert found["absent"] == found["kills"]
    assert found["present"] == 1


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    found = drive("two", tmp_path)
    assert found["codes"] == [0] * 9
    assert found["rows"] == 6 * 100
    # They wait for each other no longer than for the disk; seconds would measure the machine.
    assert min(found["times_one"]) < 4

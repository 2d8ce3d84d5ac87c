"""Killed while store and index grow: nothing acknowledged is lost, and recall goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


def drive(folder: Path, index: str, processes: int, kills: int) -> dict[str, Any]:
    arguments = [str(folder), index, str(processes), str(kills)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.crash_driver", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def judge(told: dict[str, Any]) -> None:
    assert told["acknowledged"] > 3
    assert told["lost"] == []
    assert told["missed"] == []
    assert told["not_recalled"] == []
    assert told["died_otherwise"] == []
    assert told["why_not_index"] == ""
    assert told["damage"] == "ok"


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    judge(drive(tmp_path, "exact", 2, 4))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("processes", [2, 8])
@pytest.mark.parametrize("index", ["exact", "chroma"])
def test_fifty_kills_lose_nothing(tmp_path: Path, index: str, processes: int) -> None:
    judge(drive(tmp_path, index, processes, 50))

"""Several processes write lessons to one store: nothing is lost, and nothing is there twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def driver(mode: str, folder: Path, *amounts: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.proposing", mode, str(folder), *map(str, amounts)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_lesson_of_eight_processes_is_one_row_with_eight_supports(tmp_path: Path) -> None:
    found = driver("together", tmp_path / "store")
    assert found == {"codes": [0] * 8, "rows": 1, "supports": 8, "episodes": 8, "versions": 8}


def test_killed_writers_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    found = driver("killed", tmp_path / "store", 2, 20)
    assert found["lost"] == 0
    assert found["acknowledged"] >= found["kills"] == 20


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.parametrize("processes", [2, 8])
def test_fifty_killed_writers_lose_nothing(tmp_path: Path, processes: int) -> None:
    found = driver("killed", tmp_path / "store", processes, 50)
    assert found["lost"] == 0
    assert found["acknowledged"] >= found["kills"] * (processes - 1)
    assert found["kills"] == 50

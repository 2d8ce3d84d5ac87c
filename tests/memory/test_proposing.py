"""Several processes write lessons to one store: nothing is lost, and nothing is there twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def driver(mode: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.proposing", mode, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_lesson_of_eight_processes_is_one_row_with_eight_supports(tmp_path: Path) -> None:
    found = driver("together", tmp_path / "store")
    assert found == {"codes": [0] * 8, "rows": 1, "supports": 8, "episodes": 8, "versions": 8}


def test_killed_writers_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    found = driver("killed", tmp_path / "store")
    assert found["lost"] == 0
    assert found["acknowledged"] >= 20

"""SIGKILL at every statement of one stage of a whole run: the stage is there wholly or not at all,
and the resumed run reaches the same memory without a second call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_resume import ROOT

ROUND = {
    "task": "triage-v1",
    "method": "handbook",
    "settings": {"trials": 2, "round_size": 8},
    "run": {"instances": 1, "train_instances": 8},
    "stage": "commit",
    "nth": 2,
}
REFLECTION = {
    "task": "gridnav-v1",
    "method": "reflexion",
    "settings": {"trials": 4},
    "run": {"instances": (3, 4)},
    "stage": "commit",
    "nth": 2,
}


def killed(case: dict[str, Any], folder: Path, step: int = 1) -> dict[str, Any]:
    """What the driver found."""
    given = json.dumps({"case": case, "folder": str(folder), "step": step})
    done = subprocess.run(
        [sys.executable, "-m", "tests.loop.commit_driver", given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit"] == 0, done.stderr
    assert found["wrong"] == []
    assert found["updates"][case["nth"] - 1] >= 2, "a commit of next to nothing"
    return found


def test_kill_at_some_statements_of_a_commit(tmp_path: Path) -> None:
    assert killed(REFLECTION, tmp_path, step=9)["kills"] == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("case", "stage", "statements"),
    [
        (ROUND, "commit", 9),
        (REFLECTION, "commit", 9),
        # One lane only: where others run beside it, their calls are under way.
        (REFLECTION, "critique", 4),
        (REFLECTION, "episode", 6),
    ],
    ids=["round", "reflection", "critique", "episode"],
)
def test_kill_at_every_statement_of_a_stage(
    tmp_path: Path, case: dict[str, Any], stage: str, statements: int
) -> None:
    found = killed({**case, "stage": stage}, tmp_path)
    # Whole or absent: two states, and the one with it is that of the very last death alone.
    assert found["states"] == [found["kills"] - 1, 1]
    assert found["kills"] > statements

"""The method of one's own does what its text says."""

from __future__ import annotations

import itertools
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.loop.world import safes
from tests.methods.world import acts, roles, tell
from verbalrl.methods import check_method

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_it_runs_as_its_reader_would_run_it(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "custom_method.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert "learned" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_commonest_answer_is_handed_in(tmp_path: Path) -> None:
    vote: Any = runpy.run_path(str(EXAMPLES / "custom_method.py"))["Vote"]
    colours = itertools.cycle(("red", "green", "green"))
    told = tell(
        tmp_path, vote(), lambda _: acts(next(colours)), lambda _: {}, safes("green", max_steps=1)
    )
    assert roles(told) == ["actor"] * 3
    (handed_in,) = (e for e in told.episodes if e.spec.purpose == "attempt")
    assert (handed_in.answer, handed_in.success) == ("green", True)
    assert len(handed_in.spec.selected_from) == 3
    check_method(vote(searches=2))

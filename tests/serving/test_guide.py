"""The example in the guide to serving runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.loop.test_resume import ROOT


def test_the_guide_can_be_tried_without_a_server(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    section = guide.split("## Without a server", 1)[1]
    program = tmp_path / "tried.py"
    program.write_text(section.split("```py\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    asked = [sys.executable, str(program)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("learned from 1 episode;") == 2
    assert done.stdout.count("lessons: 1 add") == 2
    assert done.stdout.count("When something arrives broken: Refund the order.") == 2

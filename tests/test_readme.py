"""What the README and the examples show, runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
SHOWN = re.findall(r"^```text\n(.*?)^```$", README, re.M | re.S)


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_readme_prints_what_it_says(block: str, tmp_path: Path) -> None:
    printed = columns(run("-c", block, folder=tmp_path))
    for line in columns("".join(SHOWN)):
        assert any(found[: len(line)] == line for found in printed), line


def columns(text: str) -> list[list[str]]:
    """The cells of each line, without the ids of episodes, which are new in every run."""
    lines = re.sub(r"ep_\S+", "ep_", text).splitlines()
    return [re.split(r"  +", line) for line in lines]


def test_a_plain_function_learns(tmp_path: Path) -> None:
    out = run(str(ROOT / "examples" / "wrap_function.py"), "24", folder=tmp_path)
    none, learned = (
        float(re.search(rf"^{arm}\s+([\d.]+)", out, re.M)[1])  # type: ignore[index]
        for arm in ("none", "learned")
    )
    assert learned - none >= 0.2


def test_a_task_of_ones_own_runs(tmp_path: Path) -> None:
    task = str(ROOT / "examples" / "my_task")
    common = ("--model", "offline:apprentice", "--instances", "3", "--trials", "2")
    out = run("-m", "verbalrl", "run", task, "--trust-code", *common, folder=tmp_path)
    assert "learned" in out

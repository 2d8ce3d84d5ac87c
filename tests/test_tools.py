"""The small tools of the repository: the lock, the benchmark index."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from tools import picture

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_picture_of_a_report_is_made_small(tmp_path: Path) -> None:
    if not any(map(shutil.which, picture.BROWSERS)):
        pytest.skip("chromium and chromium-driver are not installed")
    target = tmp_path / "report.png"
    picture.picture(target, "--instances", "4", "--trials", "2")
    assert target.read_bytes().startswith(b"\x89PNG")
    assert 10_000 < target.stat().st_size < 150_000


def test_lock_holds_exact_pins_and_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.match(r"^[a-z0-9.-]+==[\w.]+( ; .+)?$", pin)] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_what_takes_minutes_is_told_before_it_begins(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    asked = ["make", "-n", "demo"]
    lines = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "few minutes" in lines.partition("pip")[0]


def test_what_the_examples_write_is_ignored() -> None:
    asked = ["git", "check-ignore", "fincon.html", "fincon-without-control.html", "docs/fincon.md"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("this is no checkout")
    assert done.stdout.split() == ["fincon.html", "fincon-without-control.html"]


def test_every_benchmark_says_what_it_measures() -> None:
    assert all(benchmarks.index().values())


def test_unknown_benchmark_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks.main(["nothing"]) == 2
    assert "no such benchmark: nothing" in capsys.readouterr().err

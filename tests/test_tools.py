"""The small tools of the repository: the lock, the benchmark index."""

import re
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks

ROOT = Path(__file__).resolve().parents[1]


def test_lock_holds_exact_pins_and_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.match(r"^[a-z0-9.-]+==[\w.]+( ; .+)?$", pin)] == []


def test_every_benchmark_says_what_it_measures() -> None:
    assert all(benchmarks.index().values())


def test_unknown_benchmark_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks.main(["nothing"]) == 2
    assert "no such benchmark: nothing" in capsys.readouterr().err

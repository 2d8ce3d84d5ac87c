"""The small tools of the repository: README commands, the lock, the benchmark index."""

import re
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from tools import readme

ROOT = Path(__file__).resolve().parents[1]


def test_readme_commands_are_the_sh_blocks() -> None:
    markdown = "a\n```sh\nmake demo\n```\n```console\n$ no\n```\n```sh\nverbalrl tasks\n```\n"
    assert readme.commands(markdown) == "make demo\nverbalrl tasks\n"


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

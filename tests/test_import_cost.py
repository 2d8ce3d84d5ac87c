"""Importing verbalrl, or asking the command line for help, loads nothing heavy."""

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {
    "anthropic", "chromadb", "gymnasium", "httpx", "httpx2", "numpy", "openai", "rich", "structlog",
}  # fmt: skip
MODULES = {"verbalrl": 0.1, "verbalrl.cli": 0.2}


def _loaded(module: str) -> set[str]:
    code = f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def _cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("module", MODULES)
def test_import_loads_nothing_heavy(module: str) -> None:
    assert _loaded(module) & HEAVY == set()


@pytest.mark.slow
@pytest.mark.parametrize(("module", "budget"), MODULES.items())
def test_import_stays_within_its_cpu_budget(module: str, budget: float) -> None:
    bare = min(_cpu_seconds("pass") for _ in range(5))
    assert min(_cpu_seconds(f"import {module}") for _ in range(5)) - bare < budget

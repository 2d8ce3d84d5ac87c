"""Importing verbalrl, or asking the command line for help, loads nothing heavy."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "anthropic", "chromadb", "gymnasium", "httpx", "httpx2", "mcp", "numpy", "openai", "rich",
    "structlog",
}  # fmt: skip
LEARNER = "import verbalrl as v; v.Learner(v.ChatAgent(v.ScriptedModel([])))"
HELP = "import sys; sys.argv[1:] = ['--help']; from verbalrl.__main__ import run; run()"
YARDSTICK = "import pydantic; pydantic.BaseModel"
"""What every cost is compared with, in the same run: seconds would measure the machine."""

SHARES = {"import verbalrl": 0.25, HELP: 1.3, LEARNER: 4.7}
"""A quarter above what they were when this was written: up to 0.16, 1.02 and 3.8."""


def _loaded(code: str) -> set[str]:
    code = f"{code}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _cpu_seconds(code: str, cache: Path) -> float:
    # Compiled once, as an installed package is: else the state of this checkout would be measured.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(cache)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=env, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("code", SHARES)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert _loaded(code) & HEAVY == set()


def test_a_learner_loads_no_environment_and_no_sandbox() -> None:
    loaded = _loaded(LEARNER)
    assert not {m for m in loaded if m.startswith(("verbalrl.sandbox", "verbalrl.tasks.datasets."))}
    assert "verbalrl.tasks.gridnav" not in loaded


def test_a_learner_loads_no_template_engine_no_method_and_no_database() -> None:
    loaded = _loaded(LEARNER)
    assert not {"jinja2", "verbalrl.store.store", "verbalrl.methods.base"} & loaded


@pytest.mark.slow
def test_the_cost_stays_within_its_share_of_one_import(tmp_path: Path) -> None:
    # In turn, so that what else the machine does meets all of them; the first turn compiles.
    codes = ("pass", YARDSTICK, *SHARES)
    turns = [[_cpu_seconds(code, tmp_path) for code in codes] for _ in range(10)]
    bare, yardstick, *ours = map(min, zip(*turns, strict=True))
    cost = dict(zip(SHARES, ours, strict=True))
    shares = {code: (cost[code] - bare) / (yardstick - bare) for code in SHARES}
    assert not {code: share for code, share in shares.items() if share >= SHARES[code]}, shares

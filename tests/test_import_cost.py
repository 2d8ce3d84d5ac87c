"""Importing verbalrl, or asking the command line for help, loads nothing heavy."""

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {
    "anthropic", "chromadb", "gymnasium", "httpx", "httpx2", "mcp", "numpy", "openai", "rich",
    "structlog",
}  # fmt: skip
LEARNER = "import verbalrl as v; v.Learner(v.ChatAgent(v.ScriptedModel([])))"
YARDSTICK = "import pydantic; pydantic.BaseModel"
"""What every cost is compared with, in the same run: seconds would measure the machine."""

SHARES = {"import verbalrl": 0.6, "import verbalrl.cli": 1.2, LEARNER: 8.0}


def _loaded(code: str) -> set[str]:
    code = f"{code}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def _cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("code", SHARES)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert _loaded(code) & HEAVY == set()


def test_a_learner_loads_no_environment_and_no_sandbox() -> None:
    loaded = _loaded(LEARNER)
    assert not {m for m in loaded if m.startswith(("verbalrl.sandbox", "verbalrl.tasks.datasets."))}
    assert "verbalrl.tasks.gridnav" not in loaded


@pytest.mark.slow
@pytest.mark.parametrize(("code", "share"), SHARES.items())
def test_the_cost_stays_within_its_share_of_one_import(code: str, share: float) -> None:
    # In turn, so that what else the machine does meets all three.
    rounds = [[_cpu_seconds(c) for c in ("pass", YARDSTICK, code)] for _ in range(7)]
    bare, yardstick, ours = map(min, zip(*rounds, strict=True))
    assert ours - bare < share * (yardstick - bare)

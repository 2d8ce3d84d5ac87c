"""Importing verbalrl, or asking the command line for help, loads nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "anthropic", "chromadb", "gymnasium", "httpx", "httpx2", "mcp", "numpy", "openai", "rich",
    "structlog",
}  # fmt: skip
LEARNER = "import verbalrl as v; v.Learner(v.ChatAgent(v.ScriptedModel([])))"
HELP = "import sys; sys.argv[1:] = ['--help']; from verbalrl.__main__ import run; assert not run()"
YARDSTICK = "import pydantic; pydantic.BaseModel"
"""What every cost is compared with."""

SHARES = {"import verbalrl": 0.125, HELP: 1.3, LEARNER: 6.0}
"""A seventh above what they were when this was written: 0.11, 1.13 and 5.3."""

COUNTED = """
import sys
calls = 0
def count(frame, event, arg):
    global calls
    calls += event in ("call", "c_call")
sys.setprofile(count)
try:
    exec(sys.argv.pop(1), {"__name__": "counted"})
finally:
    sys.setprofile(None)
    print(calls, file=sys.stderr)
"""


def _loaded(code: str) -> set[str]:
    code = f"{code}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _calls(code: str) -> int:
    """Calls of functions that `code` makes.

    They are the same at every run: the share of CPU of one import was 3.9 and 4.6 within a minute.
    """
    command = [sys.executable, "-c", COUNTED, code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stderr.splitlines()[-1])


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


def test_the_cost_stays_within_its_share_of_one_import() -> None:
    yardstick = _calls(YARDSTICK)
    shares = {code: _calls(code) / yardstick for code in SHARES}
    assert not {code: share for code, share in shares.items() if share >= SHARES[code]}, shares

"""What built-in tasks say of answers that do not run or return nothing."""

from __future__ import annotations

import pytest

from verbalrl import load_task
from verbalrl.records import Action
from verbalrl.tasks import Fruitless, RenamedTask, Task

BROKEN = {
    "text2sql-v1": ("select nothing from nowhere", "select 1 where 1 = 0"),
    "codefix-v1": ("no program at all",),
    "triage-v1": ("hand to nobody",),
}
RUNS = {"text2sql-v1": "select 1", "triage-v1": "hand to Cobalt team"}


def tried(task: Task, answer: str) -> str:
    environment = task.environment(task.instances("train", 0, 1)[0])
    environment.reset(0)
    seen: str = environment.execute(Action(text=answer))  # type: ignore[attr-defined]
    return seen


@pytest.mark.parametrize(("name", "answer"), [(n, a) for n, given in BROKEN.items() for a in given])
def test_what_does_not_run_or_returns_nothing_is_fruitless(name: str, answer: str) -> None:
    seen = tried(load_task(name), answer)
    assert isinstance(seen, Fruitless)
    assert seen


@pytest.mark.parametrize("name", RUNS)
def test_what_runs_is_not(name: str) -> None:
    assert not isinstance(tried(load_task(name), RUNS[name]), Fruitless)


def test_renaming_keeps_it() -> None:
    renamed = RenamedTask(load_task("triage-v1"), seed=1)
    assert isinstance(tried(renamed, "hand to nobody"), Fruitless)

"""HumanEval and MBPP files: answers are run, and what passes has been checked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.tasks import files
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action, Instance, StepResult
from verbalrl.sandbox import sandbox
from verbalrl.tasks import Task, check_task, load_task

needs_sandbox = pytest.mark.skipif(
    not any(tier.closed for tier in sandbox().tiers), reason="no sandbox on this machine"
)
ROWS = {
    "humaneval": lambda count: files.humaneval(count),
    "humaneval, real": lambda count: files.real(),
    "mbpp": lambda count: files.mbpp(count),
    "mbpp, MultiPL-E": lambda count: files.multipl(count),
}


def made(kind: str, folder: Path, count: int = 6) -> tuple[Task, list[Instance]]:
    path = files.lines(folder / "code.jsonl", ROWS[kind](count))
    task = load_task(f"{kind.partition(',')[0]}:{path}")
    return task, [i for s in ("train", "test") for i in task.instances(s, 0, 5000)]


def judged(task: Task, instance: Instance, text: str) -> StepResult:
    environment = task.environment(instance)
    environment.reset(0)
    return environment.step(Action(text=text))


def solution(instance: Instance) -> str:
    if instance.answers:
        return instance.answers[0]
    number = str(instance.data["text"]).split("Multiply by ")[1].split(".")[0]
    return f"def times(x):\n    return x * {number}\n"


@needs_sandbox
@pytest.mark.parametrize("kind", ROWS)
def test_own_solutions_pass_and_what_is_none_does_not(kind: str, tmp_path: Path) -> None:
    task, found = made(kind, tmp_path)
    for instance in found:
        assert judged(task, instance, solution(instance)).success is True
        for text in ("", "pass", f"{instance.data['prompt']}\n    import os; os._exit(0)"):
            result = judged(task, instance, text)
            assert (result.success, result.reward) == (False, 0.0)


@needs_sandbox
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_164_own_solutions_pass_through_the_loop_and_empty_answers_do_not(tmp_path: Path) -> None:
    task, found = made("humaneval", tmp_path, 164)
    answers = {str(i.data["text"]): i.answers[0] for i in found}

    def model(request: Request) -> Mapping[str, Any]:
        text = "\n".join(m.text for m in request.messages)
        shown = text.rsplit("<observation>\n", 1)[1].split("\n</observation>")[0]
        return {"action": answers[shown]}

    def rate(scripted: Any) -> float:
        learner = vrl.Learner(vrl.ChatAgent(ScriptedModel(scripted)))
        arms = learner.run_sync(task, instances=164, trials=1, arms=("none",)).arms
        return float(arms["none"]["success_rate"])

    assert len(found) == 164
    assert rate(model) == 1.0
    assert rate(lambda _: {"action": ""}) == 0.0


@needs_sandbox
@pytest.mark.parametrize("kind", ["humaneval", "mbpp"])
def test_they_keep_the_contract(kind: str, tmp_path: Path) -> None:
    check_task(made(kind, tmp_path, 3)[0])


@needs_sandbox
def test_an_answer_may_be_a_function_a_fence_or_the_rest_of_the_prompt(tmp_path: Path) -> None:
    task, found = made("humaneval", tmp_path)
    instance = next(i for i in found if "add_3" in str(i.data["text"]))
    for text in (
        "def add_3(x):\n    return x + 3",
        "It is:\n```python\ndef add_3(x):\n    return x + 3\n```\nas asked.",
        "    y = x\n    return y + 3",
        "y = x\n    return y + 3",
    ):
        assert judged(task, instance, text).success is True
    wrong = judged(task, instance, "def add_3(x):\n    return x")
    assert wrong.feedback == "Wrong: add_3(1) returns 1."
    assert f"sandbox.{sandbox().tiers[0].name}" in wrong.components
    always = "class E:\n    __eq__ = lambda *_: True\n\n\ndef add_3(x):\n    return E()"
    assert judged(task, instance, always).success is False


@needs_sandbox
def test_a_test_that_is_never_reached_passes_nobody(tmp_path: Path) -> None:
    rows = files.humaneval(3)
    rows[0]["test"] = "def check(candidate):\n    if False:\n        assert candidate(1) == 1\n"
    rows[1]["test"] = "def check(candidate):\n    assert True\n"
    task = load_task(f"humaneval:{files.lines(tmp_path / 'code.jsonl', rows)}")
    for instance in (i for s in ("train", "test") for i in task.instances(s, 0, 9)):
        is_last = "add_2" in str(instance.data["text"])
        assert judged(task, instance, solution(instance)).success is is_last


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"code": "class P: ...\ndef g(p):\n    return 1", "test_list": ["assert g(P()) == 1"]},
            "the tests use a class of the solution",
        ),
        ({"test_setup_code": "import ("}, "the set-up of the tests is not Python"),
    ],
)
def test_rows_that_cannot_be_judged_are_rejected(
    change: dict[str, Any], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = files.mbpp(4)
    rows[1] |= change
    path = files.lines(tmp_path / "code.jsonl", rows)
    assert main(["data", "check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["usable"], found["rejected"], found["task"]) == (3, 1, f"mbpp:{path}")
    assert [r for r in found["reasons"] if r.startswith(reason)]


def test_without_a_sandbox_the_file_is_not_a_task(tmp_path: Path) -> None:
    path = files.lines(tmp_path / "code.jsonl", files.humaneval(3))
    with pytest.raises(ConfigurationError, match="take one of auto"):
        load_task(f"humaneval:{path}?sandbox=docker")
    with pytest.raises(UnknownNameError):
        load_task(f"humaneval:{path}?reward=strict")

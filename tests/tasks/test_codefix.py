import re
from collections.abc import Mapping
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.honesty import Given
from verbalrl.errors import ConfigurationError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action, Instance, StepResult
from verbalrl.sandbox import sandbox
from verbalrl.tasks import load_task

pytestmark = pytest.mark.skipif(
    not any(tier.closed for tier in sandbox().tiers), reason="no sandbox on this machine"
)


def everything() -> list[Instance]:
    task = load_task("codefix-v1")
    return [*task.instances("train", 0, 50), *task.instances("test", 0, 50)]


def judged(instance: Instance, text: str) -> StepResult:
    environment = load_task("codefix-v1").environment(instance)
    environment.reset(0)
    return environment.step(Action(text=text))


def test_every_bug_fails_and_every_right_function_passes() -> None:
    found = everything()
    assert len(found) == 27
    for instance in found:
        fenced = f"Mended:\n```python\n{instance.answers[0]}\n```"
        right, wrong = judged(instance, fenced), judged(instance, str(instance.data["text"]))
        assert (right.success, right.reward, right.feedback) == (True, 1.0, "Correct.")
        assert wrong.success is False
        assert wrong.feedback.startswith("Wrong when ")
        assert f"sandbox.{sandbox().tiers[0].name}" in right.components


def test_feedback_names_the_behaviour_and_neither_test_nor_value() -> None:
    instance = next(i for i in everything() if i.data["name"] == "middle")
    fixed = "def middle(values):\n    return 0"
    assert judged(instance, fixed).feedback == (
        "Wrong when there are no values: it returns something else than it should."
    )
    assert judged(instance, "def middle(values):\n    return values[3]").feedback == (
        "Wrong when there are no values: it raises IndexError: list index out of range."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "middle = None",
        "def other(): ...",
        "def middle(values):\n    raise SystemExit(0)",
        "import os\ndef middle(values):\n    return 1\nos._exit(0)",
        "class E:\n    __eq__ = lambda *_: True\n\ndef middle(values):\n    return E()",
        "def middle(values):\n    return " + "[" * 5000,
        "def middle(values):\n    return " + "-" * 50_000 + "1",
    ],
)
def test_no_trick_passes(text: str) -> None:
    instance = next(i for i in everything() if i.data["name"] == "middle")
    result = judged(instance, text)
    assert (result.success, result.reward, result.terminated) == (False, 0.0, True)


def test_a_sandbox_has_to_be_one_of_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="take one of auto"):
        load_task("codefix-v1?sandbox=docker")


def test_right_lessons_raise_success_and_wrong_ones_do_not() -> None:
    task = load_task("codefix-v1")
    planted = {p.function.name: p for p in task.world.splits["test"]}  # type: ignore[attr-defined]

    def mender(request: Request) -> Mapping[str, Any]:
        """Gives the function that it sees, with the bug undone that a lesson names."""
        text = "\n".join(m.text for m in request.messages)
        shown = text.rsplit("<observation>\n", 1)[1].split("\n</observation>")[0]
        name = re.findall(r"def (\w+)", shown)[0]
        for number in re.findall(rf"In {name} undo bug (\d)", text):
            function = planted[name].function
            is_it = function.bugs[int(number)] == planted[name].bug
            shown = function.right if is_it else f"{shown}\n    broken("
        return {"action": shown}

    def rate(lessons: str) -> float:
        count = len(planted)
        test = task.instances("test", 0, count)
        texts = {i.id: (lessons,) for i in test} if lessons else {}
        plan = Given(name="retry", learns="shared", trials=1, split="test", texts=texts)
        learner = vrl.Learner(vrl.ChatAgent(ScriptedModel(mender)), method=plan)
        arms = learner.run_sync(task, instances=count, arms=("learned",)).arms
        return float(arms["learned"]["success_rate"])

    def lines(shift: int) -> str:
        places = {n: p.function.bugs.index(p.bug) for n, p in planted.items()}
        return "\n".join(f"In {n} undo bug {(at + shift) % 3}" for n, at in places.items())

    assert rate("") == 0.0
    assert rate(lines(0)) == 1.0
    assert rate(lines(1)) == 0.0

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks.honesty import Given
from verbalrl.errors import ConfigurationError, DataError
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Action, Instance, StepResult
from verbalrl.sandbox import sandbox
from verbalrl.tasks import load_task
from verbalrl.tasks.codefix import CodeFix, Family

pytestmark = pytest.mark.skipif(
    not any(tier.closed for tier in sandbox().tiers), reason="no sandbox on this machine"
)


def everything() -> list[Instance]:
    task = load_task("codefix-v1")
    return [*task.instances("train", 0, 1000), *task.instances("test", 0, 1000)]


def judged(instance: Instance, text: str) -> StepResult:
    environment = load_task("codefix-v1").environment(instance)
    environment.reset(0)
    return environment.step(Action(text=text))


def test_right_functions_pass_and_buggy_ones_are_told_when_they_fail() -> None:
    for instance in everything()[::160]:
        fenced = f"Mended:\n```python\n{instance.answers[0]}\n```"
        right, wrong = judged(instance, fenced), judged(instance, str(instance.data["text"]))
        assert (right.success, right.reward, right.feedback) == (True, 1.0, "Correct.")
        assert wrong.success is False
        assert wrong.feedback.startswith("Wrong when ")
        assert f"sandbox.{sandbox().tiers[0].name}" in right.components


def test_functions_are_many_and_different_and_divided_by_the_task_seed() -> None:
    task, other = load_task("codefix-v1"), load_task("codefix-v1", task_seed=1)
    assert [task.size(split) for split in ("train", "test")] == [414, 405]
    assert len({str(i.data["text"]) for i in everything()}) == 819
    tests = [{str(i.data["text"]) for i in t.instances("test", 0, 1000)} for t in (task, other)]
    assert tests[0] != tests[1]
    assert {str(i.data["name"]) for i in task.instances("test", 0, 1000)} == {
        str(i.data["name"]) for i in task.instances("train", 0, 1000)
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_bugs_fail_and_right_functions_pass() -> None:
    """Every fifth of them, through the sandbox; all have run so when they were made."""
    for right, instance in list({i.answers[0]: i for i in everything()}.items())[::5]:
        assert judged(instance, right).success is True, right
    for instance in everything()[::5]:
        assert judged(instance, str(instance.data["text"])).success is False, instance.data["text"]


def test_what_makes_no_difference_is_no_function() -> None:
    one = {"says": "", "text": "1"}
    other = {"says": "", "text": "2", "wrong": "3", "when": "always", "calls": [[]]}
    blind = {**other, "blind": ["a"]}
    slots = [{"name": "a", "parts": [one, other]}, {"name": "b", "parts": [other, blind]}]
    made = Family.model_validate({"name": "f", "right": "{a_text} {b_text}", "slots": slots})
    bugs = [(f.right, [b.new for b in f.bugs]) for f in made.functions()]
    assert bugs == [("1 2", ["1 3"]), ("1 2", ["1 3"]), ("2 2", ["3 2", "2 3"])]


def test_a_bug_that_no_test_shows_is_refused(tmp_path: Path) -> None:
    table = """
    [[functions]]
    name = "f"
    right = "r"
    bugs = [{ old = "r", new = "w" }]
    cases = [{ when = "always", calls = [[1]] }]
    [[families]]
    name = "g"
    right = "{a_text}"
    slots = [{ name = "a", parts = [{ says = "", text = "1", wrong = "2" }] }]
    """
    (tmp_path / "functions.toml").write_text(table)
    with pytest.raises(DataError, match="'2' has no case that shows it"):
        CodeFix.open(tmp_path, {}, 0)


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


def test_right_lessons_raise_success_and_wrong_ones_lower_it() -> None:
    """A mender who sees through every third bug; a lesson says which part to write instead."""
    task, count = load_task("codefix-v1"), 12
    known = {str(i.data["text"]): i for i in task.instances("test", 0, count)}
    sharp = list(known)[::3]

    def mender(request: Request) -> Mapping[str, Any]:
        """Gives the function that it sees, with the line put in that a lesson names."""
        text = "\n".join(m.text for m in request.messages)
        shown = text.rsplit("<observation>\n", 1)[1].split("\n</observation>")[0]
        mended = known[shown].answers[0] if shown in sharp else shown
        says = shown.split('"""')[1]
        for when, line in re.findall(r'Where it says "(.*?)": write (.*)', text):
            if when == says:
                lines = known[shown].answers[0] if line == "as it says" else f"{shown}\n{line}"
                mended = lines
        return {"action": mended}

    def rate(lessons: str) -> float:
        texts = {i.id: (lessons,) for i in known.values()} if lessons else {}
        plan = Given(name="retry", learns="shared", trials=1, split="test", texts=texts)
        learner = vrl.Learner(vrl.ChatAgent(ScriptedModel(mender)), method=plan)
        arms = learner.run_sync(task, instances=count, arms=("learned",)).arms
        return float(arms["learned"]["success_rate"])

    says = [shown.split('"""')[1] for shown in known]
    none = rate("")
    assert none == pytest.approx(1 / 3, abs=1e-3)
    assert rate("\n".join(f'Where it says "{said}": write as it says' for said in says)) == 1.0
    assert rate("\n".join(f'Where it says "{said}": write broken(' for said in says)) == 0.0

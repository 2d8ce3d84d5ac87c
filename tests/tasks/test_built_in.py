"""What holds for every built-in task: the contract, an oracle, how random play fares."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import verbalrl as vrl
from benchmarks import contract
from benchmarks.honesty import Given
from verbalrl.models import Request, ScriptedModel
from verbalrl.tasks import check_task, known_tasks, load_task, play, random_policy

COUNT = 200
FEW = 12
PROCESSES = ("codefix-v1", "text2sql-v1")
"""Tasks of which each step waits for a process: all 200 instances are slow."""
SIZES = [(name, FEW if name in PROCESSES else COUNT) for name in known_tasks()] + [
    pytest.param(name, COUNT, marks=pytest.mark.slow) for name in PROCESSES
]


def test_the_interval_is_that_of_clopper_and_pearson() -> None:
    assert contract.clopper_pearson(0, 200) == pytest.approx((0, 0.0183), abs=1e-4)
    assert contract.clopper_pearson(10, 200) == pytest.approx((0.0242, 0.0900), abs=1e-4)
    assert contract.clopper_pearson(200, 200) == pytest.approx((1 - 0.0183, 1), abs=1e-4)


def test_the_command_prints_a_line_per_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main(["--instances", "20", "--task", "car-dealer-v1"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert re.match(r"car-dealer-v1 +20  held +20 +\d+  \[", line)
    assert line.endswith("equal")


def test_the_command_says_what_is_missed() -> None:
    good = contract.Row("t-v1", 200, "", 200, 0, 0.0, 0.0183, 0.0, True)
    assert good.held
    for change in ({"broken": "x"}, {"solved": 199}, {"stated": 0.02}, {"same": False}):
        assert not good._replace(**change).held


@pytest.mark.parametrize("name", known_tasks())
def test_contract(name: str) -> None:
    check_task(load_task(name))


@pytest.mark.parametrize(("name", "count"), SIZES)
def test_the_oracle_solves_all(name: str, count: int) -> None:
    task = load_task(name)
    instances = task.instances("test", 0, count)
    assert len(instances) == count
    for instance in instances:
        oracle = task.oracle(instance)
        assert oracle is not None
        played = play(task, instance, oracle)
        assert played.success is True, instance.id
        assert played.ended


@pytest.mark.parametrize("name", known_tasks())
def test_the_readme_states_how_often_a_random_policy_succeeds(name: str) -> None:
    task = load_task(name)
    played = [play(task, i, random_policy()) for i in task.instances("test", 0, COUNT)]
    assert len(played) == COUNT
    wins = sum(p.success is True for p in played)
    low, high = contract.clopper_pearson(wins, len(played))
    assert low <= contract.stated_rate(name) <= high, f"{wins} of {len(played)}"


@pytest.mark.parametrize("name", known_tasks())
def test_equal_seeds_give_equal_worlds_and_other_seeds_other_ones(name: str) -> None:
    one, same, other = load_task(name), load_task(name), load_task(name, task_seed=1)
    ours, theirs, others = (t.instances("test", 0, 20) for t in (one, same, other))
    assert ours == theirs
    assert [i.data for i in ours] != [i.data for i in others]
    assert [i.data for i in ours] != [i.data for i in one.instances("train", 0, 20)]
    for instance in ours:
        assert play(one, instance, random_policy(3), 7) == play(same, instance, random_policy(3), 7)


@pytest.mark.parametrize("name", known_tasks())
def test_no_feedback_holds_a_hidden_answer(name: str) -> None:
    task = load_task(name)
    for instance in task.instances("train", 0, 40):
        for step in play(task, instance, random_policy(1)).steps:
            for answer in instance.answers:
                assert answer == step.action.text or answer not in step.feedback


def block(request: Request, tag: str) -> str:
    text = "\n".join(m.text for m in request.messages)
    found = re.findall(rf"^<{tag}>\n(.*?)\n</{tag}>", text, re.DOTALL | re.MULTILINE)
    return str(found[-1]) if found else ""


def rate(name: str, model: Callable[[Request], Mapping[str, Any]], lessons: str) -> float:
    """Success on the test split of a scripted model whose prompts hold `lessons`."""
    task, count = load_task(name), 60
    texts = {i.id: (lessons,) for i in task.instances("test", 0, count)} if lessons else {}
    plan = Given(name="retry", learns="shared", trials=1, split="test", texts=texts)
    agent = vrl.ChatAgent(ScriptedModel(model))
    result = vrl.Learner(agent, method=plan).run_sync(task, instances=count, arms=("learned",))
    return float(result.arms["learned"]["success_rate"])


def writer(request: Request) -> dict[str, str]:
    """Writes a text on the request's own words, and does what fitting lessons ask for."""
    asked, text = block(request, "observation"), ""
    for when, place, mark in re.findall(
        r'When (.*?): (start|end) with "(.*?)"', block(request, "guidance")
    ):
        if when in asked:
            text = f"{mark}. {asked}" if place == "start" else f"{asked} {mark}."
    return {"action": text or asked}


def test_right_rules_of_style_raise_success_and_wrong_ones_lower_it() -> None:
    rules = load_task("scoped-style-v1").world.table.rules  # type: ignore[attr-defined]
    line = 'When {0}: {1.place} with "{1.mark}"'
    right = "\n".join(line.format(re.split(r" ?\{", r.inside)[0], r) for r in rules)
    wrong = "\n".join(line.format(re.split(r" ?\{", r.near)[0], r) for r in rules)
    none = rate("scoped-style-v1", writer, "")
    assert none == pytest.approx(2 / 3, abs=1e-3)
    assert rate("scoped-style-v1", writer, right) > 0.95
    assert rate("scoped-style-v1", writer, wrong) < none - 0.2


FORMULAS: dict[str, Callable[[int, int, int], int]] = {
    "bags": lambda a, b, c: a * b - c,
    "train": lambda a, b, c: a - b + c,
    "pages": lambda a, b, c: c - a * b,
    "shared": lambda a, b, c: a // max(1, b) + c,
    "pen": lambda a, b, c: (a + b) * c,
    "rounds": lambda a, b, c: a * b * c,
}


def student(request: Request) -> dict[str, str]:
    """Puts the last three numbers into the right formula, less those that lessons rule out."""
    text = block(request, "observation")
    out = re.findall(r"leave out (.*?) numbers", block(request, "guidance"))
    clauses = re.split(r"(?<=[.,?]) | and ", text)
    kept = [c for c in clauses if not any(re.search(rf"\b{word}\b", c) for word in out)]
    numbers = [int(n) for c in kept for n in re.findall(r"\d+", c)][-3:]
    formula = next(f for cue, f in FORMULAS.items() if re.search(rf"\b{cue}\b", text))
    return {"action": str(formula(*numbers)) if len(numbers) == 3 else "none"}


def test_knowing_what_does_not_count_raises_success_and_a_wrong_lesson_lowers_it() -> None:
    words = ("owns", "minutes", "costs", "old", "shelves")
    right = "\n".join(f"Always: leave out {word} numbers" for word in words)
    none = rate("arithmetic-v1", student, "")
    assert rate("arithmetic-v1", student, right) > none + 0.3
    assert rate("arithmetic-v1", student, "Always: leave out each numbers") <= none

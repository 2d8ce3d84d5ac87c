"""reasoning-gym as it is installed."""

from __future__ import annotations

import random
import threading

import pytest

from tests.environments.playing import five_episodes, say
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.integrations import load_task
from verbalrl.integrations.reasoning import answer_in, same_number
from verbalrl.records import Origin
from verbalrl.tasks import check_task, play

pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed")

LEGS = "reasoning:leg_counting"


@pytest.mark.parametrize(
    "ref",
    [
        LEGS,
        f"{LEGS}?max_animals=4",
        "reasoning:prime_factorization",
        "reasoning:graph_color",
        "reasoning:dice",
        "reasoning:spell_backward",
        "reasoning:syllogism",
    ],
)
def test_contract(ref: str) -> None:
    task = load_task(ref)
    check_task(task)
    assert (task.id, task.ref, task.learns) == (ref, ref, "both")
    assert task.observations is Origin.TASK
    assert load_task(ref, untrusted=True).observations is Origin.UNTRUSTED
    five_episodes(ref)


def test_the_check_of_the_package_decides() -> None:
    task = load_task(LEGS)
    instance = task.instances("train", 0, 1)[0]
    gold = instance.answers[0]
    marks = {
        text: play(task, instance, say(text)).results[-1]
        for text in (
            gold,
            f"Answer: {gold}",
            f"It is \\boxed{{{gold}}}.",
            f"<answer>{gold}</answer>",
        )
    }
    assert {(r.reward, r.success, r.feedback) for r in marks.values()} == {(1.0, True, "Right.")}
    wrong = play(task, instance, say(f"{gold}1")).results[-1]
    assert (wrong.success, wrong.terminated) == (False, True)
    assert gold not in wrong.feedback


def test_a_check_that_raises_is_a_wrong_answer() -> None:
    task = load_task("reasoning:prime_factorization")
    result = play(task, task.instances("train", 0, 1)[0], say("two and three")).results[-1]
    assert (result.success, result.reward, result.feedback) == (False, 0.0, "Wrong: unreadable.")


def test_without_a_reference_answer_there_is_no_oracle() -> None:
    task = load_task("reasoning:graph_color")
    instance = task.instances("train", 0, 1)[0]
    assert (instance.answers, task.oracle(instance)) == ((), None)


def test_what_the_check_gives_for_nothing_is_said() -> None:
    assert load_task("reasoning:dice").notes[0].startswith("judged by reasoning-gym ")
    assert len(load_task("reasoning:dice").notes) == 1
    assert "already earns" in load_task("reasoning:rubiks_cube").notes[1]


def test_chance_of_others_is_left_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    task = load_task("reasoning:countdown")
    play(task, task.instances("train", 0, 1)[0], say("1"))
    assert random.random() == expected


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        ("Six each.\nAnswer: 42", "42"),
        ("**Answer:** 42", "42"),
        ("<answer>\n1 2\n3 4\n</answer>", "1 2\n3 4"),
        (r"so \boxed{3} and then \boxed{4}.", "4"),
        ("the answer is 4", "the answer is 4"),
    ],
)
def test_the_answer_proper(text: str, answer: str) -> None:
    assert answer_in(text) == answer


@pytest.mark.parametrize(
    ("gold", "given", "same"),
    [
        ("42", "The answer is 42", True),
        ("1/2", r"\frac{1}{2}", True),
        ("42", "43", False),
        ("42", "", False),
        ("42", "9^{9^{9}}", False),
        ("42", "42" + " " * 90, False),
        ("Yes", "Yes", False),
    ],
)
def test_numbers_are_compared_in_any_thread(gold: str, given: str, same: bool) -> None:
    pytest.importorskip("math_verify", reason="math-verify is not installed")
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(same_number(gold, given)))
    thread.start()
    thread.join()
    assert found == [same]


@pytest.mark.parametrize(
    ("ref", "kind", "said"),
    [
        ("reasoning:leg_count", UnknownNameError, "did you mean: leg_counting"),
        ("reasoning:", UnknownNameError, "unknown reasoning-gym task"),
        (f"{LEGS}?max_animal=4", UnknownNameError, "did you mean: max_animals"),
        (f"{LEGS}?seed=4", UnknownNameError, "unknown option"),
        (f"{LEGS}?max_animals=0", ConfigurationError, "max_animals must be"),
        ("reasoning:composite", ConfigurationError, "at least one dataset"),
        ("reasoning:game_of_life_halting", ConfigurationError, "full marks"),
    ],
)
def test_what_cannot_work_is_one_line(ref: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        load_task(ref)
    assert "\n" not in str(caught.value)

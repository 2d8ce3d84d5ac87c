"""Tasks in which somebody answers: clarify, car dealer, household, and the free texts."""

import re
from typing import Any

import pytest

from verbalrl.records import Action, Instance, Split
from verbalrl.tasks import load_task, play
from verbalrl.tasks.arithmetic import equations
from verbalrl.tasks.base import Policy

SPLITS: tuple[Split, Split] = ("train", "test")


def script(*texts: str) -> Policy:
    """Says `texts` in turn, the last one for ever."""
    return lambda situation: Action(text=texts[min(len(situation.history), len(texts) - 1)])


def first(ref: str, **data: Any) -> Instance:
    """The first train instance whose hidden data holds `data`."""
    found = load_task(ref).instances("train", 0, 100)
    return next(i for i in found if all(i.data[k] == v for k, v in data.items()))


@pytest.mark.parametrize("name", ["clarify-v1", "car-dealer-v1"])
def test_train_and_test_share_no_run_of_eight_words(name: str) -> None:
    def runs(split: Split) -> set[tuple[str, ...]]:
        said = [str(i.data["text"]) for i in load_task(name).instances(split, 0, 1000)]
        words = [re.findall(r"\w+", text.lower()) for text in said]
        return {tuple(w[n : n + 8]) for w in words for n in range(len(w) - 7)}

    assert runs("train") & runs("test") == set()


@pytest.mark.parametrize("split", SPLITS)
def test_a_request_shows_exactly_one_phrase(split: Split) -> None:
    world: Any = load_task("clarify-v1").world
    for instance in load_task("clarify-v1").instances(split, 0, 100):
        text = str(instance.data["text"])
        shown = [cell for cell in world.cells() if cell.cue in text]
        assert [cell.asked for cell in shown] == [instance.data["asked"]]


def test_asking_what_is_needed_pays_and_asking_more_does_not() -> None:
    task, vague, clear = load_task("clarify-v1"), first("clarify-v1", asked=0), None
    clear = first("clarify-v1", asked=None)
    day, go = "ask for the day", "go ahead"
    rewards = {
        name: (
            play(task, i, script(*texts)).steps[-1].reward,
            play(task, i, script(*texts)).success,
        )
        for name, i, texts in [
            ("asked", vague, (day, go)),
            ("blind", vague, (go,)),
            ("twice", vague, (day, day)),
            ("clear", clear, (go,)),
            ("needless", clear, (day,)),
        ]
    }
    assert rewards == {
        "asked": (1.1, True),
        "blind": (-0.6, False),
        "twice": (-0.4, False),
        "clear": (0.9, True),
        "needless": (-0.6, False),
    }


def test_revenue_is_exact() -> None:
    task = load_task("car-dealer-v1")
    osprey = first("car-dealer-v1", car=2, tactic=1)
    offers = {
        "offer the Osprey": ("take a tenth off", 42.75, True),
        "offer the Finch": ("", 9.5, False),
        "offer the Tern": ("", 0.0, False),
    }
    for offer, (closing, revenue, success) in offers.items():
        played = play(task, osprey, script(offer, closing))
        assert (played.steps[-1].reward, played.success) == (revenue, success)
    lost = play(task, osprey, script("offer the Osprey", "hold the price"))
    assert (lost.steps[-1].reward, lost.success) == (0.0, False)


def test_every_ten_visitors_hold_each_phrase_and_each_kind_once() -> None:
    found = load_task("car-dealer-v1").instances("test", 0, 10)
    assert sorted(i.data["car"] for i in found) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]  # type: ignore[type-var]
    assert sorted(i.data["tactic"] for i in found) == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]  # type: ignore[type-var]


def test_both_dialects_of_putting_are_understood() -> None:
    instance = first("household-v1", kind="pick")
    task, other = load_task("household-v1"), load_task("household-v1?dialect=move")
    oracle = other.oracle(instance)
    assert oracle is not None
    played = play(task, instance, oracle)
    assert played.steps[-1].action.text.startswith("move ")
    assert played.success is True


@pytest.mark.parametrize("kind", ["clean", "heat", "cool"])
def test_an_errand_is_done_only_in_the_right_state(kind: str) -> None:
    task, instance = load_task("household-v1"), first("household-v1", kind=kind)
    oracle = task.oracle(instance)
    assert oracle is not None
    path = [s.action.text for s in play(task, instance, oracle).steps]
    assert (
        play(task, instance, script(*(t for t in path if not t.startswith(kind)))).success is False
    )


def test_what_is_done_in_vain_spends_a_step() -> None:
    task, instance = load_task("household-v1"), first("household-v1", kind="pick")
    played = play(task, instance, script("dance"))
    assert (len(played.steps), played.ended) == (task.max_steps, False)
    assert {s.feedback for s in played.steps} == {"Nothing happens."}


def test_needed_steps_are_rewarded_once() -> None:
    task = load_task("household-v1")
    for instance in task.instances("train", 0, 60):
        oracle = task.oracle(instance)
        assert oracle is not None
        path = [s.action.text for s in play(task, instance, oracle).steps]
        there = path[0]
        away = next(f"go to {f}" for f in instance.data["furniture"] if f"go to {f}" != there)  # type: ignore[union-attr]
        rewards = [s.reward for s in play(task, instance, script(there, away, there, away)).steps]
        assert rewards[0] == 0.1
        assert sum(r or 0 for r in rewards[1:]) <= 0.1  # the second of two things, at most


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 + 4 = 7", [True]),
        ("first 3*4=12, then 12 - 5 = 8", [True, False]),
        ("1,000 / 8 = 125", [True]),
        ("7 / 0 = 7", [False]),
        ("no equation, 12", []),
    ],
)
def test_the_step_verifier(text: str, found: list[bool]) -> None:
    assert [e.holds for e in equations(text)] == found


def test_a_false_step_spoils_a_right_answer() -> None:
    task = load_task("arithmetic-v1")
    instance = task.instances("train", 0, 1)[0]
    right = f"#### {instance.answers[0]}"
    assert play(task, instance, script(right)).success is True
    spoiled = play(task, instance, script(f"2 + 2 = 5\n{right}"))
    assert spoiled.success is False
    assert "2 + 2 = 5 does not hold" in spoiled.steps[0].feedback


def test_a_number_that_has_no_part_is_named() -> None:
    task = load_task("arithmetic-v1")
    instance = task.instances("train", 0, 1)[0]
    other = instance.data["distractor"]
    said = play(task, instance, script(f"{other} + 1 = {int(str(other)) + 1}")).steps[0].feedback
    assert f"the number {other} has no part" in said


def test_a_rule_holds_inside_its_scope_alone() -> None:
    task = load_task("scoped-style-v1")
    world: Any = task.world
    rule = world.table.rules[0]
    for scope, expected in (("inside", True), ("near", False), ("general", False)):
        instance = first("scoped-style-v1", rule=0, scope=scope)
        played = play(task, instance, script(f"{instance.data['text']} {rule.mark}."))
        assert played.success is expected
        assert played.results[-1].components == {scope: float(expected)}

"""Each clause of the contract fires on a task that breaks it."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.records import Action, Instance, Observation, Origin, Situation, StepResult
from verbalrl.tasks import Card, Problem, WorldTask, check_task
from verbalrl.tasks.check import named_actions

ACTIONS = ("turn left", "turn right")
CARD = Card(id="toy-v1", summary="", learns="instance", observations=Origin.TASK, max_steps=4)
_clock = count()


class Toy:
    """Left wins; what a test passes as `faults` goes wrong."""

    def __init__(self, instance: Instance, faults: dict[str, Any]) -> None:
        self.faults, self.right = faults, str(instance.data["right"])

    def reset(self, seed: int, /) -> Observation:
        text = self.faults.get("text", "You stand at a fork.")
        if self.faults.get("clock"):
            text += f" It is {next(_clock)} o'clock."
        if self.faults.get("leak"):
            text += f" (It is {self.right}.)"
        return Observation(text=text, actions=self.faults.get("actions", ACTIONS))

    def step(self, action: Action, /) -> StepResult:
        known = action.text in ACTIONS
        if not known and self.faults.get("raises"):
            raise KeyError(action.text)
        success = action.text == self.right or bool(not known and self.faults.get("generous"))
        feedback = "You won." if success else "You lost."
        if not known:
            feedback = "No."
        if self.faults.get("deaf"):
            feedback, success = "Done.", False
        return StepResult(
            observation=Observation(text="The end.", actions=self.faults.get("last", ())),
            feedback=self.faults.get("says", feedback),
            terminated=not self.faults.get("early"),
            success=success,
        )


@dataclass
class ToyWorld:
    faults: dict[str, Any] = field(default_factory=dict)

    def size(self, split: str, /) -> int | None:
        return int(self.faults.get("size", 4))

    def problem(self, split: str, index: int, /) -> Problem:
        right = ACTIONS[index % 2] if not self.faults.get("drifts") else f"{next(_clock)}"
        name = "same" if self.faults.get("names") else ""
        return Problem("Win.", {"right": right}, (right,), name)

    def environment(self, instance: Instance, /) -> Toy:
        return Toy(instance, self.faults)

    def oracle(self, instance: Instance, /) -> Any:
        text = "turn up" if self.faults.get("oracle") else instance.answers[0]
        return lambda situation: Action(text=text)


def test_a_good_task_passes() -> None:
    check_task(WorldTask(CARD, ToyWorld()))


def test_as_many_instances_are_checked_as_are_asked_for() -> None:
    class LateFault(ToyWorld):
        def oracle(self, instance: Instance, /) -> Any:
            text = instance.answers[0] if int(instance.id[-1]) < 3 else "turn up"
            return lambda situation: Action(text=text)

    check_task(WorldTask(CARD, LateFault()), 3)
    with pytest.raises(ConfigurationError, match="train/3: the oracle ends"):
        check_task(WorldTask(CARD, LateFault()), 4)
    with pytest.raises(ConfigurationError, match="at least one is wanted"):
        check_task(WorldTask(CARD, ToyWorld()), 0)


@pytest.mark.parametrize(
    ("faults", "found"),
    [
        ({"size": 0}, "it has no instances"),
        ({"drifts": True}, "instances of train differ between two calls"),
        ({"names": True}, "'toy-v1/same' is used twice"),
        ({"clock": True}, "equal seeds and actions gave different steps"),
        ({"leak": True}, "holds its own hidden answer"),
        ({"text": " "}, "is empty"),
        ({"actions": ("turn left", "Turn left")}, "are the same text"),
        ({"raises": True}, "on text that is no action, step raised KeyError"),
        ({"generous": True}, "counts as success"),
        ({"deaf": True}, "no listed action is told from text that is no action"),
        ({"says": "You should go left."}, "feedback on 'turn right' names 'turn left'"),
        ({"early": True, "last": ACTIONS}, "before the end"),
        ({"early": True}, "no action is left"),
        ({"oracle": True}, "the oracle ends with success False"),
    ],
)
def test_each_clause_fires(faults: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_task(WorldTask(CARD, ToyWorld(faults)))
    assert found in str(caught.value)
    assert str(caught.value).startswith("task toy-v1: ")
    assert "\n" not in str(caught.value)


def test_an_environment_that_raises_at_once_is_one_line() -> None:
    class Broken(ToyWorld):
        def environment(self, instance: Instance, /) -> Toy:
            raise RuntimeError("first line\nsecond line")

    said = r"RuntimeError: first line \(test_check\.py:\d+, in environment\)$"
    with pytest.raises(ConfigurationError, match=said):
        check_task(WorldTask(CARD, Broken()))


@pytest.mark.parametrize(
    ("feedback", "taken", "named"),
    [
        ("Go north.", "move east", ("move north",)),
        ("You moved north.", "move north", ()),
        ("Norther winds blow.", "move east", ()),
        ("Move on.", "move east", ()),
        ("North or south, who knows", "move east", ("move north", "move south")),
    ],
)
def test_named_actions(feedback: str, taken: str, named: tuple[str, ...]) -> None:
    actions = ("move north", "move south", "move east")
    assert named_actions(feedback, actions, taken) == named


def test_an_action_inside_the_one_taken_is_not_named() -> None:
    assert named_actions("You went back home.", ("go back", "go back home"), "go back home") == ()


def test_situation_of_a_played_episode_hides_what_is_hidden() -> None:
    from verbalrl.tasks import play

    seen: list[Situation] = []

    def spy(situation: Situation) -> Action:
        seen.append(situation)
        return Action(text="turn left")

    task = WorldTask(CARD, ToyWorld())
    play(task, task.instances("train")[0], spy)
    assert seen[0].instance is not None
    assert (seen[0].instance.data, seen[0].instance.answers) == ({}, ())

"""A task with tools, for tests: two populations are to be looked up and added."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from verbalrl.records import (
    Action,
    Instance,
    Observation,
    Origin,
    Part,
    Split,
    StepResult,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from verbalrl.tasks.base import Card, Problem, WorldTask

PEOPLE = {"Aarau": 21_000, "Bern": 134_000, "Chur": 38_000}
NUMBER = {"type": "integer"}
LOOK_UP = Tool(
    name="look_up",
    description="The number of people in a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
ADD = Tool(
    name="add",
    description="The sum of two numbers.",
    parameters={
        "type": "object",
        "properties": {"a": NUMBER, "b": NUMBER},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
TOOLS = (LOOK_UP, ADD)


class Desk:
    """One question; calls are answered with results, text ends the episode."""

    def __init__(self, cities: tuple[str, str]) -> None:
        self.cities = cities

    def reset(self, seed: int, /) -> Observation:
        """The question, with its tools."""
        return Observation(text="The desk is open.", tools=TOOLS)

    def step(self, action: Action, /) -> StepResult:
        """The results of all calls, or the end."""
        calls = [p for p in action.parts if isinstance(p, ToolCallPart)]
        if not calls:
            right = action.text.strip() == str(sum(PEOPLE[c] for c in self.cities))
            return StepResult(
                observation=Observation(text="The desk is closed."),
                feedback="Correct." if right else "Wrong.",
                reward=float(right),
                terminated=True,
                success=right,
            )
        parts: list[Part] = [self._result(call) for call in calls]
        parts.append(TextPart(text=f"{len(calls)} answered."))
        return StepResult(observation=Observation(parts=tuple(parts)))

    def _result(self, call: ToolCallPart) -> ToolResultPart:
        tools: Mapping[str, Callable[..., int]] = {
            "look_up": lambda city: PEOPLE[city],
            "add": lambda a, b: a + b,
        }
        try:
            text, wrong = str(tools[call.name](**json.loads(call.arguments))), False
        except (KeyError, TypeError, ValueError) as error:
            text, wrong = f"{type(error).__name__}: {error}", True
        return ToolResultPart(call_id=call.id, text=text, is_error=wrong)


class Desks:
    """Three questions."""

    _PAIRS = (("Aarau", "Bern"), ("Bern", "Chur"), ("Aarau", "Chur"))

    def size(self, split: Split, /) -> int | None:
        """Three in each split."""
        return len(self._PAIRS)

    def problem(self, split: Split, index: int, /) -> Problem:
        """Question number `index`."""
        first, second = self._PAIRS[index]
        goal = f"Say how many people live in {first} and {second} together."
        return Problem(goal, {"cities": [first, second]})

    def environment(self, instance: Instance, /) -> Desk:
        """A desk for `instance`."""
        cities = instance.data["cities"]
        assert isinstance(cities, list)
        return Desk((str(cities[0]), str(cities[1])))


DESK = WorldTask(
    Card(
        id="desk-v1",
        summary="Look up and add.",
        learns="instance",
        observations=Origin.TASK,
        max_steps=8,
        inline=True,
    ),
    Desks(),
)

"""`arithmetic`: word problems with a number that has no part, judged exactly, steps included.

Problems stand in `problems.toml` of the task folder. Their steps are of the form `a * b`, read here
and never evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import ClassVar, NamedTuple, Self

from pydantic import Field, JsonValue, model_validator

from ..records import Action, Instance, Observation, Record, Split, StepResult
from . import scorers
from .base import Environment, Policy, Problem, follow
from .draws import below, pick
from .scorers import load_scorer
from .tables import read_table, sentence

VERSION = "arithmetic-v1"
GOAL = "Answer the question with a number. Steps may be written down as equations before it."
_TERM = r"-?\d{1,12}(?:\.\d{1,6})?"
_EQUATION = re.compile(rf"(?<![\w.])({_TERM})\s*([-+*/×÷])\s*({_TERM})\s*=\s*({_TERM})(?![\w.]*\d)")
_SIGNS = {"×": "*", "÷": "/"}


class Equation(NamedTuple):
    """An equation that an answer states."""

    text: str
    holds: bool
    terms: tuple[Fraction, Fraction]
    value: Fraction | None
    """Of its left side; None where it divides by zero."""
    place: tuple[int, int]
    """Start and end in the text that it was read from."""


def equations(text: str) -> tuple[Equation, ...]:
    """The equations of two terms in `text`, in order, each with whether it holds."""
    kept = [n for n, mark in enumerate(text) if mark != ","]
    bare = "".join(text[n] for n in kept).replace("\N{MINUS SIGN}", "-")
    found = []
    for match in _EQUATION.finditer(bare):
        left, right = Fraction(match[1]), Fraction(match[3])
        value = _value(left, _SIGNS.get(match[2], match[2]), right)
        place = (kept[match.start()], kept[match.end() - 1] + 1)
        holds = value == Fraction(match[4])
        found.append(Equation(match[0], holds, (left, right), value, place))
    return tuple(found)


def _value(left: Fraction, sign: str, right: Fraction) -> Fraction | None:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right if right else None


class Template(Record):
    """One kind of problem."""

    text: str
    numbers: dict[str, tuple[int, int]]
    given: dict[str, str] = {}
    """Numbers that are made of the drawn ones."""
    steps: tuple[str, ...] = Field(min_length=1)
    distractor: str

    @model_validator(mode="after")
    def _computable(self) -> Self:
        # With the smallest and the largest numbers, so that a wrong table fails when it is read.
        for bound in (0, 1):
            self.solved({name: span[bound] for name, span in self.numbers.items()})
        return self

    def solved(self, drawn: Mapping[str, int]) -> tuple[dict[str, int], list[str], int]:
        """All numbers of the text, the steps as equations, and the answer."""
        known = {name: Fraction(value) for name, value in drawn.items()}
        for name, term in self.given.items():
            known[name] = _computed(term, known)[1]
        shown = {name: int(value) for name, value in known.items()}
        told, result = [], Fraction(0)
        for number, step in enumerate(self.steps, start=1):
            written, result = _computed(step, known)
            known[f"s{number}"] = result
            told.append(f"{written} = {result}")
        if result.denominator != 1 or result < 0:
            raise ValueError(f"the answer {result} is not a whole number")
        return shown, told, int(result)


class Problems(Record):
    """The contents of `problems.toml`."""

    problems: tuple[Template, ...] = Field(min_length=1)
    fill: dict[str, tuple[str, ...]] = {}


class Arithmetic(Problems):
    """All problems of one `problems.toml`."""

    task_seed: int = 0

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Arithmetic:
        """The world of a task folder, with the templates of its `problems.toml`."""
        table = read_table(folder / "problems.toml", Problems)
        return cls.model_validate({**dict(table), **args, "task_seed": task_seed})

    judged_by: ClassVar[tuple[ModuleType, ...]] = (scorers,)

    @property
    def max_steps(self) -> int:
        """One answer per problem."""
        return 1

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Problem number `index`; the kinds take turns."""
        key = (VERSION, self.task_seed, split, index)
        template = self.problems[index % len(self.problems)]
        drawn = {
            name: low + below(high - low + 1, *key, name)
            for name, (low, high) in template.numbers.items()
        }
        shown, steps, answer = template.solved(drawn)
        fill = {name: pick(words, *key, name) for name, words in self.fill.items()}
        fill |= {name: str(value) for name, value in shown.items()}
        data: dict[str, JsonValue] = {
            "text": sentence(template.text, fill),
            "steps": list(steps),
            "distractor": shown[template.distractor],
        }
        return Problem(GOAL, data, (str(answer),))

    def environment(self, instance: Instance, /) -> Environment:
        """One problem."""
        return ArithmeticEnvironment(instance)

    def oracle(self, instance: Instance, /) -> Policy:
        """Writes the steps and the answer."""
        steps = instance.data["steps"]
        written = [str(step) for step in steps] if isinstance(steps, list) else []
        return follow("\n".join([*written, f"#### {instance.answers[0]}"]))


class ArithmeticEnvironment:
    """One problem, to be answered once; nothing here depends on chance."""

    def __init__(self, instance: Instance) -> None:
        self._text = str(instance.data["text"])
        self._answer = instance.answers[0]
        self._distractor = Fraction(str(instance.data["distractor"]))

    def reset(self, seed: int, /) -> Observation:
        """Ask."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Judge the answer and the equations before it."""
        right, why = load_scorer("numeric").judge(self._answer, action.text)
        stated = equations(action.text)
        false = [e for e in stated if not e.holds]
        if false:
            right, why = False, f"the step {false[0].text} does not hold"
        elif not right and any(self._distractor in e.terms for e in stated):
            why = f"the number {self._distractor} has no part in what is asked"
        if right:
            feedback = "Correct."
        else:
            feedback = f"Wrong: {why}." if why and self._answer not in why.split() else "Wrong."
        share = sum(e.holds for e in stated) / len(stated) if stated else 1.0
        return StepResult(
            observation=Observation(text="The question is answered.", actions=()),
            feedback=feedback,
            reward=1.0 if right else 0.0,
            components={"answer": float(right), "steps": share},
            terminated=True,
            success=right,
        )


def _computed(term: str, known: Mapping[str, Fraction]) -> tuple[str, Fraction]:
    """`a * b` with the numbers put in, and its value."""
    try:
        left, sign, right = term.split()
        one, two = known[left], known[right]
    except (ValueError, KeyError) as error:
        raise ValueError(f"the step {term!r} is not two known numbers and a sign") from error
    value = _value(one, sign, two) if sign in "+-*/" else None
    if value is None:
        raise ValueError(f"the step {term!r} cannot be computed")
    return f"{one} {sign} {two}", value

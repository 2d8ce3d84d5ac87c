"""`twenty-questions`: one of a few named things is meant; yes-or-no questions find it.

The answers come from a table, so that they are always the same. What is meant stays the same in
every trial of an instance.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from ..errors import ConfigurationError, DataError
from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import pick, sample

VERSION = "twenty-questions-v1"
_ATTEMPTS = 2_000
_SHOWN = Observation(text="The game goes on.")
_OVER = Observation(text="The game is over.", actions=())


class Twenty(Record):
    """All games over one table of questions and the things of which they are true."""

    task_seed: int = 0
    questions: dict[str, frozenset[str]] = Field(min_length=2)
    things: int = Field(default=12, ge=2)
    guesses: int = Field(default=3, ge=1)
    turns: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _enough_things(self) -> Self:
        if self.things > len(self.known):
            raise ValueError(f"{self.things} things are wanted; the table has {len(self.known)}")
        return self

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Twenty:
        """The world of a task folder, with the table of its `objects.toml`."""
        path = folder / "objects.toml"
        try:
            table = tomllib.loads(path.read_text("utf-8"))["questions"]
            questions = {str(q): frozenset(str(names).split()) for q, names in table.items()}
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        except (KeyError, AttributeError, ValueError) as error:
            raise DataError(f"{path}: a table [questions] is wanted: {error}") from error
        try:
            return cls.model_validate({**args, "questions": questions, "task_seed": task_seed})
        except ValidationError as error:
            if any("questions" in problem["loc"] for problem in error.errors()):
                raise DataError(f"{path}: at least two questions are wanted") from error
            raise

    @property
    def known(self) -> tuple[str, ...]:
        """All things of the table, sorted."""
        return tuple(sorted(frozenset().union(*self.questions.values())))

    @property
    def max_steps(self) -> int:
        """One step for each turn."""
        return self.turns

    def size(self, split: Split, /) -> int | None:
        """Without end: other candidates, another thing."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Game number `index`; its candidates can be told apart by few questions."""
        for attempt in range(_ATTEMPTS):
            key = (VERSION, self.task_seed, split, index, attempt)
            things = sample(self.known, self.things, *key)
            if self._kept(things):
                break
        else:
            raise ConfigurationError(
                f"twenty-questions: no {self.things} things are told apart by so few questions; "
                "take fewer things"
            )
        meant = pick(things, *key, "meant")
        goal = (
            f"Find out which thing is meant: {', '.join(things[:-1])} or {things[-1]}. You have "
            f"{self.turns} turns for questions and guesses, and {self.guesses} wrong "
            f"guess{'es' if self.guesses > 1 else ''} end the game."
        )
        return Problem(goal, {"meant": meant, "things": list(things)})

    def environment(self, instance: Instance, /) -> Environment:
        """One game."""
        return TwentyEnvironment(self, str(instance.data["meant"]), _things(instance))

    def oracle(self, instance: Instance, /) -> Policy:
        """Halves the candidates, then guesses; it does not know which one is meant."""
        path = self.path(str(instance.data["meant"]), _things(instance))
        return follow(*path)

    def path(self, meant: str, things: Sequence[str]) -> tuple[str, ...]:
        """The turns of a player who always asks what splits the candidates best."""
        left, turns = tuple(things), list[str]()
        while len(left) > 1:
            question = self._split(left)
            if not question:
                break
            turns.append(ask(question))
            answer = meant in self.questions[question]
            left = tuple(t for t in left if (t in self.questions[question]) == answer)
        return (*turns, *(guess(thing) for thing in left))

    def _split(self, things: tuple[str, ...]) -> str:
        """The question that comes nearest to halving `things`; empty when none divides them."""
        sizes = {q: sum(t in true for t in things) for q, true in self.questions.items()}
        best = min(sizes, key=lambda q: abs(2 * sizes[q] - len(things)))
        return best if 0 < sizes[best] < len(things) else ""

    def _kept(self, things: tuple[str, ...]) -> bool:
        most = math.ceil(math.log2(len(things))) + 1
        return all(len(self.path(thing, things)) <= most for thing in things)


class TwentyEnvironment:
    """One game; nothing here depends on chance."""

    def __init__(self, rules: Twenty, meant: str, things: tuple[str, ...]) -> None:
        self._rules = rules
        self._meant = meant
        self._moves = _moves(tuple(rules.questions), things)
        self._observation = _SHOWN.model_copy(update={"actions": tuple(self._moves)})
        self._turns = 0
        self._wrong = 0

    def reset(self, seed: int, /) -> Observation:
        """Nothing was asked yet."""
        self._turns = self._wrong = 0
        return self._observation

    def step(self, action: Action, /) -> StepResult:
        """Answer a question or judge a guess."""
        self._turns += 1
        kind, of = self._moves.get(normalised(action.text), ("", ""))
        if kind == "ask":
            said = "Yes" if self._meant in self._rules.questions[of] else "No"
            return self._result(f"{said}: that is the answer to this question.")
        if kind == "guess" and of == self._meant:
            return self._result("Correct: this is what was meant, a success.", success=True)
        if not kind:
            return self._result("That is neither a question nor a guess; the turn is spent.")
        self._wrong += 1
        return self._result(f"Wrong: the {of} was not meant.")

    def _result(self, feedback: str, success: bool = False) -> StepResult:
        lost = self._wrong >= self._rules.guesses or self._turns >= self._rules.turns
        if lost and not success:
            feedback += " No guess is left, and the game is lost."
        return StepResult(
            observation=_OVER if lost or success else self._observation,
            feedback=feedback,
            reward=0.0 if success else -1.0,
            terminated=lost or success,
            success=success,
        )


def ask(question: str) -> str:
    """The action that asks `question`."""
    return f"ask whether it {question}"


def guess(thing: str) -> str:
    """The action that guesses `thing`."""
    return f"guess {thing}"


@lru_cache(maxsize=256)
def _moves(questions: tuple[str, ...], things: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    """What each action does: ("ask", question) or ("guess", thing)."""
    found = {ask(question): ("ask", question) for question in questions}
    return found | {guess(thing): ("guess", thing) for thing in things}


def _things(instance: Instance) -> tuple[str, ...]:
    things = instance.data["things"]
    return tuple(map(str, things)) if isinstance(things, list) else ()

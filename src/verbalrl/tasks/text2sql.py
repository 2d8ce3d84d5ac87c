"""`text2sql`: questions over small databases, under rules of the house that nobody states.

Databases, questions and rules stand in `schemas.toml` of the task folder; queries run in a child.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from ..errors import DataError
from ..records import Action, Instance, Observation, Record, Split, StepResult
from ..sandbox import Answer, queries, run_queries
from . import measures
from .base import Environment, Policy, Problem, follow
from .draws import shuffled
from .measures import table_match, too_short

VERSION = "text2sql-v1"
GOAL = (
    "Write one SQLite query that answers the question; its rows are compared with the right ones."
)
Mode = Literal["strict", "paverl"]
_OVER = Observation(text="The query was run.", actions=())


class Asked(Record):
    """One kind of question."""

    text: str = Field(min_length=1)
    gold: str = Field(min_length=1)
    naive: str = Field(min_length=1)
    hint: str = Field(min_length=1)


class Schema(Record):
    """A database and what is asked of it."""

    name: str = Field(min_length=1)
    script: str = Field(min_length=1)
    questions: tuple[Asked, ...] = Field(min_length=1)

    @property
    def tables(self) -> str:
        """The statements that make the tables, without the data."""
        parts = (part.strip() for part in self.script.split(";"))
        return ";\n".join(part for part in parts if part.lower().startswith("create table"))


class Filled(NamedTuple):
    """One question with its words put in."""

    schema: Schema
    text: str
    gold: str
    naive: str
    hint: str


class TextToSql(Record):
    """All questions of one `schemas.toml`."""

    schemas: tuple[Schema, ...] = Field(min_length=1)
    fill: dict[str, tuple[str, ...]]
    reward: Mode = "strict"
    task_seed: int = 0

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> TextToSql:
        """The world of a task folder, with the databases of its `schemas.toml`."""
        path = folder / "schemas.toml"
        try:
            table = tomllib.loads(path.read_text("utf-8"))
            return cls.model_validate({**table, **args, "task_seed": task_seed})
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        except ValidationError as error:
            if error.errors()[0]["loc"][:1] == ("reward",):
                raise
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(f"{path}: {where or 'contents'}: {first['msg']}") from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error

    judged_by: ClassVar[tuple[ModuleType, ...]] = (measures, queries)

    @property
    def max_steps(self) -> int:
        """One query per question."""
        return 1

    @property
    def inline(self) -> bool:
        """A step waits for a process."""
        return False

    @cached_property
    def splits(self) -> Mapping[Split, tuple[Filled, ...]]:
        """The questions by split: of each kind a third, at least one, is for the test."""
        train: list[Filled] = []
        test: list[Filled] = []
        for schema in self.schemas:
            for asked in schema.questions:
                drawn = shuffled(
                    _fillings(schema, asked, self.fill), VERSION, self.task_seed, asked.text
                )
                share = max(1, len(drawn) // 3)
                test += drawn[:share]
                train += drawn[share:]
        return {
            "train": shuffled(train, VERSION, self.task_seed, "train"),
            "test": shuffled(test, VERSION, self.task_seed, "test"),
        }

    def size(self, split: Split, /) -> int | None:
        """The questions of `split`."""
        return len(self.splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Question number `index` of `split`."""
        found = self.splits[split][index]
        data: dict[str, JsonValue] = {
            "text": f"{found.schema.tables}\n\nQuestion: {found.text}",
            "schema": found.schema.name,
            "naive": found.naive,
            "hint": found.hint,
        }
        return Problem(GOAL, data, (found.gold,))

    def environment(self, instance: Instance, /) -> Environment:
        """One question over its database."""
        script = next(s.script for s in self.schemas if s.name == instance.data["schema"])
        return TextToSqlEnvironment(instance, script, self.reward)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows the rules."""
        return follow(instance.answers[0])


class TextToSqlEnvironment:
    """One question, to be answered once; nothing here depends on chance."""

    def __init__(self, instance: Instance, script: str, reward: Mode) -> None:
        self._text = str(instance.data["text"])
        self._gold = instance.answers[0]
        self._naive = str(instance.data["naive"])
        self._hint = str(instance.data["hint"])
        self._script = script
        self._reward: Mode = reward

    def reset(self, seed: int, /) -> Observation:
        """Show the tables and ask."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Run the query and compare its rows."""
        query = query_of(action.text)
        if not query:
            return _result("Wrong: there is no query in the answer.", 0.0, False)
        answer = _run(self._script, query)
        if answer.error:
            return _result(f"Wrong: the query fails ({answer.error}).", 0.0, False)
        gold = _run(self._script, self._gold)
        if gold.error:
            raise DataError(f"text2sql: a gold query fails: {gold.error}")
        right = Counter(answer.rows) == Counter(gold.rows)
        scored = 0.0
        if self._reward == "strict" or not too_short(query):
            scored = table_match(gold.rows, answer.rows, self._reward)
        if right:
            return _result("Correct.", scored, True)
        return _result(f"Wrong: {self._why(answer)}.", scored, False)

    def execute(self, action: Action, /) -> str:
        """What the query returns, without a judgement."""
        answer = _run(self._script, query_of(action.text) or "select")
        if answer.error:
            return f"The query fails: {answer.error}."
        return f"The query returns {len(answer.rows)} rows, first {answer.rows[:2]}."

    def _why(self, answer: Answer) -> str:
        if Counter(answer.rows) == Counter(_run(self._script, self._naive).rows):
            return self._hint
        return f"the query returns {len(answer.rows)} rows, not the right ones"


def query_of(text: str) -> str:
    """The query of an answer, out of its code fence and without the last semicolon."""
    body = text.strip()
    if body.startswith("```"):
        body = body.strip("`").removeprefix("sqlite").removeprefix("sql")
    return body.strip().rstrip(";").strip()


@lru_cache(maxsize=512)
def _run(script: str, query: str) -> Answer:
    return run_queries(None, [query], script=script)[0]


def _result(feedback: str, reward: float, success: bool) -> StepResult:
    return StepResult(
        observation=_OVER, feedback=feedback, reward=reward, terminated=True, success=success
    )


def _fillings(
    schema: Schema, asked: Asked, fill: Mapping[str, tuple[str, ...]]
) -> tuple[Filled, ...]:
    """The question with every word of the one filling that it names."""
    name = next((name for name in fill if "{" + name + "}" in asked.text), "")

    def put(text: str, word: str) -> str:
        return text.replace("{" + name + "}", word) if name else text

    return tuple(
        Filled(schema, put(asked.text, w), put(asked.gold, w), put(asked.naive, w), asked.hint)
        for w in fill.get(name, ("",))
    )

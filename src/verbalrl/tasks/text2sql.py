"""`text2sql`: questions over small databases, under rules of the house that nobody states.

Databases, questions and rules stand in `schemas.toml` of the task folder; queries run in a child.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import combinations, product
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue

from ..errors import DataError
from ..records import Action, Instance, Observation, Record, Split, StepResult
from ..sandbox import Answer, queries, run_queries
from . import measures
from .base import Environment, Fruitless, Policy, Problem, follow
from .measures import table_match, too_short
from .tables import Apart, divided, filled, read_table

VERSION = "text2sql-v1"
GOAL = (
    "Write one SQLite query that answers the question; its rows are compared with the right ones."
)
Mode = Literal["strict", "paverl"]
_OVER = Observation(text="The query was run.", actions=())


class Asked(Record):
    """What is asked, and the columns that answer it."""

    text: str = Field(min_length=1)
    select: str = Field(min_length=1)


class Scope(Record):
    """What a question is confined to; braces name a filling."""

    text: str = Field(min_length=1)
    sql: str = Field(min_length=1)


class Rule(Record):
    """A rule of the house, and the questions that it decides."""

    source: str = Field(min_length=1)
    asks: tuple[Asked, ...] = Field(min_length=1)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    right: str = Field(min_length=1)
    naive: str = ""
    """What a stranger would put in place of `right`."""
    hint: str = Field(min_length=1)

    def query(self, asked: Asked, scopes: Sequence[Scope], rule: str) -> str:
        """The query for `asked` within `scopes` under `rule`, with its braces."""
        where = " and ".join(part for part in (*(s.sql for s in scopes), rule) if part)
        return f"select {asked.select} from {self.source} where {where}"


class Schema(Record):
    """A database and what is asked of it."""

    name: str = Field(min_length=1)
    script: str = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)

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


class Schemas(Record):
    """The contents of `schemas.toml`."""

    schemas: tuple[Schema, ...] = Field(min_length=1)
    fill: dict[str, tuple[str, ...]]


class TextToSql(Apart, Schemas):
    """All questions of one `schemas.toml`."""

    reward: Mode = "strict"

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> TextToSql:
        """The world of a task folder, with the databases of its `schemas.toml`."""
        table = read_table(folder / "schemas.toml", Schemas)
        return cls.model_validate({**dict(table), **args, "task_seed": task_seed})

    judged_by: ClassVar[tuple[ModuleType, ...]] = (measures, queries)

    @cached_property
    def splits(self) -> Mapping[Split, tuple[Filled, ...]]:
        """The questions by split: of what is asked a third is for the test, in other scopes."""
        kinds = (
            (asked.text, _questions(schema, rule, asked, self.fill))
            for schema in self.schemas
            for rule in schema.rules
            for asked in rule.asks
        )
        return divided(kinds, 3, VERSION, self.task_seed)

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
        right = table_match(gold.rows, answer.rows) == 1.0
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
            return Fruitless(f"The query fails: {answer.error}.")
        if not answer.rows:
            return Fruitless("The query returns 0 rows.")
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


def _questions(
    schema: Schema, rule: Rule, asked: Asked, fill: Mapping[str, tuple[str, ...]]
) -> tuple[Filled, ...]:
    """What is asked, within every choice of scopes, with every word of their fillings."""
    found = []
    for count in range(1, len(rule.scopes) + 1):
        for scopes in combinations(rule.scopes, count):
            text = " ".join((asked.text, *(scope.text for scope in scopes))) + "?"
            gold = rule.query(asked, scopes, rule.right)
            naive = rule.query(asked, scopes, rule.naive)
            names = [name for name in fill if "{" + name + "}" in text]
            for words in product(*(fill[name] for name in names)):
                put = dict(zip(names, words, strict=True))
                shown, right, wrong = (filled(part, put) for part in (text, gold, naive))
                found.append(Filled(schema, shown, right, wrong, rule.hint))
    return tuple(found)

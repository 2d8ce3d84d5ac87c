"""Spider and BIRD folders: questions over SQLite databases, judged by what a query returns."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from pydantic import JsonValue

from ...errors import DataError
from ...records import Action, Instance, Observation, Split, StepResult
from ...sandbox import Answer, run_queries
from ..base import Environment, Fruitless, Policy, Problem, follow
from ..jsonl import Rejected, Row
from ..measures import Value, table_match, too_short
from ..text2sql import query_of
from .rows import Dataset, Refused, read_rows, taken, text_of, usable
from .splits import by_hash

Reward = Literal["strict", "paverl"]
MAX_SCHEMA = 12_000
_GOAL = "Write one SQLite query that answers the question. It is run, and its rows are compared."
_QUESTIONS = ("dev.json", "mini_dev_sqlite.json", "train_spider.json", "train.json")
_DATABASES = ("database", "databases", "dev_databases", "train_databases")
_SCHEMA = "select sql from sqlite_master where sql is not null order by rootpage, name"


class SqlQuestion(NamedTuple):
    """One usable row."""

    name: str
    question: str
    evidence: str
    gold: str
    database: str
    """The path of the SQLite file."""
    schema: str
    rows: tuple[tuple[Any, ...], ...]
    """What the gold query returns."""


def read_spider(folder: Path) -> Dataset[SqlQuestion]:
    """The questions of a Spider folder: `dev.json` and `database/<db>/<db>.sqlite`.

    Raises:
        DataError: The folder has not that layout, or no question can be used.
    """
    return _read(folder, "spider", ("query", "SQL"))


def read_bird(folder: Path) -> Dataset[SqlQuestion]:
    """The questions of a BIRD folder: rows of question, evidence, SQL and difficulty.

    Raises:
        DataError: The folder has not that layout, or no question can be used.
    """
    return _read(folder, "bird", ("SQL", "query"))


def questions_file(folder: Path) -> Path:
    """The file of `folder` that holds its questions.

    Raises:
        DataError: There is none.
    """
    for name in _QUESTIONS:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder}: no {', no '.join(_QUESTIONS)}")


def _read(folder: Path, kind: str, keys: tuple[str, ...]) -> Dataset[SqlQuestion]:
    rows, rejected = read_rows(questions_file(folder))
    base = next((folder / name for name in _DATABASES if (folder / name).is_dir()), None)
    if base is None:
        raise DataError(f"{folder}: no folder database/ with a SQLite file per database")
    asked: dict[str, list[tuple[Row, str]]] = {}
    bad = list(rejected)
    for row in rows:
        try:
            database, gold = text_of(row.fields, "db_id"), text_of(row.fields, *keys)
            text_of(row.fields, "question")
        except Refused as error:
            bad.append(Rejected(row.line, str(error)))
        else:
            asked.setdefault(database, []).append((row, gold))
    ready: dict[int, SqlQuestion | str] = {}
    notes = []
    for database in sorted(asked):
        found = _database(base, database, asked[database])
        ready |= found
        good = sum(isinstance(item, SqlQuestion) for item in found.values())
        notes.append(f"database {database}: {good} of {len(found)} gold queries can be used")
    listed = [row for group in asked.values() for row, _ in group]

    def make(row: Row) -> tuple[str, SqlQuestion]:
        item = ready[row.line]
        if isinstance(item, str):
            raise Refused(item)
        return item.name, item

    layout = "rows with SQL" if kind == "bird" else "rows with query"
    good_rows, all_bad = taken(sorted(listed), bad, make)
    return usable(Dataset(kind, layout, good_rows, all_bad, tuple(notes)), folder)


def _database(base: Path, name: str, asked: list[tuple[Row, str]]) -> dict[int, SqlQuestion | str]:
    path = (base / name / f"{name}.sqlite").resolve()
    if not path.is_relative_to(base.resolve()):
        return {row.line: "the database is outside the folder" for row, _ in asked}
    if not path.is_file():
        return {row.line: f"no database {name}" for row, _ in asked}
    schema, *answers = run_queries(path, [_SCHEMA, *(gold for _, gold in asked)])
    if schema.error:
        return {row.line: f"database {name} cannot be read: {schema.error}" for row, _ in asked}
    text = ";\n".join(str(row[0]) for row in schema.rows)[:MAX_SCHEMA]
    return {
        row.line: _question(row, gold, path, text, answer)
        for (row, gold), answer in zip(asked, answers, strict=True)
    }


def _question(row: Row, gold: str, path: Path, schema: str, answer: Answer) -> SqlQuestion | str:
    if answer.error:
        return f"the gold query fails: {answer.error}"
    if not answer.rows:
        return "the gold query returns nothing, so any empty answer would be right"
    fields = row.fields
    number = fields.get("question_id", fields.get("id"))
    name = f"{path.stem}/{row.line if number is None else number}"
    evidence = fields.get("evidence")
    return SqlQuestion(
        name,
        text_of(fields, "question").strip(),
        evidence.strip() if isinstance(evidence, str) else "",
        gold,
        str(path),
        schema,
        answer.rows,
    )


class SqlWorld:
    """The usable questions, divided by a hash of the id."""

    max_steps = 1

    def __init__(self, questions: tuple[SqlQuestion, ...], reward: Reward = "strict") -> None:
        self._splits = by_hash(questions, lambda q: q.name)
        self._reward: Reward = reward

    def size(self, split: Split, /) -> int | None:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`."""
        row = self._splits[split][index]
        hint = f"\nHint: {row.evidence}" if row.evidence else ""
        data: dict[str, JsonValue] = {
            "text": f"{row.schema}\n\nQuestion: {row.question}{hint}",
            "database": row.database,
            "rows": json.loads(json.dumps(row.rows)),
        }
        return Problem(_GOAL, data, (row.gold,), row.name)

    def environment(self, instance: Instance, /) -> Environment:
        """One question over its database."""
        return SqlEnvironment(instance, self._reward)

    def oracle(self, instance: Instance, /) -> Policy:
        """Gives the gold query."""
        return follow(instance.answers[0])


class SqlEnvironment:
    """One question, to be answered once; the query runs in a child process."""

    def __init__(self, instance: Instance, reward: Reward) -> None:
        self._text = str(instance.data["text"])
        self._database = Path(str(instance.data["database"]))
        rows = cast("list[list[Value]]", instance.data["rows"])
        self._gold: list[tuple[Value, ...]] = [tuple(row) for row in rows]
        self._ordered = "order by" in " ".join(instance.answers[0].lower().split())
        self._reward: Reward = reward

    def reset(self, seed: int, /) -> Observation:
        """Show the schema and ask."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Run the query and compare what it returns."""
        query = query_of(action.text)
        answer = self.run(query) if query else Answer(error="the query is empty")
        right = not answer.error and self._same(answer)
        return StepResult(
            observation=Observation(text="The query was run.", actions=()),
            feedback=self._feedback(answer, right),
            reward=self._scored(query, answer),
            components={"match": 0.0 if answer.error else table_match(self._gold, answer.rows)},
            terminated=True,
            success=right,
        )

    def run(self, query: str) -> Answer:
        """What `query` returns."""
        return run_queries(self._database, [query])[0]

    def execute(self, action: Action, /) -> str:
        """What the query would return, without a judgement."""
        answer = self.run(query_of(action.text))
        if answer.error:
            return Fruitless(f"The query fails: {answer.error}.")
        if not answer.rows:
            return Fruitless("The query returns 0 rows.")
        shown = "; ".join(str(row) for row in answer.rows[:3])
        return f"The query returns {len(answer.rows)} rows: {shown}"

    def _same(self, answer: Answer) -> bool:
        if self._ordered:
            return [tuple(row) for row in answer.rows] == self._gold
        return Counter(map(tuple, answer.rows)) == Counter(self._gold)

    def _scored(self, query: str, answer: Answer) -> float:
        if answer.error or (self._reward == "paverl" and too_short(query)):
            return 0.0
        return table_match(self._gold, answer.rows, self._reward)

    def _feedback(self, answer: Answer, right: bool) -> str:
        if right:
            return "Correct."
        if answer.error:
            return f"Wrong: the query fails ({answer.error})."
        if not answer.rows:
            return "Wrong: the query returns nothing."
        return f"Wrong: the query returns {len(answer.rows)} rows, but not the right ones."

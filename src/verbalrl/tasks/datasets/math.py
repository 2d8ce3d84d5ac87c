"""GSM8K and math sets: questions with one right answer, in the layouts that are about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...ids import key_id
from ..jsonl import Row
from ..questions import Question
from ..scorers import SCORERS, read_number, scorer_for
from .rows import Dataset, Refused, read_rows, taken, text_of, usable

PLAIN = "question and answer"
"""The layout that is also that of a question file of one's own."""
_FINAL = "####"
Fields = Mapping[str, str]
_Reader = Callable[[dict[str, Any]], tuple[str, list[str]]]


def read_gsm8k(path: Path) -> Dataset[Question]:
    """Rows of `question` and `answer`, whose final number follows `####`.

    Raises:
        DataError: The file cannot be read or has no usable row.
    """
    rows, rejected = read_rows(path)

    def make(row: Row) -> tuple[str, Question]:
        text = text_of(row.fields, "question")
        told = text_of(row.fields, "answer")
        if _FINAL not in told:
            raise Refused(f"no final number after {_FINAL}")
        return _question(row, text, [told.rpartition(_FINAL)[2]], "numeric")

    found = taken(rows, rejected, make)
    return usable(Dataset("gsm8k", "question and answer with ####", *found), path)


def read_math(path: Path, fields: Fields | None = None) -> Dataset[Question]:
    """Rows of a math set; `fields` names the keys of `question` and `answer` where none fits.

    Raises:
        DataError: The file cannot be read or has no usable row.
    """
    rows, rejected = read_rows(path)
    layout, read = _mapped(fields) if fields else _layout(rows)

    def make(row: Row) -> tuple[str, Question]:
        text, answers = read(row.fields)
        plain = [_plain(answer) for answer in answers]
        if not plain or not all(plain):
            raise Refused("no answer")
        return _question(row, text, plain, scorer_for(plain[0]))

    return usable(Dataset("math", layout, *taken(rows, rejected, make)), path)


def boxed(solution: str) -> str:
    r"""What stands in the last `\boxed{…}` of a solution; empty when there is none."""
    at = solution.rfind("\\boxed{")
    if at < 0:
        return ""
    depth, start = 0, at + len("\\boxed{")
    for place in range(start, len(solution)):
        if solution[place] == "{":
            depth += 1
        elif solution[place] == "}":
            if depth == 0:
                return solution[start:place]
            depth -= 1
    return ""


def _question(row: Row, text: str, answers: list[str], scorer: str) -> tuple[str, Question]:
    answers = [answer.strip() for answer in answers]
    if scorer == "numeric" and isinstance(read_number(answers[0]), str):
        raise Refused("the answer is not a number")
    for answer in answers:
        if problem := SCORERS[scorer].problem(answer):
            raise Refused(problem)
    name = row.fields.get("id", row.fields.get("unique_id"))
    known = str(name).strip() if isinstance(name, str | int) and not isinstance(name, bool) else ""
    # Rows without an id are told apart by what they ask.
    key = known or key_id("q", text)[:12]
    topic = row.fields.get("subject", row.fields.get("type"))
    about = topic.strip() if isinstance(topic, str) else ""
    return key, Question(key, text.strip(), tuple(answers), (), scorer, None, about)


def _layout(rows: tuple[Row, ...]) -> tuple[str, _Reader]:
    """The layout that fits most rows."""
    fits = {name: sum(keys <= row.fields.keys() for row in rows) for name, keys, _ in _LAYOUTS}
    best = max(_LAYOUTS, key=lambda layout: fits[layout[0]])
    return best[0], best[2]


def _mapped(fields: Fields) -> tuple[str, _Reader]:
    question, answer = fields.get("question", "question"), fields.get("answer", "answer")
    return f"{question} and {answer}", _plain_reader(question, answer)


def _plain_reader(question: str, answer: str) -> _Reader:
    def read(fields: dict[str, Any]) -> tuple[str, list[str]]:
        return text_of(fields, question), [text_of(fields, answer)]

    return read


def _body(fields: dict[str, Any]) -> tuple[str, list[str]]:
    body = text_of(fields, "Body").strip()
    end = "" if body.endswith((".", "?", "!", ",")) else "."
    return f"{body}{end} {text_of(fields, 'Question').strip()}", [text_of(fields, "Answer")]


def _solution(fields: dict[str, Any]) -> tuple[str, list[str]]:
    found = boxed(text_of(fields, "solution"))
    if not found:
        raise Refused("no boxed answer in the solution")
    return text_of(fields, "problem"), [found]


def _finals(fields: dict[str, Any]) -> tuple[str, list[str]]:
    value = fields.get("final_answer")
    values = value if isinstance(value, list) else [value]
    if len(values) != 1:
        raise Refused("no single final answer")
    return text_of(fields, "question"), [text_of({"final_answer": values[0]}, "final_answer")]


# Of two that fit equally many rows the earlier one is taken: an answer says more than a solution.
_LAYOUTS: tuple[tuple[str, frozenset[str], _Reader], ...] = (
    ("problem and answer", frozenset({"problem", "answer"}), _plain_reader("problem", "answer")),
    ("Body, Question and Answer", frozenset({"Body", "Question", "Answer"}), _body),
    ("problem and solution with a boxed answer", frozenset({"problem", "solution"}), _solution),
    ("question and final_answer", frozenset({"question", "final_answer"}), _finals),
    (PLAIN, frozenset({"question", "answer"}), _plain_reader("question", "answer")),
)


def _plain(answer: str) -> str:
    """An answer without the dollar signs of LaTeX and without a final zero of a float."""
    text = answer.strip()
    if len(text) > 2 and text[0] == text[-1] == "$":
        text = text[1:-1].strip()
    return re.sub(r"^(-?\d+)\.0$", r"\1", text)

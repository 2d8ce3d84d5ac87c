"""HotpotQA: questions over the paragraphs that come with them, with search, lookup and finish.

Both layouts are read: the official one (`[[title, [sentences]], …]`) and that of the hub
(`{"title": […], "sentences": [[…], …]}`). Actions are those of ReAct.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from ...ids import normalised
from ...records import Action, Instance, Observation, Split, StepResult
from ..base import Environment, Policy, Problem, follow
from ..jsonl import Row
from ..measures import squad_normalised, text_match
from .rows import Dataset, Refused, read_rows, taken, text_of, usable
from .splits import by_hash

MAX_STEPS = 8
SHOWN_SENTENCES = 5
_ACTION = re.compile(r"\s*(search|lookup|finish)\s*\[(.*)\]\s*[.!]?\s*", re.IGNORECASE | re.DOTALL)
_RULES = (
    "Answer the question from the paragraphs at hand. Actions: search[title] shows a paragraph, "
    "lookup[words] the next sentence of it that holds these words, finish[answer] ends with an "
    "answer of a few words."
)
_HELP = "Not understood. Write search[title], lookup[words] or finish[answer]."


class Paragraph(NamedTuple):
    """One paragraph of the context."""

    title: str
    sentences: tuple[str, ...]


class HotpotQuestion(NamedTuple):
    """One usable row."""

    name: str
    question: str
    answer: str
    context: tuple[Paragraph, ...]


def read_hotpotqa(path: Path) -> Dataset[HotpotQuestion]:
    """Rows of question, answer and context, in either layout.

    Raises:
        DataError: The file cannot be read or has no usable row.
    """
    rows, rejected = read_rows(path)
    hub = sum(isinstance(row.fields.get("context"), dict) for row in rows) * 2 > len(rows)
    layout = "context as title and sentences" if hub else "context as pairs"
    return usable(Dataset("hotpotqa", layout, *taken(rows, rejected, _question)), path)


def _question(row: Row) -> tuple[str, HotpotQuestion]:
    fields = row.fields
    question, answer = text_of(fields, "question"), text_of(fields, "answer")
    if not squad_normalised(answer):
        raise Refused("the answer has no word that counts")
    context = _context(fields.get("context"))
    name = text_of(fields, "_id", "id")
    return name, HotpotQuestion(name, question.strip(), answer.strip(), context)


def _context(value: Any) -> tuple[Paragraph, ...]:
    if isinstance(value, dict):
        titles, sentences = value.get("title"), value.get("sentences")
        if not isinstance(titles, list) or not isinstance(sentences, list):
            raise Refused("no context")
        if len(titles) != len(sentences):
            raise Refused("the context has not as many titles as paragraphs")
        value = [[t, s] for t, s in zip(titles, sentences, strict=True)]
    if not isinstance(value, list) or not value:
        raise Refused("no context")
    found = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], list):
            raise Refused("the context is neither pairs nor titles and sentences")
        title, sentences = pair
        if not isinstance(title, str) or not all(isinstance(s, str) for s in sentences):
            raise Refused("the context holds something that is no text")
        found.append(Paragraph(title, tuple(s.strip() for s in sentences if s.strip())))
    return tuple(found)


class HotpotWorld:
    """The usable rows, divided by a hash of the id."""

    max_steps = MAX_STEPS

    def __init__(self, questions: tuple[HotpotQuestion, ...]) -> None:
        self._splits = by_hash(questions, lambda q: q.name)

    def size(self, split: Split, /) -> int | None:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`."""
        row = self._splits[split][index]
        data: dict[str, JsonValue] = {
            "question": row.question,
            "context": [[p.title, list(p.sentences)] for p in row.context],
        }
        return Problem(_RULES, data, (row.answer,), row.name)

    def environment(self, instance: Instance, /) -> Environment:
        """One question and its paragraphs."""
        return HotpotEnvironment(instance)

    def oracle(self, instance: Instance, /) -> Policy:
        """Gives the expected answer."""
        return follow(f"finish[{instance.answers[0]}]")


class HotpotEnvironment:
    """One question; nothing here depends on chance."""

    def __init__(self, instance: Instance) -> None:
        self._question = str(instance.data["question"])
        self._answer = instance.answers[0]
        context = cast("list[tuple[str, list[str]]]", instance.data["context"])
        self._pages = [Paragraph(title, tuple(sentences)) for title, sentences in context]
        self._page: Paragraph | None = None
        self._seen: tuple[str, int] = ("", 0)

    def reset(self, seed: int, /) -> Observation:
        """Ask."""
        self._page, self._seen = None, ("", 0)
        return Observation(text=self._question)

    def step(self, action: Action, /) -> StepResult:
        """Show what was asked for, or judge the answer."""
        found = _ACTION.fullmatch(action.text)
        if found is None:
            shown = Observation(text=self._question)
            return StepResult(observation=shown, feedback=_HELP, reward=0.0, success=False)
        verb, of = found[1].lower(), found[2].strip()
        if verb == "finish":
            return self._judged(of)
        text, feedback = self._search(of) if verb == "search" else self._lookup(of)
        shown = Observation(text=f"{self._question}\n{text}")
        return StepResult(observation=shown, feedback=feedback, reward=0.0, success=False)

    def _judged(self, answer: str) -> StepResult:
        match = text_match(self._answer, answer)
        feedback = "Correct." if match.exact else "Wrong."
        if not match.exact and match.f1:
            feedback = "Wrong: some words are right, others are missing or too many."
        return StepResult(
            observation=Observation(text="The question is answered.", actions=()),
            feedback=feedback,
            reward=float(match.exact),
            components={"exact": float(match.exact), "f1": round(match.f1, 6)},
            terminated=True,
            success=match.exact,
        )

    def _search(self, title: str) -> tuple[str, str]:
        page = next((p for p in self._pages if normalised(p.title) == normalised(title)), None)
        if page is None:
            wanted = set(squad_normalised(title).split())
            scored = [
                (len(wanted & set(squad_normalised(p.title).split())), p) for p in self._pages
            ]
            similar = [p.title for n, p in sorted(scored, key=lambda x: -x[0]) if n][:5]
            tail = f" Similar: {'; '.join(similar)}." if similar else ""
            return f"There is no paragraph of this title.{tail}", "Nothing was found."
        self._page, self._seen = page, ("", 0)
        return " ".join(page.sentences[:SHOWN_SENTENCES]), "A paragraph is shown."

    def _lookup(self, words: str) -> tuple[str, str]:
        if self._page is None:
            return "No paragraph is open yet.", "Search before you look up; nothing was found."
        key = normalised(words)
        hits = [s for s in self._page.sentences if key and key in normalised(s)]
        at = self._seen[1] if self._seen[0] == key else 0
        if at >= len(hits):
            return "No more sentence of it holds these words.", "Nothing was found."
        self._seen = (key, at + 1)
        return f"(Result {at + 1} of {len(hits)}) {hits[at]}", "A sentence is shown."

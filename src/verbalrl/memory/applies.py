"""Do the conditions of lessons hold in a situation: by words, or by a model's yes or no. Pure.

A model is asked one question per lesson and situation, many lessons in one call. What it does not
answer, and everything when the call fails, is tested by words (`conditions.holds`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..prompts import PromptLibrary
from ..records import Lesson, LessonKind, Record
from .conditions import STOP_WORDS, holds, stem, words_of

TEMPLATE = "memory/applies"
PER_CALL = 40
"""Lessons that one call is asked about, at most."""
_ALIKE = 0.8


class ConditionView(Record):
    """The condition of a lesson as a judge sees it."""

    alias: int
    when: str = ""
    when_not: str = ""
    examples_not: tuple[str, ...] = ()


class AppliesInputs(Record):
    """What `memory/applies` is rendered from."""

    situation: str
    lessons: tuple[ConditionView, ...]


def is_conditional(lesson: Lesson) -> bool:
    """Whether there is a condition to test; a reflection serves the instance that it came from."""
    body = lesson.body
    asked = body.conditional or body.when_not.strip() or body.examples_not
    return lesson.kind is not LessonKind.REFLECTION and bool(asked)


def applies(lesson: Lesson, situation: str) -> bool:
    """By words: the condition holds, its exception does not, and no near-negative is like it."""
    return holds(lesson.when, lesson.when_not, situation) and not any(
        is_like(example, situation) for example in lesson.body.examples_not
    )


def is_like(example: str, situation: str) -> bool:
    """Whether nearly all that an example speaks of occurs in the situation."""
    said = _content(example)
    return bool(said) and len(said & _content(situation)) >= _ALIKE * len(said)


def batches(lessons: Iterable[Lesson]) -> tuple[dict[int, Lesson], ...]:
    """The conditional ones of `lessons` by the number that a judge sees, call by call."""
    asked = [x for x in lessons if x.usable and is_conditional(x)]
    starts = range(0, len(asked), PER_CALL)
    return tuple(dict(enumerate(asked[n : n + PER_CALL], start=1)) for n in starts)


def question(batch: Mapping[int, Lesson], situation: str, prompts: PromptLibrary) -> str:
    """The prompt that asks about `batch`."""
    views = tuple(
        ConditionView(alias=n, when=x.when, when_not=x.when_not, examples_not=x.body.examples_not)
        for n, x in batch.items()
    )
    return prompts.render(TEMPLATE, AppliesInputs(situation=situation, lessons=views)).text


def answer_schema(aliases: Iterable[int]) -> dict[str, Any]:
    """The JSON schema of an answer: a boolean for every number."""
    names = [str(n) for n in aliases]
    return {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in names},
        "required": names,
        "additionalProperties": False,
    }


def read(answer: Mapping[str, Any], batch: Mapping[int, Lesson]) -> dict[str, bool]:
    """By lesson id what was answered with a yes or a no."""
    said = {n: answer.get(str(n)) for n in batch}
    return {batch[n].id: value for n, value in said.items() if isinstance(value, bool)}


def fits(lesson: Lesson, situation: str, judged: Mapping[str, bool]) -> bool:
    """Whether `lesson` may be shown: as was `judged`, by words where nobody was asked."""
    if not is_conditional(lesson):
        return True
    said = judged.get(lesson.id)
    return applies(lesson, situation) if said is None else said


def _content(text: str) -> frozenset[str]:
    return frozenset(stem(w) for w in words_of(text) if w not in STOP_WORDS)

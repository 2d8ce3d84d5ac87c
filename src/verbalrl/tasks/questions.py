"""Questions with known answers: a file of the user's own, or the data of a task folder.

One JSON object per line: `{"question", "answer", "choices"?, "id"?, "split"?, "scorer"?}`. An
answer is a text, a number, or a list of texts of which any counts.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from pydantic import JsonValue

from ..errors import ConfigurationError, DataError, some
from ..ids import coin, key_id, normalised, sha256_json
from ..records import (
    Action,
    Instance,
    Observation,
    Origin,
    RewardSupplier,
    Split,
    StepResult,
)
from ..text import plural
from .base import Card, Environment, Policy, Problem, WorldTask, follow
from .jsonl import Rejected, Row, read_lines, summary
from .scorers import SCORERS, load_scorer, scorer_for

TRAIN_SHARE = 0.7
_KEYS = frozenset({"question", "answer", "choices", "id", "split", "scorer", "topic"})
_NEAR = 0.82
"""From this likeness on a key looks like another; `idx` is none for `id`."""
_GOAL = "Answer the question."
_CHOICE_GOAL = "Choose the right answer to the question."
# The first wording that names no choice and no answer is taken.
_RIGHT = ("Correct.", "That was right.", "A success.", "Well done.")
_WRONG = ("Wrong.", "Not correct.", "A failure.", "That is a mistake.")


class Question(NamedTuple):
    """One usable row."""

    name: str
    text: str
    answers: tuple[str, ...]
    choices: tuple[str, ...]
    scorer: str
    split: Split | None
    topic: str = ""
    """What it is about, as the row says; nobody is shown it."""


class Questions:
    """The usable rows of one file, divided into train and test."""

    def __init__(self, path: Path) -> None:
        """Read the file `path`.

        Raises:
            DataError: It cannot be used; one line that says why.
        """
        lines = read_lines(path)
        self.rejected: tuple[Rejected, ...]
        self.doubts: tuple[str, ...]
        questions, self.rejected = _usable(lines.rows, lines.rejected)
        if not questions:
            raise DataError(f"{path}: no usable row: {summary(self.rejected)}")
        self._splits, divided = divide(questions)
        self.doubts = (*_misspelt(lines.rows), *_contradicting(questions))
        """What was read as it stands, and may have been meant otherwise."""
        self.notes = (*self._notes(path, questions, divided), *self.doubts)

    @classmethod
    def of(cls, questions: Sequence[Question], notes: tuple[str, ...]) -> Questions:
        """The world of questions that were read elsewhere."""
        world = cls.__new__(cls)
        world.rejected = world.doubts = ()
        world._splits, _ = divide(list(questions))
        world.notes = notes
        return world

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Questions:
        """The world of a task folder: `args.file`, by default `instances.jsonl`."""
        unknown = sorted(set(args) - {"file"})
        if unknown:
            raise ConfigurationError(f"{folder}: questions take no argument {unknown[0]!r}")
        path = (folder / str(args.get("file", "instances.jsonl"))).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ConfigurationError(f"{folder}: file {path} is outside the task folder")
        del task_seed  # the rows are what they are
        return cls(path)

    @property
    def max_steps(self) -> int:
        """One answer per question."""
        return 1

    def size(self, split: Split, /) -> int | None:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`, in the order of the file."""
        question = self._splits[split][index]
        data: dict[str, JsonValue] = {
            "question": question.text,
            "choices": list(question.choices),
            "scorer": question.scorer,
        }
        if question.topic:
            data["topic"] = question.topic
        goal = _CHOICE_GOAL if question.choices else _GOAL
        return Problem(goal, data, question.answers, question.name)

    def environment(self, instance: Instance, /) -> Environment:
        """One question."""
        return QuestionEnvironment(instance)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Gives the expected answer; none for patterns, which are no answers themselves."""
        if instance.data["scorer"] == "regex":
            return None
        return follow(instance.answers[0])

    def _notes(self, path: Path, questions: list[Question], divided: bool) -> tuple[str, ...]:
        scorers = Counter(question.scorer for question in questions)
        counted = ", ".join(f"{name} {scorers[name]}" for name in sorted(scorers))
        train, test = len(self._splits["train"]), len(self._splits["test"])
        how = "divided 70/30 by a hash of the id" if divided else "divided as the rows say"
        notes = [
            f"{path.name}: {plural(len(questions), 'row')}, {train} train, {test} test ({how})"
        ]
        notes.append(f"scored by {counted}")
        if self.rejected:
            notes.append(f"rows rejected: {len(self.rejected)}: {summary(self.rejected)}")
        return tuple(notes)


class QuestionEnvironment:
    """One question, to be answered once; nothing here depends on chance."""

    def __init__(self, instance: Instance) -> None:
        self._text = str(instance.data["question"])
        self._choices = tuple(cast("list[str]", instance.data["choices"]))
        self._answers = instance.answers
        self._scorer = load_scorer(str(instance.data["scorer"]))

    def reset(self, seed: int, /) -> Observation:
        """Ask."""
        return Observation(text=self._text, actions=self._choices or None)

    def step(self, action: Action, /) -> StepResult:
        """Judge the answer; what is said never holds the right one."""
        right, why = self._judge(action.text)
        return StepResult(
            observation=Observation(text="The question is answered.", actions=()),
            feedback=self._feedback(right, why),
            reward=1.0 if right else 0.0,
            terminated=True,
            success=right,
        )

    def execute(self, action: Action, /) -> str:
        """How the answer would be understood, without a judgement."""
        return self._scorer.reading(action.text)

    def _judge(self, given: str) -> tuple[bool, str]:
        if self._choices and normalised(given) not in {normalised(c) for c in self._choices}:
            return False, "this is not one of the choices"
        why = ""
        for expected in self._answers:
            right, why = self._scorer.judge(expected, given)
            if right:
                return True, ""
        return False, why

    def _feedback(self, right: bool, why: str) -> str:
        wordings: tuple[str, ...] = _RIGHT if right else _WRONG
        if why:
            wordings = (f"Wrong: {why}.", *wordings)
        return next((w for w in wordings if not self._gives_away(w)), "Done.")

    def _gives_away(self, wording: str) -> bool:
        said = f" {_words(wording)} "
        return any(f" {_words(text)} " in said for text in (*self._answers, *self._choices))


def load_questions(path: Path, *, untrusted: bool = False) -> WorldTask:
    """The file `path` as a task that learns both ways.

    Raises:
        DataError: It cannot be used; one line that says why.
    """
    world = Questions(path)
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "questions"
    sizes = {split: world.size(split) or 0 for split in ("train", "test")}
    problems = [world.problem(s, i) for s in ("train", "test") for i in range(sizes[s])]
    card = Card(
        id=name,
        summary=f"The questions of {path.name}.",
        learns="both",
        observations=Origin.UNTRUSTED if untrusted else Origin.TASK,
        max_steps=world.max_steps,
        inline=True,
        reward_supplier=RewardSupplier.CHECK,
        default_train=max(sizes["train"], 1),
        # Methods that learn per instance are read on all rows, the others on the test rows alone.
        default_instances=len(problems),
        ref=str(path.resolve()),
        notes=world.notes,
        behaviour=sha256_json([list(problem) for problem in problems]),
    )
    return WorldTask(card, world)


def _usable(
    rows: tuple[Row, ...], rejected: tuple[Rejected, ...]
) -> tuple[list[Question], tuple[Rejected, ...]]:
    questions: dict[str, Question] = {}
    bad = list(rejected)
    for row in rows:
        try:
            question = _question(row.fields)
            if question.name in questions:
                raise ValueError("the same id, or the same question, as on an earlier line")
        except ValueError as error:
            bad.append(Rejected(row.line, str(error)))
        else:
            questions[question.name] = question
    return list(questions.values()), tuple(sorted(bad))


def _misspelt(rows: Sequence[Row]) -> tuple[str, ...]:
    """Keys that nothing reads and that look like one that is read, with the lines they are on."""
    others = dict.fromkeys(key for row in rows for key in row.fields.keys() - _KEYS)
    near = {key: difflib.get_close_matches(key.lower(), _KEYS, 1, _NEAR) for key in others}
    found = [
        Rejected(row.line, f"{key!r}, did you mean {known}?")
        for row in rows
        for key in row.fields
        for known in near.get(key, ())
        if known not in row.fields
    ]
    return (f"keys that nothing reads: {summary(tuple(found))}",) if found else ()


def _contradicting(questions: Sequence[Question]) -> tuple[str, ...]:
    """The ids of rows that ask the same, and do not have the same answers."""
    asked: dict[tuple[str, tuple[str, ...]], list[Question]] = {}
    for question in questions:
        asked.setdefault((question.text, question.choices), []).append(question)
    apart = [
        " and ".join(question.name for question in same)
        for same in asked.values()
        if len({frozenset(question.answers) for question in same}) > 1
    ]
    return (f"rows that ask the same, with other answers: {some(apart)}",) if apart else ()


def _question(fields: dict[str, Any]) -> Question:
    text = fields.get("question")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"the question is {_kind(text)}; give a text in quotes")
    if text is None or not text.strip():
        raise ValueError("no question" if text is None else "no question: its text is empty")
    answers = _texts(fields, "answer")
    choices = _texts(fields, "choices") if fields.get("choices") is not None else ()
    split = fields.get("split")
    if split not in (None, "train", "test"):
        raise ValueError('split is neither "train" nor "test"')
    scorer = fields.get("scorer") or ("exact" if choices else scorer_for(answers[0]))
    _check_scoring(scorer, answers, choices)
    name = fields.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int | None):
        raise ValueError("id is neither a text nor a whole number")
    if name is None or not str(name).strip():
        name = key_id("q", text, list(choices))[:12]
    topic = _text(fields.get("topic"))
    return Question(str(name).strip(), text, answers, choices, scorer, split, topic)


def _check_scoring(scorer: object, answers: tuple[str, ...], choices: tuple[str, ...]) -> None:
    if not isinstance(scorer, str) or scorer not in SCORERS:
        raise ValueError(f"scorer is none of {', '.join(sorted(SCORERS))}")
    for answer in answers:
        if problem := SCORERS[scorer].problem(answer):
            raise ValueError(problem)
    folded = [normalised(choice) for choice in choices]
    if choices and (len(folded) < 2 or len(set(folded)) < len(folded)):
        raise ValueError("choices are not at least two different texts")
    if choices and scorer != "regex" and not {normalised(a) for a in answers} <= set(folded):
        raise ValueError("the answer is not among the choices")


def _texts(fields: dict[str, Any], key: str) -> tuple[str, ...]:
    value = fields.get(key)
    values = value if isinstance(value, list) else [value]
    texts = tuple(text for text in map(_text, values) if text)
    for one in values:
        if isinstance(one, dict | list):
            raise ValueError(f"no {key}: {_kind(one)} is neither a text nor a number")
    if not texts or len(texts) < len(values):
        raise ValueError(f"no {key}")
    return texts


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).strip()
    return ""


def _kind(value: object) -> str:
    """How JSON calls a value that is no text."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


class Placed(Protocol):
    """What may say of itself in which split it belongs."""

    @property
    def name(self) -> str:
        """Its own name, by which it is divided otherwise."""
        ...

    @property
    def split(self) -> Split | None:
        """Its split; None: as its name is drawn."""
        ...


P = TypeVar("P", bound=Placed)


def divide(items: Sequence[P]) -> tuple[dict[Split, list[P]], bool]:
    """The items by split, 70 to 30 by a hash of the name where they do not say; and if any was."""
    drawn = {item.name: coin("split", item.name) for item in items if item.split is None}
    splits: dict[Split, list[P]] = {"train": [], "test": []}
    # With two rows or more, neither side of a divided file stays empty.
    low, high = min(drawn.values(), default=0.0), max(drawn.values(), default=0.0)
    train_below = min(max(TRAIN_SHARE, low + 1e-12), high) if len(drawn) > 1 else 1.0
    for item in items:
        by_hash: Split = "train" if drawn.get(item.name, 0.0) < train_below else "test"
        splits[item.split or by_hash].append(item)
    return splits, bool(drawn)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalised(text)))

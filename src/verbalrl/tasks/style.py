"""`scoped-style`: rules of style with a scope, learned from being told what was amiss.

A third of the prompts is inside the scope of a rule, a third is near it, a third is neither.
Rules and prompts stand in `rules.toml` of the task folder; code checks whether a rule was followed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import dealt, pick
from .tables import read_table

VERSION = "scoped-style-v1"
GOAL = "Write what is asked for, naming whom or what it is about, in the style of the house."
SCOPES: tuple[str, ...] = ("inside", "near", "general")
_OVER = Observation(text="The text is handed in.", actions=())


class Rule(Record):
    """Words that one kind of text has to start or to end with."""

    mark: str = Field(min_length=1)
    place: Literal["start", "end"]
    inside: str = Field(min_length=1)
    near: str = Field(min_length=1)

    def followed(self, text: str) -> bool:
        """Whether `text` has the words in their place."""
        words, mark = _words(text), _words(self.mark)
        return words[: len(mark)] == mark if self.place == "start" else words[-len(mark) :] == mark

    def applied(self, text: str) -> bool:
        """Whether `text` has the words anywhere."""
        return _holds(text, self.mark)


class Prompts(Record):
    """Prompts to which no rule is near."""

    prompts: tuple[str, ...] = Field(min_length=1)


class Requests(Record):
    """How one split asks."""

    requests: tuple[str, ...] = Field(min_length=1)


class Rules(Record):
    """The contents of `rules.toml`."""

    rules: tuple[Rule, ...] = Field(min_length=1)
    general: Prompts
    fill: dict[str, tuple[str, ...]]
    train: Requests
    test: Requests


class ScopedStyle(Record):
    """All prompts of one `rules.toml`."""

    table: Rules
    task_seed: int = 0

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> ScopedStyle:
        """The world of a task folder, with the rules of its `rules.toml`."""
        table = read_table(folder / "rules.toml", Rules)
        return cls.model_validate({**args, "table": table, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """One text per prompt."""
        return 1

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Prompt number `index`: three per rule in a row hold each rule in each scope once."""
        key = (VERSION, self.task_seed, split)
        cells = [(n, scope) for n in range(len(self.table.rules)) for scope in SCOPES]
        number, scope = dealt(cells, index, *key)
        own = (*key, index)
        rule = self.table.rules[number]
        kinds = {"inside": (rule.inside,), "near": (rule.near,)}
        what = pick(kinds.get(scope, self.table.general.prompts), *own, "what")
        asked = self.table.train if split == "train" else self.table.test
        text = pick(asked.requests, *own, "request").replace("{what}", what)
        about: list[JsonValue] = []
        for name, words in self.table.fill.items():
            filling = pick(words, *own, name)
            about += [filling] * ("{" + name + "}" in text)
            text = text.replace("{" + name + "}", filling)
        data: dict[str, JsonValue] = {
            "text": text,
            "rule": number,
            "scope": scope,
            "about": about,
        }
        return Problem(GOAL, data)

    def environment(self, instance: Instance, /) -> Environment:
        """One prompt."""
        return StyleEnvironment(self.table.rules, instance)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows the rules and where they hold."""
        number = instance.data["rule"]
        text = f"Here it is, about {' and '.join(_about(instance))}"
        if instance.data["scope"] == "inside" and isinstance(number, int):
            rule = self.table.rules[number]
            text = f"{rule.mark}. {text}." if rule.place == "start" else f"{text}. {rule.mark}."
        return follow(text)


class StyleEnvironment:
    """One prompt, to be answered once; nothing here depends on chance."""

    def __init__(self, rules: tuple[Rule, ...], instance: Instance) -> None:
        self._rules = rules
        self._text = str(instance.data["text"])
        number = instance.data["rule"]
        self._scope = str(instance.data["scope"])
        self._about = _about(instance)
        self._rule = rules[number] if isinstance(number, int) else rules[0]

    def reset(self, seed: int, /) -> Observation:
        """Ask for a text."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Check the text against the rule, and against rules that do not hold here."""
        why = self._amiss(action.text)
        right = not why
        return StepResult(
            observation=_OVER,
            feedback=f"Wrong: {why}." if why else "Good: that is the style of the house.",
            reward=float(right),
            components={self._scope: float(right)},
            terminated=True,
            success=right,
        )

    def _amiss(self, text: str) -> str:
        if not all(_holds(text, about) for about in self._about):
            return "the text does not name whom or what it is about"
        wanted = self._rule if self._scope == "inside" else None
        for rule in self._rules:
            if rule is not wanted and rule.applied(text):
                return f'the words "{rule.mark}" are out of place in this text'
        if wanted is not None and not wanted.followed(text):
            return f'the words "{wanted.mark}" are missing at the {wanted.place}'
        return ""


def _about(instance: Instance) -> tuple[str, ...]:
    about = instance.data["about"]
    return tuple(map(str, about)) if isinstance(about, list) else ()


def _holds(text: str, phrase: str) -> bool:
    return f" {' '.join(_words(phrase))} " in f" {' '.join(_words(text))} "


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", normalised(text))

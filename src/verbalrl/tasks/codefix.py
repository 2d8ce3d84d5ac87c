"""`codefix`: small functions with a planted bug, judged by hidden tests in the sandbox.

Functions, bugs and tests stand in `functions.toml` of the task folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Self, cast

from pydantic import Field, JsonValue, model_validator

from ..errors import ConfigurationError, DataError
from ..records import Action, Instance, Observation, Record, Split, StepResult
from ..sandbox import CHOICES, Returned, Tier, choose, programs, run_calls, shown, worker
from .base import Environment, Fruitless, Policy, Problem, follow
from .tables import Apart, divided, filled, read_table

VERSION = "codefix-v1"
GOAL = "The function has one bug. Give the whole function, mended; hidden tests are run on it."
MAX_TEXT = 1 << 16
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_OVER = Observation(text="The tests were run.", actions=())


class Bug(Record):
    """One text in place of another."""

    old: str = Field(min_length=1)
    new: str


class Case(Record):
    """The tests of one behaviour."""

    when: str = Field(min_length=1)
    calls: tuple[tuple[JsonValue, ...], ...] = Field(min_length=1)


class Function(Record):
    """A function, what may be wrong with it, and its tests."""

    name: str = Field(min_length=1)
    right: str = Field(min_length=1)
    bugs: tuple[Bug, ...] = Field(min_length=1)
    cases: tuple[Case, ...] = Field(min_length=1)


class Planted(NamedTuple):
    """A function with one bug."""

    function: Function
    bug: Bug

    @property
    def text(self) -> str:
        """What the agent sees."""
        return self.function.right.replace(self.bug.old, self.bug.new, 1)


class Part(Record):
    """What may stand in a slot, what is wrong in its bug, and the tests that show it."""

    says: str
    """Its words in the docstring."""
    text: str = Field(min_length=1)
    wrong: str = ""
    """The bug, in place of `text`; empty: it has none."""
    when: str = ""
    calls: tuple[tuple[JsonValue, ...], ...] = ()
    blind: tuple[str, ...] = ()
    """Slots whose parts make no difference beside it."""

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if self.wrong and not (self.when and self.calls):
            raise ValueError(f"the bug {self.wrong!r} has no case that shows it")
        return self


class Slot(Record):
    """A place in the functions of a family."""

    name: str = Field(min_length=1)
    parts: tuple[Part, ...] = Field(min_length=1)


class Family(Record):
    """Functions that are put together of parts."""

    name: str = Field(min_length=1)
    right: str = Field(min_length=1)
    slots: tuple[Slot, ...] = Field(min_length=1)

    def functions(self) -> tuple[Function, ...]:
        """Every choice of parts that makes a difference."""
        choices = product(*(slot.parts for slot in self.slots))
        return tuple(self._function(parts) for parts in choices if not self._blind(parts))

    def _blind(self, parts: tuple[Part, ...]) -> bool:
        blind = {name for part in parts for name in part.blind}
        chosen = zip(self.slots, parts, strict=True)
        return any(slot.name in blind and part is not slot.parts[0] for slot, part in chosen)

    def _function(self, parts: tuple[Part, ...]) -> Function:
        names = [slot.name for slot in self.slots]
        says = {name: part.says for name, part in zip(names, parts, strict=True)}
        texts = {f"{name}_text": part.text for name, part in zip(names, parts, strict=True)}
        right = filled(self.right, says | texts)
        buggy = [(n, part) for n, part in zip(names, parts, strict=True) if part.wrong]
        bugs = [
            Bug(old=right, new=filled(self.right, says | texts | {f"{name}_text": part.wrong}))
            for name, part in buggy
        ]
        cases = [Case(when=part.when, calls=part.calls) for _, part in buggy]
        return Function(name=self.name, right=right, bugs=tuple(bugs), cases=tuple(cases))


class Functions(Record):
    """The contents of `functions.toml`."""

    functions: tuple[Function, ...] = Field(min_length=1)
    families: tuple[Family, ...] = ()


class CodeFix(Apart, Functions):
    """All functions of one `functions.toml`."""

    sandbox: str = "auto"

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> CodeFix:
        """The world of a task folder, with the functions of its `functions.toml`."""
        table = read_table(folder / "functions.toml", Functions)
        found = cls.model_validate({**dict(table), **args, "task_seed": task_seed})
        if found.sandbox not in CHOICES:
            wanted = f"take one of {', '.join(CHOICES)}"
            raise ConfigurationError(f"sandbox is {found.sandbox!r}; {wanted}")
        return found

    judged_by: ClassVar[tuple[ModuleType, ...]] = (programs, worker)

    @cached_property
    def splits(self) -> Mapping[Split, tuple[Planted, ...]]:
        """The functions with their bugs by split: of each kind half of them are for the test."""
        kinds = {family.name: family.functions() for family in self.families}
        kinds |= {function.name: (function,) for function in self.functions}
        planted = (
            (name, [Planted(function, bug) for function in functions for bug in function.bugs])
            for name, functions in kinds.items()
        )
        return divided(planted, 2, VERSION, self.task_seed)

    def size(self, split: Split, /) -> int | None:
        """The functions of `split`."""
        return len(self.splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Function number `index` of `split`."""
        planted = self.splits[split][index]
        function = planted.function
        data: dict[str, JsonValue] = {
            "text": planted.text.strip("\n"),
            "name": function.name,
            "cases": [case.model_dump(mode="json") for case in function.cases],
        }
        return Problem(GOAL, data, (function.right.strip("\n"),))

    def environment(self, instance: Instance, /) -> Environment:
        """One function, to be mended.

        Raises:
            ConfigurationError: This machine has no sandbox of the kind that is asked for.
        """
        return CodeFixEnvironment(instance, choose(self.sandbox))

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows the right function."""
        return follow(instance.answers[0])


class CodeFixEnvironment:
    """One function, to be answered once; nothing here depends on chance."""

    def __init__(self, instance: Instance, tier: Tier) -> None:
        self._text = str(instance.data["text"])
        self._name = str(instance.data["name"])
        self._right = instance.answers[0]
        cases = cast("list[dict[str, Any]]", instance.data["cases"])
        self._cases = [(str(c["when"]), [tuple(args) for args in c["calls"]]) for c in cases]
        self._tier = tier

    def reset(self, seed: int, /) -> Observation:
        """Show the function."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Run the hidden tests on the answer."""
        program = program_of(action.text)
        if not defines(program, self._name):
            return self._result(f"Wrong: the answer defines no function {self._name}.", 0.0)
        calls = [args for _, group in self._cases for args in group]
        found = run_calls(program, self._name, calls, self._tier)
        wanted = _expected(self._right, self._name, json.dumps(calls), self._tier)
        found += [found[-1]] * (len(calls) - len(found))
        failing: list[tuple[str, Returned]] = []
        at = 0
        for when, group in self._cases:
            pairs = list(zip(found[at:], wanted[at : at + len(group)], strict=False))
            at += len(group)
            failing += [(when, got) for got, right in pairs if not _same(got, right)][:1]
        share = (len(self._cases) - len(failing)) / len(self._cases)
        return self._result(_told(failing), share)

    def execute(self, action: Action, /) -> str:
        """What the answer returns for one call, without a judgement."""
        program = program_of(action.text)
        if not defines(program, self._name):
            return Fruitless(f"The answer defines no function {self._name}.")
        args = self._cases[0][1][0]
        found = run_calls(program, self._name, [args], self._tier)[-1]
        given = ", ".join(map(repr, args))
        if found.error:
            return Fruitless(f"{self._name}({given}): {found.error}.")
        return f"{self._name}({given}): it returns {shown(found.value)}."

    def _result(self, feedback: str, share: float) -> StepResult:
        return StepResult(
            observation=_OVER,
            feedback=feedback,
            reward=share,
            components={"behaviours": share, f"sandbox.{self._tier.name}": 1.0},
            terminated=True,
            success=share == 1.0,
        )


def program_of(text: str) -> str:
    """The program of an answer, out of its longest code fence."""
    fenced = _FENCE.findall(text)
    return max(fenced, key=len) if fenced else text


def defines(program: str, name: str) -> bool:
    """Whether the text may define `name`; it is never parsed here, which some texts abuse."""
    found = re.search(rf"^(async )?(def|class) +{re.escape(name)}\b", program, re.MULTILINE)
    assigned = re.search(rf"^{re.escape(name)} *=", program, re.MULTILINE)
    return len(program) <= MAX_TEXT and bool(found or assigned)


def _same(got: Returned, right: Returned) -> bool:
    # Only plain values come here, so that `==` is Python's own.
    return not got.error and bool(got.value == right.value)


def _told(failing: Sequence[tuple[str, Returned]]) -> str:
    if not failing:
        return "Correct."
    when, got = failing[0]
    how = got.error or "it returns something else than it should"
    return f"Wrong when {when}: {how}."


@lru_cache(maxsize=512)
def _expected(right: str, name: str, calls: str, tier: Tier) -> list[Returned]:
    """What the right function returns: values of ours, made where the answers run."""
    found = run_calls(right, name, [tuple(args) for args in json.loads(calls)], tier)
    if any(item.error for item in found):
        raise DataError(f"{VERSION}: the right {name} fails: {found[-1].error}")
    return found

"""HumanEval and MBPP: functions to be written, with tests.

Rows are read and checked without running anything of them. Answers and tests run in the sandbox,
each in a child of its own, and plain values alone go between them.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from ...records import Action, Instance, Observation, Split, StepResult
from ...sandbox import Limits, Tier, Verdict, run_calls, run_test
from ..base import Environment, Fruitless, Policy, Problem, follow
from ..codefix import defines, program_of
from ..jsonl import Row
from .rows import Dataset, Refused, read_rows, taken, text_of, usable
from .splits import by_hash

GOAL = "Write the Python function that is asked for. Hidden tests are run on it."
LIMITS = Limits(seconds=10.0)


class Exercise(NamedTuple):
    """A function to be written."""

    name: str
    prompt: str
    entry_point: str
    solution: str
    """The reference solution as a whole program; empty where the file has none."""
    tests: tuple[str, ...]
    """Assertions, or one program that defines `check(candidate)`."""
    names: tuple[str, ...]
    """The functions that the tests ask the answer for, `entry_point` first."""
    before: str = ""
    """What runs ahead of tests, and of answers that are whole functions."""
    begins: bool = False
    """Whether an answer may go on where the prompt ends."""


def read_humaneval(path: Path) -> Dataset[Exercise]:
    """Rows of task_id, prompt, entry_point, canonical_solution and test.

    Raises:
        DataError: The file cannot be read or has no usable row.
    """
    rows, rejected = read_rows(path)
    layout = "prompt with a test that defines check"
    return usable(Dataset("humaneval", layout, *taken(rows, rejected, _humaneval)), path)


def read_mbpp(path: Path) -> Dataset[Exercise]:
    """Rows of the original layout (text, code, test_list) or of MultiPL-E (prompt, test(s)).

    Raises:
        DataError: The file cannot be read or has no usable row.
    """
    rows, rejected = read_rows(path)
    listed = sum("test_list" in row.fields for row in rows) * 2 >= len(rows)
    layout = "original, with test_list" if listed else "MultiPL-E, with tests as one program"
    make = _original if listed else _multipl
    return usable(Dataset("mbpp", layout, *taken(rows, rejected, make)), path)


def _humaneval(row: Row) -> tuple[str, Exercise]:
    fields = row.fields
    name = text_of(fields, "task_id", "name", "id")
    prompt = text_of(fields, "prompt")
    entry = text_of(fields, "entry_point")
    test = text_of(fields, "test", "tests")
    solution = text_of(fields, "canonical_solution", "solution")
    whole = solution if solution.lstrip().startswith(("def ", "import ", "from ")) else ""
    program = whole if f"def {entry}" in whole else prompt + solution
    _defines(_parsed(program, "the solution"), entry, "the solution")
    tree = _parsed(test, "the test")
    _defines(tree, "check", "the test")
    _asserts(tree)
    before = _before(prompt)
    return name, Exercise(name, prompt, entry, program, (test,), (entry,), before, True)


def _original(row: Row) -> tuple[str, Exercise]:
    fields = row.fields
    name = text_of(fields, "task_id", "name")
    prompt, code = text_of(fields, "text", "prompt"), text_of(fields, "code")
    tests = fields.get("test_list")
    if not isinstance(tests, list) or not tests or not all(isinstance(t, str) for t in tests):
        raise Refused("no tests")
    tree = _parsed(code, "the code")
    for test in tests:
        _asserts(_parsed(test, "a test"))
    names = _called(tests, tree)
    return name, Exercise(name, prompt, names[0], code, tuple(tests), names, _set_up(fields))


def _multipl(row: Row) -> tuple[str, Exercise]:
    fields = row.fields
    name = text_of(fields, "name", "task_id")
    prompt, test = text_of(fields, "prompt"), text_of(fields, "test", "tests")
    tree = _parsed(test, "the test")
    _asserts(tree)
    entry = fields.get("entry_point")
    names = _defined(_parsed(_with_body(prompt), "the prompt"))
    if not isinstance(entry, str) or not entry:
        if not names:
            raise Refused("no entry_point")
        entry = names[-1]
    return name, Exercise(name, prompt, entry, "", (test,), (entry,), _before(prompt), True)


def _before(prompt: str) -> str:
    """The prompt as a program, for the imports and helpers in it."""
    try:
        _parsed(_with_body(prompt), "the prompt")
    except Refused:
        return ""
    return _with_body(prompt)


def _set_up(fields: dict[str, Any]) -> str:
    """What the file wants to be run ahead of the tests."""
    imports = fields.get("test_imports", [])
    lines = [str(line) for line in imports] if isinstance(imports, list) else []
    set_up = fields.get("test_setup_code", "")
    program = "\n".join([*lines, set_up if isinstance(set_up, str) else ""]).strip()
    _parsed(program, "the set-up of the tests")
    return program


def _with_body(prompt: str) -> str:
    return prompt if prompt.rstrip().endswith("pass") else f"{prompt.rstrip()}\n    pass\n"


def _parsed(program: str, what: str) -> ast.Module:
    try:
        return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{what} is not Python") from error


def _defined(tree: ast.Module) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in tree.body if isinstance(node, kinds)]


def _defines(tree: ast.Module, name: str, what: str) -> None:
    if name not in _defined(tree):
        raise Refused(f"{what} defines no {name}")


def _asserts(tree: ast.Module) -> None:
    """A test without an assertion would let everything pass."""
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise Refused("the test asserts nothing")


def _called(tests: list[Any], tree: ast.Module) -> tuple[str, ...]:
    """The functions of the solution that the tests call, the one asked for first."""
    names = {
        node.id
        for test in tests
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Name)
    }
    if any(isinstance(node, ast.ClassDef) and node.name in names for node in tree.body):
        raise Refused("the tests use a class of the solution, and only plain values can be passed")
    found = [name for name in _defined(tree) if name in names]
    if not found:
        raise Refused("the tests call nothing that the code defines")
    return tuple(dict.fromkeys(reversed(found)))


class CodeWorld:
    """The usable exercises, divided by a hash of the id."""

    max_steps = 1

    def __init__(self, exercises: tuple[Exercise, ...], tier: Tier) -> None:
        self._splits = by_hash(exercises, lambda e: e.name)
        self._tier = tier

    def size(self, split: Split, /) -> int | None:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`."""
        row = self._splits[split][index]
        asked = row.prompt.strip("\n")
        if not row.begins:
            asked += f"\nThe function is called {row.entry_point}. A test of it: {row.tests[0]}"
        data: dict[str, JsonValue] = {
            "text": asked,
            "prompt": row.prompt,
            "names": list(row.names),
            "test": "\n".join(row.tests),
            "before": row.before,
            "begins": row.begins,
        }
        answers = (row.solution,) if row.solution else ()
        return Problem(GOAL, data, answers, row.name)

    def environment(self, instance: Instance, /) -> Environment:
        """One function to be written."""
        return CodeEnvironment(instance, self._tier)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Gives the reference solution; None where the file has none."""
        if not instance.answers:
            return None
        return follow(instance.answers[0])


class CodeEnvironment:
    """One function, to be written once."""

    def __init__(self, instance: Instance, tier: Tier) -> None:
        self._text = str(instance.data["text"])
        self._prompt = str(instance.data["prompt"])
        self._names = cast("list[str]", instance.data["names"])
        self._test = str(instance.data["test"])
        self._before = str(instance.data["before"])
        self._begins = bool(instance.data["begins"])
        self._tier = tier

    def reset(self, seed: int, /) -> Observation:
        """Ask for the function."""
        return Observation(text=self._text)

    def step(self, action: Action, /) -> StepResult:
        """Run the hidden tests on the answer."""
        program = self._program(action.text)
        if not program:
            found = Verdict(False, why=f"the answer defines no function {self._names[0]}")
        else:
            test, names, before = self._test, self._names, self._before
            found = run_test(program, test, names, self._tier, LIMITS, before=before)
        return StepResult(
            observation=Observation(text="The tests were run.", actions=()),
            feedback="Correct." if found.passed else f"Wrong: {found.why}.",
            reward=float(found.passed),
            components={f"sandbox.{self._tier.name}": 1.0},
            terminated=True,
            success=found.passed,
        )

    def execute(self, action: Action, /) -> str:
        """Whether the answer can be loaded, without a judgement."""
        program = self._program(action.text)
        if not program:
            return Fruitless(f"The answer defines no function {self._names[0]}.")
        found = run_calls(program, self._names[0], [], self._tier, LIMITS)
        if found:
            return Fruitless(f"The program cannot be loaded: {found[0].error}.")
        return "The program loads."

    def _program(self, text: str) -> str:
        """The program behind an answer: a whole function, or the rest of the prompt's."""
        answer = program_of(text)
        if defines(answer, self._names[0]):
            return f"{self._before}\n\n{answer}"
        if self._begins and answer.strip():
            # The blanks at its start are the first thing that an answer loses on its way.
            rest = answer if answer[0].isspace() else f"    {answer}"
            return f"{self._prompt.rstrip()}\n{rest}"
        return ""

"""HumanEval and MBPP: functions to be written, with tests.

The rows are read and checked, and nothing of them is ever run here: whether an answer passes is for
a sandbox to say.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

from ..jsonl import Row
from .rows import Dataset, Refused, read_rows, taken, text_of, usable

NEEDS_SANDBOX = (
    "judging an answer runs what a model wrote, and this version has no sandbox for that; "
    "the file can be checked (verbalrl data check), not run"
)


class Exercise(NamedTuple):
    """A function to be written."""

    name: str
    prompt: str
    entry_point: str
    solution: str
    """The reference solution as a whole program; empty where the file has none."""
    tests: tuple[str, ...]
    """Assertions, or one program that defines `check(candidate)`."""


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
    return name, Exercise(name, prompt, entry, program, (test,))


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
    entry = _called(tests, _defined(tree))
    return name, Exercise(name, prompt, entry, code, tuple(tests))


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
    return name, Exercise(name, prompt, entry, "", (test,))


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


def _called(tests: list[Any], defined: list[str]) -> str:
    """The function of the solution that the tests call."""
    names = {
        node.id
        for test in tests
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Name)
    }
    found = [name for name in defined if name in names]
    if not found:
        raise Refused("the tests call nothing that the code defines")
    return found[-1]

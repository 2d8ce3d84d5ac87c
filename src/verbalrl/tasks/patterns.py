"""Regular expressions from data files, refused when they could run for ever.

Python's engine backtracks and holds the interpreter while it does, so no thread or limit can stop
it. What is refused is therefore decided before: a repeat or a choice inside a repeat, references
back to a group, more than three open repeats. What passes is at worst cubic in a text of at most
300 characters.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_TEXT = 300
MAX_PATTERN = 300
MAX_REPEATS = 3
_FEW = 10

# The engine's own parser, so that what is judged is what will run; there is no public door to it.
_parser = importlib.import_module("re._parser")

_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_ATOMS = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"})


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """`pattern`, compiled.

    Raises:
        ValueError: It does not compile or could run for ever; the message says which, in one line.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern is longer than {MAX_PATTERN} characters")
    try:
        tree = list(_parser.parse(pattern))
        _check(tree)
        return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern does not compile: {error}") from error


class _Node(NamedTuple):
    name: str
    children: tuple[list[Any], ...]
    least: int = 1
    most: int = 1

    @property
    def varies(self) -> bool:
        return self.least != self.most


def _check(tree: list[Any]) -> None:
    open_repeats = 0
    for node in _all(tree):
        if node.most > 1:
            for inner in (n for child in node.children for n in _all(child)):
                if inner.varies or inner.name == "BRANCH":
                    what = "choice" if inner.name == "BRANCH" else "repeat"
                    raise ValueError(f"the pattern repeats a {what}, which can take for ever")
        open_repeats += node.varies and node.most > _FEW
    if open_repeats > MAX_REPEATS:
        raise ValueError(f"the pattern has more than {MAX_REPEATS} open repeats")


def _all(tree: list[Any]) -> Iterator[_Node]:
    for op, argument in tree:
        node = _node(str(op), argument)
        yield node
        for child in node.children:
            yield from _all(child)


def _node(name: str, argument: Any) -> _Node:
    if name in _REPEATS:
        least, most, body = argument
        return _Node(name, (list(body),), int(least), int(most))
    if name == "SUBPATTERN":
        return _Node(name, (list(argument[-1]),))
    if name == "BRANCH":
        return _Node(name, tuple(list(branch) for branch in argument[1]))
    if name in ("ASSERT", "ASSERT_NOT"):
        return _Node(name, (list(argument[1]),))
    if name == "ATOMIC_GROUP":
        return _Node(name, (list(argument),))
    if name in _ATOMS:
        return _Node(name, ())
    raise ValueError("the pattern refers back to a group, which can take for ever")

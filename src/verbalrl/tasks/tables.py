"""What the worlds whose contents stand in a TOML file of their task folder share."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ..errors import DataError, wanted
from ..records import Record, Split
from .draws import shuffled

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Apart(Record):
    """A world of one answer per problem, judged in a process of its own."""

    task_seed: int = 0

    @property
    def max_steps(self) -> int:
        """One answer."""
        return 1

    @property
    def inline(self) -> bool:
        """A step waits for the process."""
        return False


def read_table(path: Path, model: type[R]) -> R:
    """The TOML file at `path` as a `model`.

    Raises:
        DataError: It cannot be read or is no such table; one line that names the file.
    """
    try:
        return model.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; a task of this kind needs it") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise DataError(f"{path}: {first_problem(error)}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def first_problem(error: ValidationError) -> str:
    """The first problem of `error` in one line: where, and what is wanted."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = wanted(first)
    given = first["input"]
    # Tables and missing names say nothing; a text or a number tells which of several is meant.
    if isinstance(given, str | int | float) and first["type"] not in (
        "value_error",
        "extra_forbidden",
    ):
        message += f", not {str(given)[:40]!r}" if isinstance(given, str) else f", not {given}"
    return f"{where}: {message}" if where else message


def filled(text: str, fill: Mapping[str, str]) -> str:
    """`text` with each name in braces replaced by its words."""
    # Not str.format: the texts are data of a folder that may come from elsewhere.
    for name, words in fill.items():
        text = text.replace("{" + name + "}", words)
    return text


def sentence(text: str, fill: Mapping[str, str]) -> str:
    """`text`, filled, with a capital at its start."""
    text = filled(text, fill)
    return text[:1].upper() + text[1:]


def divided(
    kinds: Iterable[tuple[str, Sequence[T]]], parts: int, *key: Any
) -> dict[Split, tuple[T, ...]]:
    """The items by split, in drawn order: one in `parts` of each kind is for the test."""
    train: list[T] = []
    test: list[T] = []
    for name, items in kinds:
        drawn = shuffled(items, *key, name)
        share = max(1, len(drawn) // parts)
        test += drawn[:share]
        train += drawn[share:]
    return {"train": shuffled(train, *key, "train"), "test": shuffled(test, *key, "test")}

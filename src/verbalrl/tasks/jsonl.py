"""Reads JSON Lines as people write them: bad rows are counted with reasons, bad files refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, first_line

_MAX_BAD = 0.1
_SHOWN_LINES = 5


class Row(NamedTuple):
    """One JSON object and the line it stands on, from 1."""

    line: int
    fields: dict[str, Any]


class Rejected(NamedTuple):
    """A line that is not used, and why."""

    line: int
    reason: str


class Lines(NamedTuple):
    """What a file holds."""

    rows: tuple[Row, ...]
    rejected: tuple[Rejected, ...]


def there(path: Path) -> bool:
    """Whether anything is at `path`; a name that is too long for a file names nothing."""
    try:
        return path.exists()
    except OSError:
        return False


def read_lines(path: Path) -> Lines:
    """The objects of the file `path`; empty lines do not count.

    Raises:
        DataError: It cannot be read, is not UTF-8, has no object, or more than a tenth of its lines
            are not objects.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(Row(number, _object(line)))
        except ValueError as error:
            rejected.append(Rejected(number, str(error)))
    if not rows and not rejected:
        raise DataError(f"{path}: the file is empty; it needs one JSON object per line")
    if not rows or len(rejected) > _MAX_BAD * (len(rows) + len(rejected)):
        first = rejected[0]
        raise DataError(
            f"{path}: not JSON lines: {len(rejected)} of {len(rows) + len(rejected)} lines are not "
            f"JSON objects, the first is line {first.line} ({first.reason})"
        )
    return Lines(tuple(rows), tuple(rejected))


def summary(rejected: tuple[Rejected, ...]) -> str:
    """The rejected lines by reason, in one line."""
    by_reason: dict[str, list[int]] = {}
    for item in rejected:
        by_reason.setdefault(item.reason, []).append(item.line)
    return "; ".join(f"{reason} ({_lines(lines)})" for reason, lines in by_reason.items())


def _lines(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:_SHOWN_LINES])
    more = f" and {len(lines) - _SHOWN_LINES} more" if len(lines) > _SHOWN_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_refuse)
        line = json.dumps(value, ensure_ascii=False)
        line.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("the text is not valid Unicode") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {first_line(error.msg)}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

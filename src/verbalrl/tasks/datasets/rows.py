"""Rows of a data file, each taken or rejected with a reason, whatever the file is packed in."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from ...errors import DataError, first_line
from ...text import plural
from ..jsonl import Rejected, Row, summary

MAX_BYTES = 2 << 30
"""What a file may hold once it is unpacked."""
_MAX_SHOWN = 12

T = TypeVar("T")


class Refused(ValueError):
    """A row that cannot be used; the message is the reason."""


class Dataset(NamedTuple, Generic[T]):
    """What a file gave."""

    kind: str
    layout: str
    """Which of the known layouts its rows have, in words."""
    rows: tuple[T, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()
    """What else is worth knowing, such as figures per database."""

    def lines(self, name: str) -> tuple[str, ...]:
        """What is said of it before a run, and by `data check`."""
        found = [f"{name}: {self.kind}, {self.layout}; {plural(len(self.rows), 'row')} can be used"]
        found += self.notes
        if self.rejected:
            found.append(f"rows rejected: {len(self.rejected)}: {summary(self.rejected)}")
        return tuple(found)


def read_rows(path: Path) -> tuple[tuple[Row, ...], tuple[Rejected, ...]]:
    """The objects of a `.json` list or of JSON lines, packed with gzip or not.

    Numbers count lines, or the items of a list from 1.

    Raises:
        DataError: It cannot be read or holds no object at all.
    """
    text = read_text(path)
    start = text.lstrip()[:1]
    items = _list(text, path) if start == "[" else None
    found = _lines(text) if items is None else list(enumerate(items, start=1))
    rows = [Row(n, item) for n, item in found if isinstance(item, dict)]
    rejected = [
        Rejected(n, item if isinstance(item, str) and items is None else "not a JSON object")
        for n, item in found
        if not isinstance(item, dict)
    ]
    if not rows:
        raise DataError(f"{path}: no JSON object in it; a list of them or one per line is wanted")
    return tuple(rows), tuple(rejected)


def taken(
    rows: Iterable[Row], rejected: Iterable[Rejected], make: Callable[[Row], tuple[str, T]]
) -> tuple[tuple[T, ...], tuple[Rejected, ...]]:
    """What `make` returns for each row, beside its id; ids are used once."""
    found: dict[str, T] = {}
    bad = list(rejected)
    for row in rows:
        try:
            name, value = make(row)
            if name in found:
                raise Refused("the same id as on an earlier row")
        except Refused as error:
            bad.append(Rejected(row.line, str(error)))
        else:
            found[name] = value
    return tuple(found.values()), tuple(sorted(bad))


def usable(dataset: Dataset[T], path: Path) -> Dataset[T]:
    """`dataset`, if it has a usable row.

    Raises:
        DataError: It has none; the message counts the reasons.
    """
    if dataset.rows:
        return dataset
    counted = Counter(item.reason for item in dataset.rejected)
    reasons = "; ".join(f"{reason} ({n})" for reason, n in counted.most_common(_MAX_SHOWN))
    raise DataError(f"{path}: no usable row of {dataset.kind}: {reasons or 'the file is empty'}")


def text_of(fields: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that holds a text or a number, as text.

    Raises:
        Refused: None does.
    """
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    raise Refused(f"no {keys[0]}")


def _list(text: str, path: Path) -> list[Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{path}: not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {first_line(str(error))}") from error
    return found if isinstance(found, list) else [found]


def _lines(text: str) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except RecursionError:
                value = "not JSON: nested too deeply"
            except json.JSONDecodeError as error:
                value = f"not JSON: {first_line(error.msg)}"
            found.append((number, value if isinstance(value, dict | str) else "not a JSON object"))
    return found


def read_text(path: Path) -> str:
    """The text of `path`, packed with gzip or not, with plain line ends.

    Raises:
        DataError: It cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                data = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{path}: more than {MAX_BYTES >> 30} GiB unpacked")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}") from error

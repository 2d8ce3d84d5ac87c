"""Between records and rows: a record is one JSON text, with columns beside it for what is asked.

Records come in normalised (`verbalrl.text`); should one still hold a lone surrogate, it is stored
without it rather than not at all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from ..errors import StorageError
from ..ids import canonical_json
from ..records import Record
from ..text import normalise

R = TypeVar("R", bound=Record)


def dump(record: Record) -> str:
    """`record` as JSON text."""
    return storable(record)[1]


def storable(record: R) -> tuple[R, str]:
    """`record` with nothing in its texts that SQLite refuses, and its JSON text."""
    try:
        # What `model_dump_json` does, without a dozen settings that have to be handed on.
        return record, record.__pydantic_serializer__.to_json(record).decode()
    except PydanticSerializationError:
        cleaned = type(record).model_validate(_clean(record.model_dump()))
        return cleaned, cleaned.model_dump_json()


def load(kind: type[R], body: str) -> R:
    """The record in `body`; raises `StorageError` when it is none."""
    try:
        # What `model_validate_json` does, without settings that have to be looked at.
        found: R = kind.__pydantic_validator__.validate_json(body)
        return found
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StorageError(
            f"a stored {kind.__name__} is damaged at {where or 'its start'}: {first['msg']}"
        ) from error


def filled(record: R, **fields: Any) -> R:
    """`record`, which was just read and which nobody else holds, with `fields` from other rows."""
    # It is frozen for whoever gets it; a copy of each would be a third of reading an episode.
    record.__dict__.update(fields)
    record.__pydantic_fields_set__.update(fields)
    return record


def dump_json(value: Any) -> str:
    """Any JSON value as canonical text."""
    text = canonical_json(value)
    return text if text.isascii() else normalise_if_needed(text)


def load_json(text: str) -> Any:
    """What `dump_json` wrote."""
    return json.loads(text)


def load_object(text: str, of: str) -> dict[str, Any]:
    """The object that `dump_json` wrote; raises `StorageError` when it is none.

    Args:
        text: JSON.
        of: What has it, for the error.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise StorageError(f"a stored {of} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise StorageError(f"a stored {of} is damaged: {text[:40]!r} is no object")
    return found


def normalise_if_needed(text: str) -> str:
    """`text` as SQLite can store it: lone surrogates are the only thing that it refuses."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return normalise(text)
    return text


def insert(
    connection: sqlite3.Connection, table: str, values: Mapping[str, Any], *, replace: bool = False
) -> int:
    """Insert one row, the columns by name; gives its rowid."""
    sql = _insertion(table, tuple(values), replace)
    cursor = connection.execute(sql, [_bindable(v) for v in values.values()])
    return cursor.lastrowid or 0


def insert_many(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    replace: bool = False,
    storable: bool = False,
) -> None:
    """Insert `rows`, each made as its turn comes and in the order of `columns`.

    `storable`: their texts are known to hold nothing that SQLite refuses.
    """
    sql = _insertion(table, tuple(columns), replace)
    coming = iter(rows)
    first = next(coming, None)
    # A statement that has nothing to do is still one for which the interpreter is given away.
    if first is not None:
        coming = chain((first,), coming)
        connection.executemany(sql, coming if storable else map(_bindable_row, coming))


@lru_cache(maxsize=128)
def _insertion(table: str, columns: tuple[str, ...], replace: bool) -> str:
    verb, marks = "INSERT OR REPLACE" if replace else "INSERT", ", ".join("?" * len(columns))
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def where(conditions: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The WHERE clause and its arguments, for those conditions that are not None."""
    asked = {column: value for column, value in conditions.items() if value is not None}
    clause = " AND ".join(f"{column} = ?" for column in asked)
    return (f" WHERE {clause}" if clause else ""), [_bindable(v) for v in asked.values()]


def page(limit: int | None, offset: int) -> str:
    """The LIMIT clause."""
    return f" LIMIT {-1 if limit is None else int(limit)} OFFSET {int(offset)}"


def now() -> str:
    """The time as ISO 8601 in UTC. For people: nothing that influences memory reads it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _bindable(value: Any) -> Any:
    return normalise_if_needed(value) if isinstance(value, str) else value


def _bindable_row(row: Sequence[Any]) -> list[Any]:
    return [normalise_if_needed(v) if isinstance(v, str) and not v.isascii() else v for v in row]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return normalise(value)
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return value

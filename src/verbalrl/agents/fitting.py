"""Whether the arguments of a tool call fit the tool's JSON schema, in words for whoever wrote them.

The part of JSON Schema that tools use: types, required and unknown keys, enums, bounds, items,
alternatives, local references. Other keywords, such as patterns, are left to the environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import first_line
from ..models.structured import JSON_TYPES

_DEPTH = 32
_WORK = 10_000
"""Values compared with schemas; what a hostile schema would make of more is not looked at."""
_SHOWN = 4


def misfit(arguments: str, schema: Mapping[str, Any]) -> str:
    """What is wrong with `arguments`, JSON text, for a tool with the parameters `schema`; or ""."""
    try:
        value = json.loads(arguments or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return f"its arguments are not JSON: {first_line(str(error))}"
    if not isinstance(value, dict):
        return "its arguments are not a JSON object"
    found = list(dict.fromkeys(_problems(value, schema, _Root(schema), "arguments", 0)))
    return "; ".join(found[:_SHOWN])


class _Root:
    """The whole schema, for references, and the work that is left."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.left = _WORK


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _problems(value: Any, schema: Any, root: _Root, where: str, depth: int) -> Iterator[str]:
    root.left -= 1
    if not isinstance(schema, Mapping) or depth > _DEPTH or root.left < 0:
        return
    if "$ref" in schema:
        yield from _problems(value, _referred(schema["$ref"], root.schema), root, where, depth + 1)
    names = schema.get("type")
    kinds = [names] if isinstance(names, str) else list(names or ())
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where} must be {' or '.join(map(str, kinds))}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} must be one of {json.dumps(schema['enum'], ensure_ascii=False)}"
    if "const" in schema and value != schema["const"]:
        yield f"{where} must be {json.dumps(schema['const'], ensure_ascii=False)}"
    yield from _bounds(value, schema, where)
    for inner, name, place in _inside(value, schema, where):
        yield from _problems(inner, name, root, place, depth + 1)
    if isinstance(value, dict):
        yield from _keys(value, schema, where)
    yield from _alternatives(value, schema, root, where, depth)


def _inside(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[tuple[Any, Any, str]]:
    """The values inside `value`, each with its schema and place."""
    if isinstance(value, dict):
        known, other = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, inner in value.items():
            yield inner, known.get(key, other), f"{where}.{key}"
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield inner, schema.get("items"), f"{where}[{number}]"


def _keys(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{where}.{name} is missing"
    if schema.get("additionalProperties") is False:
        known = schema.get("properties") or {}
        for name in value:
            if name not in known:
                yield f"{where}.{name} is not known"


def _bounds(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        number, low, high = value, schema.get("minimum"), schema.get("maximum")
        what = where
    elif isinstance(value, str):
        number, low, high = len(value), schema.get("minLength"), schema.get("maxLength")
        what = f"the length of {where}"
    elif isinstance(value, list):
        number, low, high = len(value), schema.get("minItems"), schema.get("maxItems")
        what = f"the number of items of {where}"
    else:
        return
    if isinstance(low, int | float) and number < low:
        yield f"{what} must be at least {low}"
    if isinstance(high, int | float) and number > high:
        yield f"{what} must be at most {high}"


def _alternatives(
    value: Any, schema: Mapping[str, Any], root: _Root, where: str, depth: int
) -> Iterator[str]:
    for choice in schema.get("allOf") or ():
        yield from _problems(value, choice, root, where, depth + 1)
    for name in ("anyOf", "oneOf"):
        choices = schema.get(name) or ()
        fits = (not any(_problems(value, c, root, where, depth + 1)) for c in choices)
        if choices and not any(fits):
            yield f"{where} fits none of its alternatives"


def _referred(reference: object, root: Mapping[str, Any]) -> Any:
    """The schema that a local reference names; None, which admits all, for any other."""
    found: Any = root
    path = str(reference)
    if not path.startswith("#/"):
        return root if path == "#" else None
    for name in path[2:].split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _is(value: Any, kind: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, JSON_TYPES.get(str(kind), (object,)))

"""Fills any JSON schema: fits an answer to it, and makes up what the answer lacks.

It follows `$ref`, `enum`, `const`, `anyOf`, `oneOf`, `allOf`, bounds and lengths. It does not look
at `pattern`, `format` or `not`, and never returns a property that the schema does not name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .text import unit

Schema = Mapping[str, Any]

MISSING: Final = object()
"""Stands for "the answer says nothing of this"."""

_DEPTH: Final = 24


class Filler:
    """Fits values to one schema; made-up values depend on `key` and their place alone."""

    def __init__(self, schema: Schema, key: Sequence[object], words: str) -> None:
        self._root = schema
        self._key = tuple(key)
        self._words = " ".join(words.split())

    def fill(self, value: Any = MISSING) -> Any:
        """The value fitted to the schema."""
        return self._fit(value, self._root, "$")

    def _fit(self, value: Any, schema: Any, path: str) -> Any:
        if not isinstance(schema, Mapping) or path.count("/") > _DEPTH:
            return None if value is MISSING else value
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(value, list(schema["enum"]), path)
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                return self._fit(value, self._option(value, schema[union]), path)
        return self._by_kind(value, schema, path)

    def _by_kind(self, value: Any, schema: Schema, path: str) -> Any:
        kind = _kind(schema, value)
        if kind == "object":
            return self._object(value, schema, path)
        if kind == "array":
            return self._array(value, schema, path)
        if kind in ("number", "integer"):
            return self._number(value, schema, path, whole=kind == "integer")
        if kind == "boolean":
            return value if isinstance(value, bool) else unit(*self._key, path) < 0.5
        if kind == "null":
            return None
        return self._string(value, schema)

    def _resolve(self, schema: Schema) -> Schema:
        for _ in range(_DEPTH):
            if "$ref" in schema:
                target: Any = self._root
                for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                    target = (
                        target.get(part, {}) if part and isinstance(target, Mapping) else target
                    )
                schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
            elif "allOf" in schema:
                schema = self._all_of(schema)
            else:
                break
        return schema

    def _all_of(self, schema: Schema) -> Schema:
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            for name, value in self._resolve(part).items():
                if name == "properties":
                    merged[name] = {**merged.get(name, {}), **value}
                elif name == "required":
                    merged[name] = [*merged.get(name, []), *value]
                else:
                    merged.setdefault(name, value)
        return merged

    def _option(self, value: Any, options: Sequence[Schema]) -> Schema:
        resolved = [self._resolve(option) for option in options]
        if value is not MISSING:
            for option in resolved:
                if _suits(value, option):
                    return option
        return next((o for o in resolved if o.get("type") != "null"), resolved[0])

    def _one_of(self, value: Any, options: list[Any], path: str) -> Any:
        if value in options:
            return value
        if isinstance(value, str):
            plain = " ".join(value.lower().split())
            for option in options:
                if isinstance(option, str) and " ".join(option.lower().split()) == plain:
                    return option
        return options[int(unit(*self._key, path) * len(options))]

    def _object(self, value: Any, schema: Schema, path: str) -> dict[str, Any]:
        given = value if isinstance(value, Mapping) else {}
        named = schema.get("properties", {})
        required = schema.get("required", list(named))
        found: dict[str, Any] = {}
        for name, part in named.items():
            if name in given or name in required:
                found[name] = self._fit(given.get(name, MISSING), part, f"{path}/{name}")
        extra = schema.get("additionalProperties")
        if not named and extra is not False:
            for name in given:
                found[name] = self._fit(given[name], extra, f"{path}/{name}")
        return found

    def _array(self, value: Any, schema: Schema, path: str) -> list[Any]:
        fixed = list(schema.get("prefixItems", []))
        item = schema.get("items", {})
        given = list(value) if isinstance(value, (list, tuple)) else []
        least = max(int(schema.get("minItems", 0)), len(fixed))
        most = int(schema.get("maxItems", max(least, len(given))))
        given += [MISSING] * (least - len(given))
        return [
            self._fit(entry, fixed[n] if n < len(fixed) else item, f"{path}/{n}")
            for n, entry in enumerate(given[:most])
        ]

    def _number(self, value: Any, schema: Schema, path: str, whole: bool) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        step = 1 if whole else 1e-6
        if "exclusiveMinimum" in schema:
            low = schema["exclusiveMinimum"] + step
        if "exclusiveMaximum" in schema:
            high = schema["exclusiveMaximum"] - step
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            number = float(value)
        else:
            start = 0.0 if low is None else float(low)
            end = max(start, start + 1 if high is None else float(high))
            number = start + unit(*self._key, path) * (end - start)
        number = number if low is None else max(number, float(low))
        number = number if high is None else min(number, float(high))
        return math.floor(number) if whole else round(number, 6)

    def _string(self, value: Any, schema: Schema) -> str:
        text = self._words if value is MISSING or value is None else str(value)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        if most is not None:
            text = text[: int(most)]
        return text + "." * (least - len(text))


def _kind(schema: Schema, value: Any) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        suiting = [k for k in kind if value is not MISSING and _suits(value, {"type": k})]
        kind = (suiting or [k for k in kind if k != "null"] or ["null"])[0]
    if kind is None:
        if "properties" in schema or isinstance(value, Mapping):
            return "object"
        if "items" in schema or isinstance(value, (list, tuple)):
            return "array"
        if isinstance(value, bool):
            return "boolean"
        return "number" if isinstance(value, (int, float)) else "string"
    return str(kind)


def _suits(value: Any, schema: Schema) -> bool:
    if "const" in schema:
        return bool(value == schema["const"])
    if schema.get("enum"):
        return value in schema["enum"]
    kinds: dict[str, tuple[type, ...]] = {
        "object": (dict,),
        "array": (list, tuple),
        "string": (str,),
        "boolean": (bool,),
        "null": (type(None),),
        "integer": (int,),
        "number": (int, float),
    }
    wanted = kinds.get(str(schema.get("type", "")))
    if wanted is None:
        return True
    if isinstance(value, bool):
        return bool in wanted
    if isinstance(value, Mapping) and "properties" in schema:
        return set(schema.get("required", [])) <= set(value)
    return isinstance(value, wanted)


def property_names(schema: Any, depth: int = 0) -> frozenset[str]:
    """The names of the properties at the top of a schema, through references and unions."""
    if not isinstance(schema, Mapping) or depth > 4:
        return frozenset()
    filler = Filler(schema, (), "")
    top = filler._resolve(schema)
    names = frozenset(top.get("properties", {}))
    for union in ("anyOf", "oneOf"):
        for option in top.get(union, ()):
            names |= frozenset(filler._resolve(option).get("properties", {}))
    return names

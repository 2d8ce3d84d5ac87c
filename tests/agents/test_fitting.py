"""Arguments against a tool's schema: what is wrong, in words."""

from __future__ import annotations

from typing import Any

import pytest

from verbalrl.agents.fitting import misfit

POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"enum": ["fast", "slow"]},
        "kind": {"const": "door"},
        "at": {"$ref": "#/$defs/point"},
        "many": {"type": "array", "items": {"$ref": "#/$defs/point"}, "maxItems": 2},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "flag": {"type": ["boolean", "null"]},
    },
    "additionalProperties": False,
    "$defs": {"point": POINT},
}


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{}",
        '{"name": "Ann", "count": 9, "mode": "fast", "kind": "door", "flag": null}',
        '{"at": {"x": 1.5, "y": 2}, "many": [{"x": 1}, {"x": 2}], "maybe": null}',
        '{"count": 2.0}',
    ],
)
def test_what_fits_is_nothing_to_speak_of(arguments: str) -> None:
    assert misfit(arguments, SCHEMA) == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{", "its arguments are not JSON: "),
        ('{"count": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "its arguments are not JSON: "),
        ("3", "its arguments are not a JSON object"),
        ('{"name": "A"}', "the length of arguments.name must be at least 2"),
        ('{"name": "Annabel"}', "the length of arguments.name must be at most 5"),
        ('{"count": 0}', "arguments.count must be at least 1"),
        ('{"count": 10}', "arguments.count must be at most 9"),
        ('{"count": 1.5}', "arguments.count must be integer"),
        ('{"count": true}', "arguments.count must be integer"),
        ('{"mode": "both"}', 'arguments.mode must be one of ["fast", "slow"]'),
        ('{"kind": "wall"}', 'arguments.kind must be "door"'),
        ('{"at": {}}', "arguments.at.x is missing"),
        ('{"many": [{"x": 1}, {"x": "2"}]}', "arguments.many[1].x must be number"),
        ('{"many": [{"x": 1}, {"x": 1}, {"x": 1}]}', "the number of items of arguments.many"),
        ('{"maybe": "x"}', "arguments.maybe fits none of its alternatives"),
        ('{"flag": 1}', "arguments.flag must be boolean or null"),
        ('{"nmae": "Ann"}', "arguments.nmae is not known"),
    ],
)
def test_what_does_not_fit_is_said(arguments: str, problem: str) -> None:
    assert problem in misfit(arguments, SCHEMA)


def test_all_that_is_wrong_is_said_up_to_four() -> None:
    found = misfit('{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}', SCHEMA)
    assert found.count("is not known") == 4


def test_inner_values_of_open_objects_have_their_schema() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert misfit('{"any": 1}', schema) == ""
    assert misfit('{"any": "x"}', schema) == "arguments.any must be integer"
    both = {"allOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert misfit('{"a": 1}', both) == "arguments.b is missing"


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": {"a": {"$ref": "#/nowhere"}}},
        {"properties": {"a": {"$ref": "https://example.org/x"}}},
        {"properties": {"a": {"$ref": "#"}}},
        {"$ref": "#"},
        {"properties": {"a": True}},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "allOf": [{"$ref": "#"}] * 3},
    ],
)
def test_odd_schemas_end(schema: dict[str, Any]) -> None:
    assert misfit('{"a": {"a": {}}}', schema) == ""

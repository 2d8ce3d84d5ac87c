"""Any JSON schema is filled, and what it says of a value is kept."""

from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from verbalrl.models.apprentice import answer
from verbalrl.models.apprentice.filler import Filler


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    name: str = Field(min_length=3, max_length=8)
    score: float = Field(ge=0, le=1)
    count: int = Field(gt=2, lt=9)
    colour: Colour
    kind: Literal["only"]


class Tree(BaseModel):
    leaf: Leaf
    leaves: list[Leaf] = Field(min_length=2, max_length=3)
    maybe: Leaf | None
    pair: tuple[int, str]
    flag: bool
    note: str | None = None
    child: "Tree | None" = None


def _fill(model: type[BaseModel], value: Any = None) -> Any:
    filler = Filler(model.model_json_schema(), (1,), "some words of the request")
    return filler.fill(*([] if value is None else [value]))


@pytest.mark.parametrize("seed", range(5))
def test_an_unknown_schema_is_filled_validly(seed: int) -> None:
    found = answer([("user", "<goal>\nJudge it.\n</goal>")], Tree.model_json_schema(), seed)
    Tree.model_validate(found)


def test_equal_requests_get_equal_replies() -> None:
    ask = [("user", "Judge it.")]
    schema = Tree.model_json_schema()
    assert answer(ask, schema, 1) == answer(ask, schema, 1)
    assert any(answer(ask, schema, 1) != answer(ask, schema, n) for n in range(2, 9))


def test_given_values_are_fitted_not_replaced() -> None:
    given = {"name": "a very long name", "score": 7, "count": 5, "colour": "BLUE", "other": 1}
    assert _fill(Leaf, given) == {
        "name": "a very l", "score": 1.0, "count": 5, "colour": "blue", "kind": "only",
    }  # fmt: skip


def test_a_union_takes_the_option_that_suits() -> None:
    schema = {"anyOf": [{"type": "null"}, {"type": "integer"}, {"type": "string"}]}
    assert [Filler(schema, (), "w").fill(v) for v in (None, 3, "x")] == [None, 3, "x"]


def test_all_of_is_taken_together() -> None:
    schema = {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}},
                        {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}]}  # fmt: skip
    assert set(Filler(schema, (), "w").fill({"a": "x"})) == {"a", "b"}

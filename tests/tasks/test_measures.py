"""The values of the reference: SQL partial match (strict and compatible), pass@k, EM and F1."""

import sqlite3
from typing import Literal

import pytest

from verbalrl.tasks.measures import (
    RUNS,
    Row,
    pass_at_k,
    squad_normalised,
    table_match,
    text_match,
    too_short,
)

PEOPLE: list[Row] = [
    ("ann", "hr", 10.0, 1),
    ("bob", "it", 20.0, 2),
    ("cyd", "ops", 30.0, 3),
    ("dan", "hr", 40.0, 4),
    ("eve", "it", 50.0, 5),
]
GOLD = "select name, dept from e"


def rows(query: str) -> list[Row]:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table e(name text, dept text, sal real, yrs int)")
    connection.executemany("insert into e values (?, ?, ?, ?)", PEOPLE)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def score(query: str, mode: Literal["strict", "paverl"] = "strict", gold: str = GOLD) -> float:
    return table_match(rows(gold), rows(query), mode)


MISPAIRED = (
    "select 'ann' n, 'it' d union all select 'bob', 'hr' union all select 'cyd', 'ops' "
    "union all select 'dan', 'it' union all select 'eve', 'hr'"
)


@pytest.mark.parametrize(
    ("query", "strict", "compatible"),
    [
        (GOLD, 1.0, 1.0),
        ("select dept, name from e", 1.0, 1.0),
        ("select name, dept from e order by sal desc", 1.0, 1.0),
        ("select name as who, dept as team from e", 1.0, 1.0),
        ("select name from e", 0.5, 0.5),
        ("select name, dept, yrs from e", 0.8, 1.0),
        ("select name, dept from e where yrs < 5", 8 / 9, 0.8),
        ("select name, dept from e where yrs < 4", 0.75, 0.6),
        ("select name, sal from e", 0.5, 0.5),
        (MISPAIRED, 0.2, 1.0),
        (f"{GOLD} union all select 'ann', 'hr'", 10 / 11, 1.0),
        ("select * from e", 2 / 3, 1.0),
        ("select 99 as one, 98 as two", RUNS, RUNS),
    ],
)
def test_partial_match_of_tables(query: str, strict: float, compatible: float) -> None:
    assert score(query) == pytest.approx(strict)
    assert score(query, "paverl") == pytest.approx(compatible)


def test_rows_beyond_gold_cost_precision_in_strict_mode_alone() -> None:
    gold = "select name, dept from e where yrs < 4"
    assert score(GOLD, gold=gold) == pytest.approx(0.75)
    assert score(GOLD, "paverl", gold) == 1.0


def test_empty_tables() -> None:
    nobody = "select name from e where yrs > 9"
    assert score(nobody, gold=nobody) == 1.0
    assert score(GOLD, gold=nobody) == RUNS
    assert score(nobody) == score(nobody, "paverl") == RUNS


def test_numbers_within_the_tolerance_are_equal_and_texts_are_not_numbers() -> None:
    gold: list[Row] = [(1.0,), (2.0,)]
    assert table_match(gold, [(1.005,), (1.995,)]) == 1.0
    assert table_match(gold, [(1.006,), (2.0,)]) == pytest.approx(0.5)
    assert table_match(gold, [("1.0",), ("2.0",)]) == RUNS
    assert table_match([(1,)], [(1.0,)]) == 1.0


def test_tables_of_very_different_length_do_not_match_in_the_compatible_mode() -> None:
    gold: list[Row] = [(n,) for n in range(3)]
    more: list[Row] = [(n,) for n in range(9)]
    assert table_match(gold, more[:8], "paverl") == 1.0
    assert table_match(gold, more, "paverl") == RUNS
    assert table_match(gold, more) == pytest.approx(0.5)


def test_short_queries_are_told() -> None:
    assert too_short("select * from e")
    assert not too_short("select name from e")


@pytest.mark.parametrize(("k", "expected"), [(1, 0.3), (5, 0.916667), (8, 1.0), (10, 1.0)])
def test_pass_at_k(k: int, expected: float) -> None:
    assert pass_at_k(10, 3, k) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("numbers", [(3, 4, 1), (3, 1, 4), (3, 1, 0), (3, -1, 1)])
def test_pass_at_k_of_numbers_that_do_not_fit(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(*numbers)


def test_words_are_compared_as_squad_does() -> None:
    assert squad_normalised("The  U.S. president, an Actor!") == "us president actor"
    assert text_match("the Eiffel Tower", "Eiffel tower.").exact
    half = text_match("Barack Obama", "Obama")
    assert (half.exact, half.precision, half.recall) == (False, 1.0, 0.5)
    assert half.f1 == pytest.approx(2 / 3)
    assert text_match("yes", "yes it is").f1 == 0.0
    assert text_match("no", "No.").exact
    assert text_match("Paris", "").f1 == 0.0

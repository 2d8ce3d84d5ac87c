from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.critics import planted
from tests.critics.scenes import SCENES, grounds_of
from verbalrl.critics import CritiqueReply, refuse
from verbalrl.critics.folding import contains, folded, number, numbers
from verbalrl.critics.schema import reply_schema
from verbalrl.records import Refusal


def parsed(row: planted.Planted) -> CritiqueReply:
    schema = reply_schema(len(SCENES[row.scene].episodes))
    return schema.model_validate({"verdict": "failure", **row.reply})


@pytest.mark.parametrize("row", planted.BAD, ids=lambda row: row.what)
def test_planted_critiques_are_refused_for_their_reason(row: planted.Planted) -> None:
    refused = refuse(parsed(row), grounds_of(row.scene))
    assert refused is not None
    assert refused.reason is row.reason, refused.detail
    assert refused.detail
    assert "\n" not in refused.detail


@pytest.mark.parametrize("row", planted.GOOD, ids=lambda row: row.what)
def test_good_critiques_pass(row: planted.Planted) -> None:
    assert refuse(parsed(row), grounds_of(row.scene)) is None


def test_tables_are_large_and_cover_every_reason() -> None:
    by_reason = Counter(row.reason for row in planted.BAD)
    assert len(planted.BAD) >= 40
    assert len(planted.GOOD) >= 40
    assert set(by_reason) == set(Refusal) - {Refusal.UNUSABLE}
    assert min(by_reason.values()) >= 3
    assert len({row.what for row in (*planted.BAD, *planted.GOOD)}) == len(
        planted.BAD + planted.GOOD
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_word_for_word_quote_is_always_found(before: str, after: str) -> None:
    whole = folded(f"{before} the red lamp {after}")
    assert contains(whole, folded("The  red\nlamp"))


@given(st.integers(-10_000, 10_000))
def test_numbers_are_found_as_words_of_their_own(value: int) -> None:
    found = numbers(f"it is {value}, or so")
    assert found == {number(str(value))}
    assert numbers(f"it is {value:,}.") == {number(str(value))}
    assert not numbers(f"x{value}y" if value >= 0 else "v-1x")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "hostile",
    [
        "the answer is " + "a" * 1900 + " b" * 20,
        "step" + " " * 1900,
        "{" * 1900,
        "1," * 990,
        "[" * 1900,
        "say " * 490,
        "a b " * 490,
    ],
)
def test_hostile_replies_cost_little(hostile: str) -> None:
    for scene in ("pairs", "yes_no", "option", "capital", "pattern_slow", "red", "two"):
        reply = CritiqueReply(verdict="failure", refinement=hostile)
        refuse(reply, grounds_of(scene))

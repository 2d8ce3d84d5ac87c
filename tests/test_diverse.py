"""The elliptic picks of the reference, and what holds for any vectors."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.diverse import elliptic, word_vectors

NEAR = [(1.0, 0.0), (0.98, 0.199), (0.995, 0.1), (0.0, 1.0)]


def test_the_first_then_the_other_direction_then_a_near_duplicate() -> None:
    picks = elliptic(NEAR, 3)
    assert [p.place for p in picks[:2]] == [0, 3]
    assert [p.bonus for p in picks[:2]] == [1.0, 1.0]
    assert picks[2].place == 1
    assert picks[2].bonus == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(("place", "bonus"), [(1, 0.52), (2, 0.505), (3, 1.0)])
def test_the_bonuses_after_the_first_pick(place: int, bonus: float) -> None:
    found = elliptic([NEAR[0], NEAR[place]], 2)[1]
    assert found.bonus == pytest.approx(bonus, abs=5e-4)


def test_equal_bonuses_go_to_the_lowest_place() -> None:
    assert [p.place for p in elliptic([(0.0, 1.0), (0.0, 1.0), (1.0, 0.0)], 3)] == [0, 2, 1]


vectors = st.lists(st.tuples(*[st.floats(-2, 2)] * 3), max_size=8)


@given(vectors, st.integers(0, 9))
def test_every_pick_is_another_and_bonuses_fall(found: list[tuple[float, ...]], k: int) -> None:
    picks = elliptic(found, k)
    assert len({p.place for p in picks}) == len(picks) == min(k, len(found))
    assert all(a.bonus >= b.bonus - 2e-4 for a, b in itertools.pairwise(picks))


def test_words_make_vectors_of_length_one() -> None:
    one, two, none = word_vectors(["Go up, go", "up", "!"])
    assert one == pytest.approx((2 / 5**0.5, 1 / 5**0.5))
    assert (two, none) == ((0.0, 1.0), (0.0, 0.0))

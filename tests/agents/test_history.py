"""The budget rule: never over it, the newest step stays, order stays, twice changes nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.agents.history import FLOOR, LINE_TOKENS, Cut, Size, middle_cut, plan_cut
from verbalrl.ids import token_estimate

TEXTS = st.lists(st.integers(0, 3_000) | st.just(50_000), max_size=3).map(tuple)
SIZES = st.builds(Size, TEXTS, st.integers(0, 60) | st.just(1_600))
BUDGETS = st.integers(1_000, 30_000)


class Prompt(NamedTuple):
    steps: list[Size]
    always: Size

    @property
    def cost(self) -> int:
        return self.always.cost() + sum(step.cost() for step in self.steps)


def done(cut: Cut, prompt: Prompt) -> Prompt:
    """`prompt` after `cut`, as it would be measured again."""

    def short(size: Size) -> Size:
        cap = cut.cap
        return size if cap is None else size._replace(texts=tuple(min(t, cap) for t in size.texts))

    steps = [*prompt.steps[: cut.start], *prompt.steps[cut.stop :]]
    always = short(prompt.always)
    if cut.omitted:
        always = always._replace(fixed=always.fixed + LINE_TOKENS)
    return Prompt([short(s) for s in steps], always)


@given(st.lists(SIZES, max_size=60), SIZES, BUDGETS)
def test_the_rule_keeps_its_promises(steps: list[Size], always: Size, budget: int) -> None:
    prompt = Prompt(steps, always)
    cut = plan_cut(steps, always, budget)
    after = done(cut, prompt)
    least = [always, *steps[:1], *steps[1:][-1:]]
    fixed_alone = sum(size.cost(FLOOR) for size in least) + LINE_TOKENS
    assert after.cost <= max(budget, fixed_alone)
    assert cut.start == 1
    assert cut.stop <= max(1, len(steps) - 1)
    assert len(after.steps) == len(steps) - cut.omitted
    again = done(plan_cut(after.steps, after.always, budget), after)
    assert again == after


@given(st.lists(SIZES, max_size=30), SIZES)
def test_what_fits_is_left_alone(steps: list[Size], always: Size) -> None:
    budget = Prompt(steps, always).cost
    assert plan_cut(steps, always, max(1_000, budget)) == Cut()


@given(st.integers(50, 400), st.integers(30, 120))
def test_the_gap_moves_in_chunks(tokens: int, length: int) -> None:
    budget, always = 4_000, Size((100,), 300)
    stops = [plan_cut([Size((tokens,))] * n, always, budget).stop for n in range(length)]
    assert stops == sorted(stops)
    moves = [n for n in range(1, length) if stops[n] != stops[n - 1]]
    # Between two moves a quarter of the budget comes in, less the line that the first brings.
    assert all(b - a >= budget // 4 // tokens - 1 for a, b in pairwise(moves))


def test_one_huge_text_is_cut_and_no_step_is_lost() -> None:
    steps = [Size((40,), 10)] * 20
    cut = plan_cut(steps, Size((50_000,), 100), 10_000)
    assert (cut.omitted, cut.cap) == (0, 5_000)


def test_media_are_never_cut_but_count() -> None:
    steps = [Size((10,), 1_600)] * 20
    cut = plan_cut(steps, Size((), 100), 8_000)
    assert done(cut, Prompt(steps, Size((), 100))).cost <= 8_000


@pytest.mark.slow
@given(st.text(max_size=4_000), st.integers(FLOOR, 600))
def test_a_text_is_cut_in_its_middle(text: str, cap: int) -> None:
    short = middle_cut(text, cap)
    assert token_estimate(short) <= max(cap, min(token_estimate(text), cap))
    assert middle_cut(short, cap) == short
    if token_estimate(text) <= cap:
        assert short == text
    else:
        assert f"{len(text)} characters, cut here" in short
        assert short[0] == text[0]
        assert short[-1] == text[-1]


@pytest.mark.parametrize("text", ["é" * 2_000, "€" * 2_000, "🎈" * 2_000])
def test_no_character_is_torn(text: str) -> None:
    assert set(middle_cut(text, 100)) <= set(text) | set(" […characters, cut here 0123456789]")

"""Memos: how they are kept, aged, judged, moved and chosen, by hand; a state is a fold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from verbalrl.errors import UnknownNameError
from verbalrl.memory.memos import (
    FINCON,
    FINMEM,
    Chain,
    Item,
    Memos,
    candidates,
    checked,
    cited_in,
    first_importance,
    memo_of,
    memo_rules,
    score,
    top,
)
from verbalrl.records import Action, Observation, Report, Step

FILING = "Cash flow fell."


def day(
    n: int,
    *said: tuple[str, str],
    reward: float | None = 0.0,
    cites: Sequence[Item] = (),
    thought: str = "",
) -> Step:
    return Step(
        n=n,
        observation=Observation(text=f"Day {n}."),
        action=Action(text="hold", thought=thought, memos_used=tuple(range(1, len(cites) + 1))),
        reward=reward,
        reports=tuple(Report(role=role, text=text) for role, text in said),
        memos=tuple(memo_of(x, x.trial) for x in cites),
    )


def news(n: int) -> tuple[str, str]:
    return ("news", f"headline {n}")


def kept(state: Memos | None) -> dict[str, Item]:
    assert state is not None
    return {item.id: item for item in state.items}


def folded(chain: Chain, *steps: Step) -> dict[str, Item]:
    return kept(chain.fold([(1, steps)]))


def item(identity: str, importance: float, layer: str = "daily", recency: float = 1.0) -> Item:
    return Item(identity, "news", identity, 1, 1, layer, importance, recency)


CON, MEM = Chain(FINCON), Chain(FINMEM)


def test_an_importance_fades_by_its_source() -> None:
    """FinCon: v·θ^Δt, filings slowly, news fast."""
    found = folded(CON, day(1, news(1), ("filing", FILING)), day(2), day(3))
    assert found["1.1.news"].importance == pytest.approx(50 * 0.92**3)
    assert found["1.1.filing"].importance == pytest.approx(60 * 0.96**3)


def test_what_a_profitable_decision_rested_on_is_worth_five_more() -> None:
    first = day(1, news(1), ("filing", FILING))
    seen = folded(CON, first)["1.1.news"]
    good, bad, idle = (
        folded(CON, first, day(2, reward=r, cites=[seen])) for r in (0.01, -0.01, 0.0)
    )
    assert good["1.1.news"].importance == pytest.approx((50 * 0.92 + 5) * 0.92)
    assert (good["1.1.news"].counter, good["1.1.filing"].counter) == (1, 0)
    assert bad == idle == folded(CON, first, day(2))


def test_a_number_that_was_not_shown_is_left_out_and_counted() -> None:
    assert checked((2, 7, 2, 0, -1, 1), shown=2) == ((2, 1), 3)
    assert checked((), shown=0) == ((), 0)
    (seen,) = folded(CON, day(1, news(1))).values()
    step = day(2, cites=[seen])
    wrong = step.replace(action=step.action.replace(memos_used=(4, 1)))
    assert cited_in(wrong) == ("1.1.news",)


def test_the_highest_scores_are_shown_first() -> None:
    """FinMem's code takes the first k of a list that is sorted with the lowest score first."""
    items = [item(f"n{n}", importance=10.0 * n, layer="short") for n in range(1, 8)]
    # Its records, sorted by recency and importance, and the k that it takes of them.
    lowest = sorted(items, key=lambda x: x.recency + x.importance / 100)[: FINMEM.most]
    shown = top(FINMEM, items, [0.2] * 7)
    assert [x.id for x in shown] == ["n7", "n6", "n5"]
    assert not {x.id for x in lowest} & {x.id for x in shown}


def test_relevance_and_importance_weigh_alike() -> None:
    assert score(FINCON, item("a", 50), 0.25) == pytest.approx(0.75)
    assert score(FINCON, item("a", 130), -0.4) == pytest.approx(1.0)
    remembered = item("a", 40, "mid", recency=0.5)
    assert score(FINMEM, remembered, -0.1) == pytest.approx(0.8)
    near, important = item("near", 20), item("important", 90)
    assert [x.id for x in top(FINCON, [near, important], [0.8, 0.0])] == ["near", "important"]


def test_five_in_all_or_three_of_each_layer() -> None:
    assert len(top(FINCON, [item(f"n{n}", n) for n in range(9)], [0.0] * 9)) == 5
    layered = [item(f"{layer}{n}", n, layer) for layer in ("short", "mid") for n in range(5)]
    shown = Counter(x.layer for x in top(FINMEM, layered, [0.0] * 10))
    assert shown == {"short": 3, "mid": 3}


def test_ties_go_to_the_newest_then_by_source_and_text() -> None:
    def at(step: int, source: str, text: str) -> Item:
        return item("x", 50)._replace(step=step, source=source, text=text)

    items = [at(1, "news", "b"), at(2, "risk", "a"), at(2, "news", "c"), at(2, "news", "b")]
    shown = top(FINCON, items, [0.1, 0.1 + 1e-9, 0.1, 0.1])
    assert [(x.step, x.source, x.text) for x in shown] == [
        (2, "news", "b"), (2, "news", "c"), (2, "risk", "a"), (1, "news", "b"),
    ]  # fmt: skip
    assert shown == top(FINCON, items[::-1], [0.1, 0.1, 0.1 + 1e-9, 0.1])


def test_what_is_said_again_is_kept_once_and_is_new_again() -> None:
    found = folded(CON, day(1, ("filing", FILING)), day(2, news(2)), day(3, ("filing", FILING)))
    assert set(found) == {"1.1.filing", "1.2.news"}
    filing = found["1.1.filing"]
    assert (filing.trial, filing.step) == (1, 3)
    assert filing.importance == pytest.approx(60 * 0.96)
    state = CON.fold([(1, [day(1, ("filing", FILING), news(1))])])
    assert state is not None
    assert [x.source for x in candidates(state, [("filing", "cash flow fell")])] == ["news"]


def test_initial_importances_are_drawn_by_layer() -> None:
    for layer in FINMEM.layers.values():
        counts = Counter(first_importance(layer, (n + 0.5) / 1000) for n in range(1000))
        assert counts == {v: pytest.approx(1000 * chance, abs=1) for v, chance in layer.drawn}
    # A coin of its own for each chain and item.
    days = [day(n, news(n)) for n in range(1, 9)]
    one, same, other = (
        [x.importance for x in folded(Chain(FINMEM, (key,)), *days).values()] for key in (1, 1, 2)
    )
    assert one == same != other


def short(importance: float, age: int = 0) -> Memos:
    return Memos(1, (item("x", importance, "short")._replace(age=age),))


def test_an_item_of_little_weight_is_forgotten_with_its_recency() -> None:
    state, ages = short(50), []
    while state.items:
        ages.append(state.items[0].recency)
        state = MEM.after(state, day(len(ages)))
    # exp(-9/3) is the first below .05; the importance would have lasted longer.
    assert ages == pytest.approx([math.exp(-n / 3) for n in range(9)])
    assert 50 * 0.92**9 > 5
    assert MEM.after(short(5.4), day(1)).items == ()
    assert MEM.after(short(5.5), day(1)).items != ()


def test_an_important_item_rises_as_if_it_were_new_and_sinks_as_old_as_it_is() -> None:
    (risen,) = MEM.after(short(70, age=4), day(1)).items
    assert (risen.layer, risen.age, risen.recency) == ("mid", 0, 1.0)
    assert risen.importance == pytest.approx(70 * 0.92)
    (twice,) = MEM.after(short(90), day(1)).items
    assert twice.layer == "long"
    assert twice.importance == pytest.approx(90 * 0.92)
    # 64.4 fades to below 60 within the third day.
    state = Memos(1, (risen,))
    for n in range(2, 5):
        state = MEM.after(state, day(n))
    (sunk,) = state.items
    assert (sunk.layer, sunk.age) == ("short", 3)
    assert sunk.importance == pytest.approx(70 * 0.92 * 0.967**3)
    assert sunk.recency == pytest.approx(math.exp(-3 / 90))
    # Under the short layer its age tells.
    assert MEM.after(state, day(5)).items[0].recency == pytest.approx(math.exp(-4 / 3))
    (lower,) = MEM.after(Memos(1, (item("x", 80.5, "long"),)), day(1)).items
    assert lower.layer == "mid"
    # What falls far falls as far on the same day; what is at a bound stays.
    (lowest,) = MEM.after(Memos(1, (item("x", 60.0, "long"),)), day(1)).items
    assert lowest.layer == "short"
    (bound,) = MEM.after(Memos(1, (item("x", 80 / 0.988, "long"),)), day(1)).items
    assert (bound.importance, bound.layer, bound.age) == (80.0, "long", 1)


def test_reflections_stay_in_their_layer() -> None:
    found = folded(MEM, day(1, news(1), thought="The news held."), day(2))
    own = found["1.1.actor"]
    assert (own.layer, own.text, own.age) == ("reflection", "The news held.", 2)
    assert "1.1.actor" not in folded(CON, day(1, thought="The news held."))


def judged(results: Sequence[float]) -> list[Any]:
    """Counter and importance of an item of the long layer that the first decision cites."""
    state, found = Memos(1, (item("x", 99.0, "long"),)), []
    for n, result in enumerate(results, start=1):
        cites = [item("x", 0)] if n in (1, 2) else []
        state = MEM.after(state, day(n, reward=result, cites=cites))
        found.append((state.items[0].counter, state.items[0].importance))
    return found


def test_the_seven_results_from_a_decision_on_speak_for_what_it_rested_on() -> None:
    fades = 0.988
    won = judged([-0.01, 0, 0, 0, 0, 0, 0.02, 0.03])
    assert [counter for counter, _ in won] == [0] * 6 + [1, 2]
    assert won[5][1] == pytest.approx(99 * fades**6)
    assert won[6][1] == pytest.approx((99 * fades**6 + 5) * fades)
    # The second citation adds twice: the counter is cumulative.
    assert won[7][1] == pytest.approx((won[6][1] + 10) * fades)
    lost = judged([-0.01, 0, 0, 0, 0, 0, 0.0])
    assert lost[-1] == (-1, pytest.approx((99 * fades**6 - 5) * fades))
    assert judged([0.0] * 7)[-1] == (0, pytest.approx(99 * fades**7))


def test_the_next_attempt_goes_on_from_what_the_last_one_left() -> None:
    first = [day(n, news(n), reward=0.01) for n in range(1, 4)]
    state = CON.fold([(1, first)])
    seen = kept(state)["1.1.news"]
    second = [day(1, news(9), cites=[seen], reward=0.02)]
    both = CON.fold([(1, first), (2, second)])
    found = kept(both)
    assert set(found) == {"1.1.news", "1.2.news", "1.3.news", "2.1.news"}
    assert found["1.1.news"].importance == pytest.approx((50 * 0.92**3 + 5) * 0.92)
    # What came before the break says nothing of a decision after it.
    long = [day(n, reward=-0.5) for n in range(1, 7)]
    broken = MEM.fold([(1, long), (2, [day(1, reward=0.1)])])
    assert broken is not None
    assert len(broken.days) == 1


def test_a_state_is_a_fold_over_the_steps() -> None:
    steps = [day(n, news(n % 4), reward=0.01 * (n % 3 - 1), thought=f"t{n}") for n in range(1, 30)]
    for chain in (CON, MEM):
        state = chain.begun(None, 1)
        for step in steps:
            state = chain.after(state, Step.model_validate_json(step.model_dump_json()))
        assert state == chain.fold([(1, steps)])
    assert CON.fold([]) is None


def test_unknown_rules_are_named_with_the_known_ones() -> None:
    assert memo_rules("finmem") is FINMEM
    with pytest.raises(UnknownNameError, match="'finmen'"):
        memo_rules("finmen")

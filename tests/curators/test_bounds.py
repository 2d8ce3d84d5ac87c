from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curators.builders import add, curate, curation, lesson, op, reply, some
from tests.curators.test_apply import desk as desk_of
from tests.curators.test_apply import op as operation
from verbalrl.curators import settle
from verbalrl.curators.desk import LEAVE_SHARE, may_lose
from verbalrl.curators.evidence import items_of
from verbalrl.models import ScriptedModel
from verbalrl.records import Commit, Lesson, Operation, Origin
from verbalrl.store.reduce import reduce

LIST = tuple(lesson(f"l{n:03}", f"choose shelf {n} for the jar", f"jar {n}") for n in range(200))
SUMMARY = " ".join(["Choose the shelf that fits the jar best and note where it stood."] * 4)


def tokens(lessons: tuple[Lesson, ...]) -> int:
    return sum(x.body.tokens for x in lessons if x.usable)


def removed(commit: Commit, before: tuple[Lesson, ...] = LIST) -> float:
    """The share of the tokens that left the list."""
    return 1 - tokens(reduce(before, commit.updates, 5)) / tokens(before)


def test_a_summary_of_two_hundred_lessons_takes_the_place_of_none() -> None:
    everything = list(range(1, len(LIST) + 1))
    said = op("merge", lessons=everything, evidence=[1], when="a jar", instruction=SUMMARY)
    model = ScriptedModel(lambda _: reply(said))
    commit = curate(curation(some(1), lessons=LIST, max_lessons=400), model)
    assert commit.updates == ()
    assert "it names 200 lessons" in commit.rejected[0]


def test_summaries_in_parts_take_at_most_a_tenth() -> None:
    parts = [list(range(n, n + 10)) for n in range(1, 200, 10)]
    said = [
        op("merge", lessons=part, evidence=[1], when=f"jar {part[0]}", instruction=f"{n} {SUMMARY}")
        for n, part in enumerate(parts)
    ]
    short = [{**x, "instruction": f"choose {n}"} for n, x in enumerate(said)]
    commit = curate(
        curation(some(1), lessons=LIST, max_lessons=400), ScriptedModel(lambda _: reply(*short))
    )
    assert 0 < len(commit.updates) < len(parts)
    assert removed(commit) <= LEAVE_SHARE
    assert any("a tenth of the list" in why for why in commit.rejected)


def test_retiring_everything_retires_at_most_a_tenth() -> None:
    said = [op("retire", lessons=[n], evidence=[1]) for n in range(1, 201)]
    commit = curate(curation(some(1), lessons=LIST), ScriptedModel(lambda _: reply(*said)))
    assert 0.09 < removed(commit) <= 0.1
    assert len(commit.rejected) + len(commit.updates) == 200


def test_the_tenth_is_of_the_commit_not_of_each_level_of_trust() -> None:
    new = [*some(1), *some(1, "boss", trust=Origin.OPERATOR)]
    ours = tuple(x.replace(trust=Origin.OPERATOR) for x in LIST[:50]) + LIST[50:]
    said = [op("retire", lessons=[n], evidence=[1]) for n in range(1, 201)]
    commit = curate(curation(new, lessons=ours), ScriptedModel(lambda _: reply(*said)))
    assert {u.trust for u in commit.updates} == {Origin.OPERATOR}
    assert sum("a tenth of the list" in why for why in commit.rejected) > 100
    assert removed(commit, ours) <= 0.1


def test_one_lesson_of_a_long_list_may_always_leave() -> None:
    big = lesson("big", "word " * 55, "a jar")
    before = (big, *LIST[:10])
    said = reply(op("retire", lessons=[1], evidence=[1]), op("retire", lessons=[2], evidence=[1]))
    commit = curate(curation(some(1), lessons=before), ScriptedModel(lambda _: said))
    assert [u.lesson for u in commit.updates] == ["big"]


def test_short_lists_may_lose_more() -> None:
    assert may_lose(LIST[:10]) is None
    assert may_lose(LIST[:11]) == int(tokens(LIST[:11]) * LEAVE_SHARE)


GOLD = (
    lesson("one", "offer a refund of 20 euros", "the customer is a gold member"),
    lesson("two", "offer a refund of 20 euros at once", "a gold member complains", position=1),
)
NEW = add("press the green button", "the lamp is lit", 1)
JOINED = op("merge", lessons=[1, 2], evidence=[1], when="a gold member", instruction="refund 20")


def full(*answers: Any, lessons: tuple[Lesson, ...] = GOLD) -> tuple[Commit, ScriptedModel]:
    model = ScriptedModel([reply(*answer) for answer in answers])
    return curate(curation(some(1), lessons=lessons, max_lessons=2), model), model


def usable(commit: Commit, before: tuple[Lesson, ...] = GOLD) -> list[str]:
    return [x.instruction for x in reduce(before, commit.updates, 5) if x.usable]


def test_a_full_list_is_consolidated_by_whoever_sees_it() -> None:
    commit, model = full([NEW], [JOINED])
    again = model.requests[1].messages[-1].text
    assert "the list has 2 lessons and room for 2; no room for add 'press the green" in again
    assert usable(commit) == ["refund 20", "press the green button"]
    (merged,) = (u for u in commit.updates if u.op is Operation.MERGE)
    assert merged.parents == ("one", "two")


def test_a_full_list_of_which_nothing_is_given_up_stays_as_it_is() -> None:
    commit, model = full([NEW], [])
    assert len(model.requests) == 2
    assert usable(commit) == [x.instruction for x in GOLD]
    assert commit.rejected == ("add 'press the green button': the list is full (2 lessons)",)


def test_a_list_that_came_too_long_is_consolidated_too() -> None:
    three = (*GOLD, lesson("lamp", "press the green button", "the lamp is lit", position=2))
    commit, model = full([], [JOINED], lessons=three)
    assert "the list has 3 lessons and room for 2: make room" in model.requests[1].messages[-1].text
    assert usable(commit, three) == ["press the green button", "refund 20"]


def test_nobody_is_asked_to_make_room_where_he_may_not_or_need_not() -> None:
    above = tuple(x.replace(trust=Origin.OPERATOR) for x in GOLD)
    for lessons, said in ((above, [NEW]), (GOLD[:1], [NEW]), (GOLD, [JOINED, NEW])):
        commit, model = full(said, lessons=lessons)
        assert len(model.requests) == 1
        assert len(usable(commit, lessons)) == 2


SPACES = st.sampled_from([" ", "  ", "\t", "\n "])
ENDS = st.sampled_from(["", ".", "!", " ;", "…", "?!"])


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_a_thousand_copies_with_one_normal_form_are_one_row(data: st.DataObject) -> None:
    seeds = data.draw(
        st.lists(st.tuples(SPACES, ENDS, st.booleans(), st.booleans()), min_size=8, max_size=8)
    )

    def copy(n: int) -> str:
        space, end, upper, wide = seeds[n % len(seeds)]
        text = "choose cobalt, then wait" if n % 2 else "choose cobalt then wait"
        text = (text.upper() if upper else text).replace(" ", space) + end
        return text.replace("c", "ｃ") if wide else text

    new = some(1000)
    episodes = {ep.id: ep for ep, _ in new}
    evidence = {n: items_of(c, episodes)[0] for n, (_, c) in enumerate(new, start=1)}
    table = desk_of(evidence=evidence)
    said = [
        operation("add", evidence=(n,), when="it says so", instruction=copy(n)) for n in evidence
    ]
    settled = settle(said, table)
    (row,) = reduce((), settled.updates, 1)
    assert settled.updates[0].op is Operation.ADD
    assert row.votes == {"support": 1000}
    assert len({e.episode for e in row.evidence}) == 1000

from __future__ import annotations

from typing import Any

import pytest

from tests.curators.builders import (
    add,
    critique,
    curate,
    curation,
    episode,
    lesson,
    op,
    reply,
    some,
)
from verbalrl.methods import handbook
from verbalrl.models import ScriptedModel
from verbalrl.records import Commit, CurateLessons, Lesson, Operation, Status
from verbalrl.store.reduce import reduce

A = lesson("a", votes={"support": 1, "count": 2})


def voted(*said: dict[str, Any], lessons: tuple[Lesson, ...] = (A,), **work: Any) -> Commit:
    model = ScriptedModel(lambda _: reply(*said))
    return curate(curation(some(1), lessons=lessons, votes="expel", **work), model)


def after(commit: Commit, lessons: tuple[Lesson, ...] = (A,)) -> dict[str, Lesson]:
    return {x.id: x for x in reduce(lessons, commit.updates, 5)}


def test_a_new_lesson_starts_with_two() -> None:
    commit = voted(add("choose cobalt", "it says so", 1), lessons=())
    (made,) = after(commit, ()).values()
    assert made.votes == {"support": 1, "count": 2}


@pytest.mark.parametrize(
    ("name", "more", "operation", "count"),
    [
        ("support", {}, Operation.SUPPORT, 3),
        ("upvote", {}, Operation.SUPPORT, 3),
        ("edit", {"when": "x", "instruction": "choose violet"}, Operation.REVISE, 3),
        ("revise", {"when": "x", "instruction": "choose violet"}, Operation.REVISE, 3),
        ("retire", {}, Operation.VOTE, 1),
        ("downvote", {}, Operation.VOTE, 1),
    ],
)
def test_operations_move_the_count(
    name: str, more: dict[str, str], operation: Operation, count: int
) -> None:
    commit = voted(op(name, lessons=[1], evidence=[1], **more))
    assert [u.op for u in commit.updates] == [operation]
    found = after(commit)["a"]
    assert (found.votes["count"], found.status) == (count, Status.ACTIVE)


def test_a_count_of_zero_retires() -> None:
    low = A.replace(votes={"count": 1})
    commit = voted(op("downvote", lessons=[1], evidence=[1]), lessons=(low,))
    assert [u.op for u in commit.updates] == [Operation.RETIRE]
    found = after(commit, (low,))["a"]
    assert (found.status, found.votes["count"]) == (Status.RETIRED, 0)


def test_in_a_full_list_a_vote_against_weighs_three() -> None:
    commit = voted(op("retire", lessons=[1], evidence=[1]), max_lessons=1)
    assert [u.op for u in commit.updates] == [Operation.RETIRE]


def test_a_lesson_that_was_never_counted_starts_with_two() -> None:
    plain = lesson("a")
    commit = voted(op("downvote", lessons=[1], evidence=[1]), lessons=(plain,))
    assert after(commit, (plain,))["a"].votes["count"] == 1


def test_a_lesson_is_voted_on_once_in_a_round() -> None:
    down = op("downvote", lessons=[1], evidence=[1])
    commit = voted(down, down)
    assert after(commit)["a"].votes["count"] == 1
    assert len(commit.rejected) == 1


def test_without_the_setting_nothing_is_counted_and_retire_retires() -> None:
    model = ScriptedModel(lambda _: reply(op("retire", lessons=[1], evidence=[1])))
    commit = curate(curation(some(1), lessons=(A,)), model)
    assert [u.op for u in commit.updates] == [Operation.RETIRE]
    assert "count of votes" not in model.requests[0].messages[0].text


def test_the_prompt_says_that_retire_is_a_vote() -> None:
    model = ScriptedModel(lambda _: reply())
    curate(curation(some(1), votes="expel"), model)
    assert "retire is a vote against" in model.requests[0].messages[0].text


def test_the_handbook_hands_the_setting_on() -> None:
    assert handbook(votes="expel").votes == "expel"
    assert CurateLessons.model_fields["votes"].default == "support"


def test_where_a_lesson_was_given_in_vain_becomes_a_near_negative_of_its_new_text() -> None:
    vain = episode("t1", "The late parcel is a gift.", given=(A,), success=False)
    fine = episode("t2", "The late parcel is a letter.", given=(A,), success=True)
    pairs = [(e, critique(e)) for e in (vain, fine)]
    said = op("revise", lessons=[1], evidence=[1, 2], when="late", instruction="choose violet")
    commit = curate(curation(pairs, lessons=(A,)), ScriptedModel(lambda _: reply(said)))
    assert after(commit)["a"].body.examples_not == ("The late parcel is a gift.",)

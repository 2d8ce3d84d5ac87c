from __future__ import annotations

from typing import Any

import pytest

from tests.curators.builders import add, curate, curation, lesson, op, reply, some
from tests.curators.test_shared import is_merge, shown
from verbalrl.curators.nearness import NEAR
from verbalrl.curators.nominate import decided, nominate
from verbalrl.curators.schema import OperationReply
from verbalrl.models import Request, ScriptedModel
from verbalrl.records import Commit, Lesson, Operation
from verbalrl.store.reduce import reduce

GOLD = lesson("gold", "offer a refund of 20 euros", "the customer is a gold member")
LAMP = lesson("lamp", "press the green button", "the lamp is lit")
EDIT = add("offer a refund of 20 euros at once", "the customer is a gold member", 1, name="edit")
AGAINST = add("do not offer a refund of 20 euros", "the customer is a gold member", 1, name="no")
BOTH = (GOLD, LAMP)


def asked(
    propose: dict[str, Any], *merge: dict[str, Any], lessons: tuple[Lesson, ...] = BOTH
) -> Any:
    model = ScriptedModel(lambda r: reply(*merge) if is_merge(r) else reply(propose))
    return curate(curation(some(1), lessons=lessons), model), model


def after(commit: Commit, lessons: tuple[Lesson, ...] = BOTH) -> dict[str, Lesson]:
    return {x.id: x for x in reduce(lessons, commit.updates, 5)}


def nominations(request: Request) -> str:
    return shown(request, "nominations").strip()


def test_a_text_near_a_lesson_is_shown_in_a_merging_call() -> None:
    _, model = asked(AGAINST)
    assert [is_merge(r) for r in model.requests] == [False, True]
    assert nominations(model.requests[1]) == (
        "- proposal 1 and lesson 1 (one may contradict the other)"
    )
    assert "keep_both" in str(model.requests[1].output_schema)
    assert "keep_both" not in str(model.requests[0].output_schema)


def test_a_text_near_nothing_asks_for_no_further_call() -> None:
    commit, model = asked(add("choose cobalt", "it rains", 1))
    assert len(model.requests) == 1
    assert len(commit.updates) == 1


@pytest.mark.parametrize(
    ("decision", "operations"),
    [
        (op("add", proposals=[1]), [Operation.ADD]),
        (op("support", lessons=[1], evidence=[1], proposals=[1]), [Operation.SUPPORT]),
        (
            op("revise", lessons=[1], proposals=[1], evidence=[1]),
            [Operation.REVISE],
        ),
        (op("keep_both", lessons=[1], proposals=[1]), [Operation.ADD, Operation.KEEP_BOTH]),
        (op("reject", lessons=[1], proposals=[1], reason="same"), [Operation.REJECT]),
    ],
)
def test_each_decision_is_recorded(decision: dict[str, Any], operations: list[Operation]) -> None:
    commit, _ = asked(EDIT, decision)
    assert [u.op for u in commit.updates] == operations
    assert after(commit)["gold"].usable


def test_a_merge_may_join_two_near_lessons() -> None:
    twin = lesson("twin", "offer a refund of 20 euros at once", "the customer is a gold member")
    merge = op(
        "merge", lessons=[1, 2], evidence=[1], when="a gold member asks", instruction="refund"
    )
    commit, model = asked(AGAINST, merge, lessons=(GOLD, twin))
    assert "- lessons 1 and 2" in nominations(model.requests[1])
    assert [u.op for u in commit.updates] == [Operation.MERGE]


def test_a_rejection_without_a_lesson_is_recorded_with_its_reason() -> None:
    commit, _ = asked(EDIT, op("reject", proposals=[1], reason="It says the same."))
    assert commit.updates == ()
    assert "rejected by the curator, It says the same." in commit.rejected[0]


def test_a_pair_that_stays_is_not_asked_about_again() -> None:
    commit, _ = asked(AGAINST, op("keep_both", lessons=[1], proposals=[1], reason="two kinds"))
    lessons = tuple(after(commit).values())
    new = lessons[-1]
    assert decided(GOLD, new)
    assert new.conflict_with is None
    known = dict(enumerate(lessons, start=1))
    assert nominate({}, known) == ()
    changed = new.replace(
        body=new.body.replace(instruction="do not offer a refund of 20 euros now")
    )
    assert [v.lessons for v in nominate({}, known | {3: changed})] == [(1, 3)]


def test_two_lessons_may_be_decided_to_stay() -> None:
    twin = lesson("twin", "do not offer a refund of 20 euros", "the customer is a gold member")
    twin = twin.replace(conflict_with="gold")
    both = op("keep_both", lessons=[2, 1], reason="by season")
    commit, _ = asked(EDIT, both, op("reject", proposals=[1]), lessons=(GOLD, twin))
    assert [u.op for u in commit.updates] == [Operation.KEEP_BOTH]
    found = after(commit, (GOLD, twin))["twin"]
    assert found.conflict_with is None
    assert decided(found, GOLD)


@pytest.mark.parametrize("curator", ["a callable", "a model that fails", "a model that only adds"])
def test_where_nobody_decides_both_stay_and_a_contradiction_is_marked(curator: str) -> None:
    if curator == "a callable":
        who: Any = lambda _: [AGAINST]  # noqa: E731
    elif curator == "a model that fails":
        who = ScriptedModel(lambda r: RuntimeError("no") if is_merge(r) else reply(AGAINST))
    else:
        said = reply(op("add", proposals=[1]))
        who = ScriptedModel(lambda r: said if is_merge(r) else reply(AGAINST))
    commit = curate(curation(some(1), lessons=BOTH), who)
    assert [u.op for u in commit.updates] == [Operation.ADD, Operation.KEEP_BOTH]
    found = after(commit)
    made = found[commit.updates[0].lesson]
    assert made.conflict_with == "gold"
    assert made.usable
    assert found["gold"].usable
    assert any("contradicts gold; nobody decided" in why for why in commit.rejected)


def test_a_near_text_without_a_contradiction_is_noted_and_not_marked() -> None:
    commit = curate(curation(some(1), lessons=BOTH), lambda _: [EDIT])
    assert [u.op for u in commit.updates] == [Operation.ADD]
    assert any("is near gold; nobody decided" in why for why in commit.rejected)


def test_decisions_are_not_offered_where_nothing_is_nominated() -> None:
    commit, _ = asked(op("keep_both", lessons=[1, 2], evidence=[1]))
    assert commit.updates == ()
    assert "not allowed" in commit.rejected[0]


def test_nominations_are_few_and_the_nearest() -> None:
    text = "offer the gold member a refund of {} euros"
    lessons = {n: lesson(f"l{n}", text.format(n), "a gold member asks") for n in range(1, 30)}
    new = OperationReply(op="add", when="a gold member asks", instruction=text.format(99))
    found = nominate({1: new}, lessons)
    assert len(found) == 24
    assert sum(view.proposal == 1 for view in found) == 3
    assert NEAR == 0.6

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curators.builders import SCOPE, critique, episode, lesson, rests_on
from tests.test_worth import PLATITUDES, REFUSALS, SIMILAR
from verbalrl.curators import Desk, OperationReply, Settled, entry, settle
from verbalrl.curators.desk import MAX_WORDS, complaints
from verbalrl.curators.evidence import items_of
from verbalrl.records import (
    Gate,
    Lesson,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from verbalrl.store.reduce import reduce

EPISODES = [episode(f"t{n}", f"Ticket {n}.") for n in range(1, 7)]
ITEMS = {
    n: items_of(critique(e, confidence=n / 10), {e.id: e})[0] for n, e in enumerate(EPISODES, 1)
}
A, B, C = lesson("a"), lesson("b", born=1), lesson("c", born=2)
ALL = frozenset({"add", "revise", "merge", "support", "retire"})
NEW = {"when": "it says so", "instruction": "choose cobalt"}


def desk(*lessons: Lesson, hidden: tuple[Lesson, ...] = (), **more: Any) -> Desk:
    settings: dict[str, Any] = {
        "commit": "cu_1",
        "branch": "r/learned/0",
        "scope": SCOPE,
        "kind": LessonKind.BEHAVIOR,
        "trust": Origin.TASK,
        "gate": "none",
        "operations": ALL,
        "max_lessons": 24,
        "memory": (*lessons, *hidden),
        "lessons": dict(enumerate(lessons, start=1)),
        "evidence": ITEMS,
    }
    return Desk(**{**settings, **more})


def op(name: str, /, **fields: Any) -> OperationReply:
    return OperationReply(op=name, **fields)


def asked(on: Desk, *operations: OperationReply) -> Settled:
    settled = settle(operations, on)
    # Whatever is settled, the store must take it.
    reduce(on.memory, settled.updates, 5)
    assert len(settled.accepted) + len(settled.rejected) == len(operations)
    return settled


def only(on: Desk, *operations: OperationReply) -> MemoryUpdate:
    settled = asked(on, *operations)
    assert settled.rejected == ()
    (update,) = settled.updates
    return update


def why(on: Desk, *operations: OperationReply) -> str:
    return asked(on, *operations).rejected[-1]


def test_add_carries_evidence_confidence_and_name() -> None:
    update = only(desk(), op("add", name="cobalt", evidence=(2, 4, 2), reason=" both ", **NEW))
    assert update.op is Operation.ADD
    assert update.body is not None
    assert (update.body.name, update.body.when) == ("cobalt", "it says so")
    assert update.status is Status.ACTIVE
    assert [e.episode for e in update.evidence] == ["ep_t2_1", "ep_t4_1"]
    assert update.critiques == ("cr_ep_t2_1", "cr_ep_t4_1")
    assert update.votes == {"support": 2}
    assert update.confidence == 0.3
    assert update.reason == "both"


@pytest.mark.parametrize(
    ("trust", "gate", "status"),
    [
        (Origin.TASK, "none", Status.ACTIVE),
        (Origin.TASK, "measured", Status.PROVISIONAL),
        (Origin.TASK, "review", Status.PROVISIONAL),
        (Origin.UNTRUSTED, "none", Status.QUARANTINED),
        (Origin.UNTRUSTED, "measured", Status.QUARANTINED),
        (Origin.OPERATOR, "review", Status.ACTIVE),
    ],
)
def test_trust_and_gate_decide_how_a_lesson_enters(
    trust: Origin, gate: Gate, status: Status
) -> None:
    assert entry(trust, gate) is status
    update = only(desk(trust=trust, gate=gate), op("add", evidence=(1,), **NEW))
    assert (update.status, update.trust) == (status, trust)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (op("rewrite", **NEW), "not allowed"),
        (op("add", evidence=(9,), **NEW), "evidence 9 was not shown"),
        (op("add", **NEW), "cites no evidence"),
        (op("add", evidence=(1,), lessons=(1,), **NEW), "it names 1 lessons"),
        (op("add", evidence=(1,), when="it says so"), "`instruction` is empty"),
        (op("add", evidence=(1,), instruction="choose cobalt"), "`when` is empty"),
        (op("add", evidence=(1,), instruction="choose it", when=" - "), "`when` is empty"),
        (op("add", evidence=(1,), instruction="choose it", when="N/A"), "`when` is empty"),
        (op("add", evidence=(1,), when="x", instruction="word " * (MAX_WORDS + 1)), "longer than"),
        (op("add", evidence=(1,), proposals=(1,), **NEW), "proposals 1 was not shown"),
        (op("support", lessons=(9,), evidence=(1,)), "lessons 9 was not shown"),
        (op("support", lessons=(1, 2), evidence=(1,)), "it names 2 lessons"),
        (op("support", lessons=(1,)), "cites no evidence"),
        (op("revise", lessons=(1,), **NEW), "cites no evidence"),
        (op("revise", lessons=(1,), evidence=(1,), instruction="choose it"), "`when` is empty"),
        (op("revise", evidence=(1,), **NEW), "it names 0 lessons"),
        (op("merge", lessons=(1,), evidence=(1,), **NEW), "it names 1 lessons"),
        (op("merge", lessons=(1, 1), evidence=(1,), **NEW), "it names 1 lessons"),
        (op("merge", lessons=(1, 2), **NEW), "cites no evidence"),
        (op("retire", lessons=(1,)), "cites no evidence"),
        (op("retire", evidence=(1,)), "it names 0 lessons"),
    ],
)
def test_faulty_operations_are_rejected_with_a_reason(
    operation: OperationReply, reason: str
) -> None:
    settled = asked(desk(A, B), operation)
    assert settled.updates == ()
    assert reason in settled.rejected[0]
    assert settled.rejected[0].startswith(operation.op)


def test_operations_that_a_method_does_not_allow_are_rejected() -> None:
    on = desk(A, operations=frozenset({"add"}))
    assert "not allowed" in why(on, op("retire", lessons=(1,), evidence=(1,)))


def test_support_counts_fresh_episodes_once() -> None:
    known = lesson("a", evidence=(rests_on(EPISODES[0]),))
    update = only(desk(known), op("support", lessons=(1,), evidence=(1, 2, 3)))
    assert update.votes == {"support": 2}
    assert [e.episode for e in update.evidence] == ["ep_t2_1", "ep_t3_1"]
    assert "counted already" in why(desk(known), op("support", lessons=(1,), evidence=(1,)))
    twice = asked(
        desk(known),
        op("support", lessons=(1,), evidence=(2,)),
        op("support", lessons=(1,), evidence=(2,)),
    )
    assert len(twice.updates) == 1


def test_revise_keeps_what_only_the_method_decides() -> None:
    old = A.replace(body=A.body.replace(audience="planner", aspect="risk", conditional=True))
    update = only(desk(old), op("revise", lessons=(1,), evidence=(1,), **NEW))
    assert update.op is Operation.REVISE
    assert update.body is not None
    assert (update.body.audience, update.body.aspect) == ("planner", "risk")
    assert update.body.conditional


@pytest.mark.parametrize(("name", "lessons"), [("revise", (1,)), ("merge", (1, 2))])
def test_what_a_new_text_cites_is_support_once(name: str, lessons: tuple[int, ...]) -> None:
    known = lesson("a", evidence=(rests_on(EPISODES[0]),), votes={"support": 1})
    on = desk(known, B)
    rewritten = only(on, op(name, lessons=lessons, evidence=(1, 2, 3), **NEW))
    assert rewritten.votes == {"support": 2}
    made = next(x for x in reduce(on.memory, (rewritten,), 5) if x.id == rewritten.lesson)
    assert made.votes["support"] == len({e.episode for e in made.evidence}) == 3


def test_merged_lessons_share_the_support_of_the_episodes_behind_both() -> None:
    first, second, third = (rests_on(e) for e in EPISODES[:3])
    one = lesson("a", evidence=(first, second), votes={"support": 2})
    other = lesson("b", evidence=(second, third), votes={"support": 2})
    update = only(desk(one, other), op("merge", lessons=(1, 2), evidence=(1, 4), **NEW))
    made = {x.id: x for x in reduce((one, other), (update,), 5)}[update.lesson]
    assert made.votes == {"support": 4}
    # Published support can be less than the episodes behind it: none of the better one's is lost.
    few = [x.replace(evidence=(first, second), votes={"support": 1}) for x in (one, other)]
    update = only(desk(*few), op("merge", lessons=(1, 2), evidence=(1,), **NEW))
    assert update.votes == {"support": -1}


def test_merged_lessons_share_what_was_counted_as_untrusted() -> None:
    first, second, both = (
        rests_on(e).replace(origin=Origin.UNTRUSTED if n == 2 else Origin.TASK)
        for n, e in enumerate(EPISODES[:3])
    )
    votes = {"support": 1, "support_untrusted": 1}
    one, other = (
        lesson(name, evidence=(own, both), votes=votes, trust=Origin.TASK)
        for name, own in (("a", first), ("b", second))
    )
    update = only(desk(one, other), op("merge", lessons=(1, 2), evidence=(1,), **NEW))
    made = {x.id: x for x in reduce((one, other), (update,), 5)}[update.lesson]
    assert made.votes == {"support": 2, "support_untrusted": 1}


def test_support_beside_a_revise_counts_what_the_revise_did_not_cite() -> None:
    revise = op("revise", lessons=(1,), evidence=(1, 2), **NEW)
    both = asked(desk(A), revise, op("support", lessons=(1,), evidence=(2, 3)))
    assert [u.votes for u in both.updates] == [{"support": 2}, {"support": 1}]


@pytest.mark.parametrize(("name", "lessons"), [("revise", (1,)), ("merge", (1, 2))])
@pytest.mark.parametrize("cites", [(1,), (1, 2)])
def test_who_says_a_new_text_again_supports_it_once(
    name: str, lessons: tuple[int, ...], cites: tuple[int, ...]
) -> None:
    known = lesson("a", evidence=(rests_on(EPISODES[0]),), votes={"support": 1})
    on = desk(known, B)
    rewrite = op(name, lessons=lessons, evidence=cites, **NEW)
    both = asked(on, rewrite, *(op("add", evidence=(n,), **NEW) for n in (1, 3, 3)))
    (update,) = both.updates
    made = next(x for x in reduce(on.memory, both.updates, 5) if x.id == update.lesson)
    assert made.votes["support"] == len({e.episode for e in made.evidence}) == len(cites) + 1


def test_merge_names_its_parents() -> None:
    on = desk(A, B, C)
    update = only(on, op("merge", lessons=(1, 3), evidence=(1,), **NEW))
    assert update.op is Operation.MERGE
    assert update.parents == (A.id, C.id)
    made = {x.id: x for x in reduce(on.memory, (update,), 5)}
    assert made[A.id].status is Status.SUPERSEDED
    assert made[A.id].successor == update.lesson
    assert made[update.lesson].status is Status.ACTIVE


def test_retire_counts_against() -> None:
    update = only(desk(A), op("retire", lessons=(1,), evidence=(1, 2)))
    assert (update.op, update.votes) == (Operation.RETIRE, {"against": 2})


def test_equal_content_is_support() -> None:
    update = only(desk(A), op("add", when="A ticket.", instruction="Choose a", evidence=(1,)))
    assert (update.op, update.lesson) == (Operation.SUPPORT, A.id)
    update = only(
        desk(A), op("revise", lessons=(1,), when="a ticket", instruction="choose a", evidence=(1,))
    )
    assert update.op is Operation.SUPPORT


def test_equal_adds_are_one_lesson_with_all_evidence() -> None:
    settled = asked(
        desk(),
        op("add", evidence=(1, 2), **NEW),
        op("add", evidence=(3,), when="It says so!", instruction="choose  cobalt"),
    )
    (update,) = settled.updates
    assert update.votes == {"support": 3}
    assert update.critiques == ("cr_ep_t1_1", "cr_ep_t2_1", "cr_ep_t3_1")


def test_revised_text_of_another_lesson_is_rejected() -> None:
    same_as_b = {"when": "a ticket", "instruction": "choose b"}
    on = desk(A, B)
    assert "merge the two" in why(on, op("revise", lessons=(1,), evidence=(1,), **same_as_b))
    assert only(on, op("merge", lessons=(1, 2), evidence=(1,), **same_as_b)).parents


def test_text_given_up_comes_back_on_new_evidence_only() -> None:
    gone = lesson("a", status=Status.RETIRED, evidence=(rests_on(EPISODES[0]),))
    same = {"when": "a ticket", "instruction": "choose a"}
    on = desk(hidden=(gone,))
    settled = asked(on, op("add", evidence=(1, 2), **same))
    assert [u.op for u in settled.updates] == [Operation.RESTORE, Operation.SUPPORT]
    back = reduce(on.memory, settled.updates, 5)[0]
    assert (back.status, back.votes) == (Status.ACTIVE, {"support": 1})
    assert "counted already" in why(on, op("add", evidence=(1,), **same))


def test_revoked_text_does_not_come_back() -> None:
    on = desk(A, hidden=(lesson("x", "choose cobalt", "it says so", status=Status.REVOKED),))
    assert "was revoked" in why(on, op("add", evidence=(1,), **NEW))
    assert "was revoked" in why(on, op("revise", lessons=(1,), evidence=(1,), **NEW))


def test_trusted_text_takes_the_place_of_a_quarantined_one_and_confirms_nothing() -> None:
    quarantined = lesson(
        "q", "choose cobalt", "it says so", status=Status.QUARANTINED, trust=Origin.UNTRUSTED
    )
    update = only(desk(hidden=(quarantined,)), op("add", evidence=(1,), **NEW))
    assert (update.op, update.status) == (Operation.SUPERSEDE, Status.ACTIVE)
    assert (update.trust, update.parents) == (Origin.TASK, ("q",))
    published = quarantined.replace(trust=Origin.OPERATOR)
    assert "waits in quarantine" in why(desk(hidden=(published,)), op("add", evidence=(1,), **NEW))
    untrusted = desk(hidden=(quarantined,), trust=Origin.UNTRUSTED)
    update = only(untrusted, op("add", evidence=(1,), **NEW))
    assert (update.op, update.lesson) == (Operation.SUPPORT, "q")


@pytest.mark.parametrize("name", ["revise", "retire", "merge"])
def test_less_trusted_text_may_only_support(name: str) -> None:
    on = desk(A, B, trust=Origin.UNTRUSTED)
    lessons = (1, 2) if name == "merge" else (1,)
    assert "may only support" in why(on, op(name, lessons=lessons, evidence=(1,), **NEW))
    update = only(on, op("support", lessons=(1,), evidence=(1,)))
    assert update.votes == {"support_untrusted": 1}
    after = reduce(on.memory, (update,), 5)[0]
    assert (after.body, after.trust, after.status) == (A.body, A.trust, A.status)


def test_a_lesson_is_changed_once() -> None:
    on = desk(A, B)
    settled = asked(
        on,
        op("revise", lessons=(1,), evidence=(1,), **NEW),
        op("retire", lessons=(1,), evidence=(2,)),
        op("support", lessons=(1,), evidence=(3,)),
        op("retire", lessons=(2,), evidence=(1,)),
        op("support", lessons=(2,), evidence=(3,)),
        op("add", when="a ticket", instruction="choose b", evidence=(4,)),
    )
    assert [u.op for u in settled.updates] == [
        Operation.REVISE,
        Operation.SUPPORT,
        Operation.RETIRE,
    ]
    assert "changed by another operation, revise" in settled.rejected[0]
    assert "changed by another operation, retire" in settled.rejected[1]
    assert "another operation (retire)" in settled.rejected[2]


def test_cap_keeps_the_best_supported_and_counts_what_leaves() -> None:
    on = desk(A, B, max_lessons=2)
    thin = op("add", when="one", instruction="choose violet", evidence=(1,))
    thick = op("add", when="two", instruction="choose cobalt", evidence=(1, 2))
    retire = op("retire", lessons=(1,), evidence=(3,))
    assert "the list is full (2 lessons)" in why(on, thin)
    settled = asked(on, thin, thick, retire)
    assert [u.op for u in settled.updates] == [Operation.RETIRE, Operation.ADD]
    assert settled.updates[1].body is not None
    assert settled.updates[1].body.when == "two"
    assert "full" in settled.rejected[0]


def test_the_list_is_never_rewritten_whole() -> None:
    lessons = [lesson(f"l{n}", born=n) for n in range(8)]
    operations = [op("retire", lessons=(n,), evidence=(1,)) for n in range(1, 9)]
    settled = asked(desk(*lessons), *operations)
    assert len(settled.updates) == 6
    assert "more than 6 of 8 lessons" in settled.rejected[0]
    whole = op("merge", lessons=tuple(range(1, 9)), evidence=(1,), **NEW)
    assert "more than 6 of 8 lessons" in why(desk(*lessons), whole)


def test_proposals_bring_their_text_and_evidence() -> None:
    proposals = {
        1: op("add", name="n", evidence=(1, 2), **NEW),
        2: op("retire", lessons=(1,), evidence=(3,)),
    }
    on = desk(A, B, proposals=proposals)
    update = only(on, op("add", proposals=(1,)))
    assert update.body is not None
    assert (update.body.instruction, update.body.name) == ("choose cobalt", "n")
    assert update.votes == {"support": 2}
    assert only(on, op("retire", proposals=(2,))).lesson == A.id


def test_complaints_are_about_texts_that_can_be_mended() -> None:
    on = desk(A)
    operations = (
        op("add", evidence=(1,), instruction="choose cobalt"),
        op("add", evidence=(9,), **NEW),
        op("support", lessons=(1,), evidence=(1,)),
        op("revise", lessons=(1,), evidence=(1,), when="x"),
    )
    found = complaints(operations, on)
    assert [c.split(":")[0] for c in found] == ["operation 1 (add)", "operation 4 (revise)"]


NUMBERS = st.lists(st.integers(1, 7), max_size=3).map(tuple)
TEXTS = st.sampled_from(["", "choose a", "choose b", "choose c", "choose cobalt", "wait"])
OPERATIONS = st.builds(
    OperationReply,
    op=st.sampled_from(sorted(ALL)),
    lessons=NUMBERS,
    evidence=NUMBERS,
    when=st.sampled_from(["a ticket", "it says so", ""]),
    instruction=TEXTS,
)
LESSONS = st.lists(
    st.tuples(
        st.sampled_from(["choose a", "choose b", "choose c", "wait"]),
        st.sampled_from(list(Status)),
        st.sampled_from([Origin.TASK, Origin.UNTRUSTED]),
    ),
    max_size=5,
)


@given(
    LESSONS,
    st.lists(OPERATIONS, max_size=10),
    st.sampled_from(list(Origin)),
    st.sampled_from(["none", "measured", "review"]),
    st.integers(1, 4),
)
def test_whatever_is_asked_the_store_takes_what_is_settled(
    texts: list[tuple[str, Status, Origin]],
    operations: list[OperationReply],
    trust: Origin,
    gate: Gate,
    cap: int,
) -> None:
    memory = tuple(
        lesson(f"l{n}", text, status=status, trust=origin, born=n)
        for n, (text, status, origin) in enumerate(texts)
    )
    shown = dict(enumerate((x for x in memory if x.usable), start=1))
    on = desk(hidden=memory, lessons=shown, trust=trust, gate=gate, max_lessons=cap)
    settled = asked(on, *operations)
    after = reduce(memory, settled.updates, 5)
    usable = [x for x in after if x.usable]
    assert len(usable) <= max(cap, len(shown))
    before = {x.id: x for x in memory}
    for one in after:
        old = before.get(one.id)
        if old is not None and old.trust.rank > trust.rank:
            assert (one.body, one.trust, one.status) == (old.body, old.trust, old.status)
        if old is not None and old.status is Status.REVOKED:
            assert one == old
        if trust is Origin.UNTRUSTED and old is None:
            assert one.status is Status.QUARANTINED
    assert settle(operations, on) == settled


@pytest.mark.parametrize("text", [*REFUSALS, *PLATITUDES])
@pytest.mark.parametrize("operation", ["add", "revise", "merge"])
def test_refusals_and_platitudes_are_never_stored(operation: str, text: str) -> None:
    lessons = {"add": (), "revise": (1,), "merge": (1, 2)}[operation]
    asked_for = op(operation, lessons=lessons, evidence=(1,), when="it says so", instruction=text)
    settled = asked(desk(A, B), asked_for)
    assert settled.updates == ()
    assert "`instruction` is a " in settled.rejected[0]


@pytest.mark.parametrize(("when", "instruction"), SIMILAR)
def test_advice_that_looks_like_a_refusal_is_stored(when: str, instruction: str) -> None:
    said = op("add", evidence=(1,), when=when or "it says so", instruction=instruction)
    assert only(desk(), said).op is Operation.ADD

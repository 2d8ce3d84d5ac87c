"""What superseded critiques leave behind: pure, case by case."""

from __future__ import annotations

from typing import Any

from tests.store.builders import body
from verbalrl.memory.withdrawal import withdrawal
from verbalrl.records import Evidence, Lesson, MemoryUpdate, Operation, Origin, Status
from verbalrl.store import reduce


def seen(critique: str, origin: Origin | None = Origin.UNTRUSTED, says: str = "") -> Evidence:
    """Evidence of an episode of its own, from a source of its own."""
    untrusted = origin is Origin.UNTRUSTED
    return Evidence(
        critique=critique,
        episode=f"ep_{critique}",
        instance=f"i_{critique}",
        trial=1,
        origin=origin,
        sources=(f"s_{critique}",) if untrusted else (),
        sound=untrusted,
        says=says,
    )


def change(op: Operation, lesson: str, *by: Evidence, **changes: Any) -> MemoryUpdate:
    known: dict[str, Any] = {
        "op": op,
        "lesson": lesson,
        "trust": Origin.UNTRUSTED,
        "evidence": by,
        "critiques": tuple(e.critique for e in by),
    }
    if op in (Operation.ADD, Operation.SUPPORT):
        known["votes"] = {"support": len(by)}
    return MemoryUpdate(**known | changes)


def after(updates: list[MemoryUpdate], *gone: str) -> tuple[dict[str, Lesson], list[str]]:
    """The lessons once `gone` is withdrawn, and the operations that took."""
    before = reduce((), updates, 1, "s")
    made = withdrawal(before, [(1, u) for u in updates], gone, "superseded")
    again = reduce(before, made, 2, "s")
    assert withdrawal(again, [(1, u) for u in (*updates, *made)], gone, "superseded") == ()
    return {x.id: x for x in again}, [u.op.value for u in made]


A = body("a")


def test_what_nothing_else_supports_is_retired() -> None:
    found, ops = after([change(Operation.ADD, "x", seen("c1"), body=A)], "c1")
    assert (found["x"].status, found["x"].evidence, ops) == (Status.RETIRED, (), ["retire"])
    assert found["x"].votes == {"support": 0}


def test_what_another_case_supports_stays_with_less() -> None:
    made = [
        change(Operation.ADD, "x", seen("c1"), body=A),
        change(Operation.SUPPORT, "x", seen("c2")),
    ]
    found, ops = after(made, "c1")
    assert (found["x"].status, ops) == (Status.QUARANTINED, ["vote"])
    assert found["x"].votes == {"support": 1}
    assert [e.critique for e in found["x"].evidence] == ["c2"]


def test_confirmation_goes_with_its_second_source() -> None:
    says = A.content
    made = [
        change(Operation.ADD, "x", seen("c1", says=says), body=A),
        change(Operation.SUPPORT, "x", seen("c2", says=says)),
        change(Operation.ACTIVATE, "x", status=Status.PROVISIONAL),
    ]
    found, ops = after(made, "c2")
    assert (found["x"].status, ops) == (Status.QUARANTINED, ["suspend"])
    third = [*made, change(Operation.SUPPORT, "x", seen("c3", says=says))]
    found, ops = after(third, "c2")
    assert (found["x"].status, ops) == (Status.PROVISIONAL, ["vote"])


def test_a_text_that_only_they_asked_for_goes_back() -> None:
    made = [
        change(Operation.ADD, "x", seen("c1"), body=A),
        change(Operation.REVISE, "x", seen("c2"), body=body("b")),
    ]
    found, ops = after(made, "c2")
    assert (found["x"].body.content, ops) == (A.content, ["revise"])
    kept = [*made, change(Operation.SUPPORT, "x", seen("c3"))]
    found, ops = after(kept, "c2")
    assert (found["x"].body.content, ops) == (body("b").content, ["vote"])


def test_what_a_person_vouches_for_stays_when_its_first_words_go() -> None:
    made = [
        change(Operation.ADD, "x", seen("c1"), body=A),
        change(Operation.ACTIVATE, "x", status=Status.ACTIVE, trust=Origin.OPERATOR),
    ]
    found, ops = after(made, "c1")
    assert (found["x"].status, ops) == (Status.ACTIVE, ["vote"])


def test_the_operators_own_words_go_when_he_takes_them_back() -> None:
    said = seen("c1", origin=None)
    made = [
        change(Operation.ADD, "x", said, body=A, trust=Origin.OPERATOR, status=Status.ACTIVE),
        change(Operation.SUPPORT, "x", seen("c2")),
    ]
    found, ops = after(made, "c1")
    assert (found["x"].status, ops) == (Status.RETIRED, ["retire"])


def test_what_they_had_retired_or_replaced_comes_back() -> None:
    made = [
        change(Operation.ADD, "x", seen("c1"), body=A),
        change(Operation.RETIRE, "x", seen("c2")),
        change(Operation.ADD, "y", seen("c3"), body=body("y")),
        change(
            Operation.SUPERSEDE,
            "z",
            seen("c2", origin=None),
            body=body("z"),
            parents=("y",),
            trust=Origin.OPERATOR,
            status=Status.ACTIVE,
        ),
    ]
    found, _ = after(made, "c2")
    assert {n: x.status for n, x in found.items()} == {
        "x": Status.QUARANTINED,
        "y": Status.QUARANTINED,
        "z": Status.RETIRED,
    }


def test_what_is_over_stays_over() -> None:
    made = [
        change(Operation.ADD, "x", seen("c1"), body=A),
        change(Operation.REVOKE, "x", trust=Origin.OPERATOR),
    ]
    found, ops = after(made, "c1")
    assert (found["x"].status, ops) == (Status.REVOKED, [])

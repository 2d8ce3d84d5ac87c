"""How far each trust may go, in every case of the table."""

import itertools

import pytest

from tests.store.builders import body, change, seen
from tests.store.test_reduce import a_lesson
from verbalrl.errors import StorageError
from verbalrl.records import Evidence, Lesson, LessonKind, Operation, Origin, Status
from verbalrl.store import ENTRY, LIVE, TRANSITIONS, corroboration, reduce

WEAKENING = (Operation.RETIRE, Operation.SUSPEND, Operation.REVOKE, Operation.PURGE)


def said(n: int, source: str, **changes: object) -> Evidence:
    known = {"origin": Origin.UNTRUSTED, "sources": (source,), "sound": True}
    full = known | {"says": body("le_1").content} | changes
    return Evidence.model_validate(seen(f"i{n}").model_dump() | full)


TWO = (said(1, "ann"), said(2, "bob"))


def after(lesson: Lesson, op: Operation, trust: Origin, status: Status | None = None) -> Lesson:
    parent = a_lesson(Status.ACTIVE, "le_p", trust=Origin.UNTRUSTED)
    asked = change(op, "le_1", trust=trust, status=status)
    return next(x for x in reduce([lesson, parent], [asked], 5) if x.id == "le_1")


@pytest.mark.parametrize(
    ("op", "asking", "held"), list(itertools.product(WEAKENING, Origin, Origin))
)
def test_less_trusted_text_weakens_nothing(op: Operation, asking: Origin, held: Origin) -> None:
    lesson = a_lesson(Status.ACTIVE, trust=held)
    if asking.rank < held.rank:
        with pytest.raises(StorageError, match=f"{asking} text may not change {held}"):
            after(lesson, op, asking)
    else:
        assert after(lesson, op, asking).status in TRANSITIONS[op][Status.ACTIVE]
    own = lesson.replace(body=body("le_1", LessonKind.REFLECTION))
    assert after(own, op, asking).status is not Status.ACTIVE


@pytest.mark.parametrize(
    ("before", "end", "asking", "held", "confirmed"),
    list(itertools.product(LIVE, LIVE[1:], Origin, Origin, [False, True])),
)
def test_what_rises_has_earned_it(
    before: Status, end: Status, asking: Origin, held: Origin, confirmed: bool
) -> None:
    if end not in TRANSITIONS[Operation.ACTIVATE][before]:
        return
    lesson = a_lesson(before, trust=held, evidence=TWO if confirmed else TWO[:1])
    one_step = (before, end) != (Status.QUARANTINED, Status.ACTIVE)
    by_itself = confirmed and one_step
    earned = by_itself if held is Origin.UNTRUSTED else before is Status.PROVISIONAL
    # What is in use already only a person may vouch for, whoever confirms it.
    earned = earned and before is not Status.ACTIVE
    if asking is Origin.OPERATOR or earned:
        risen = after(lesson, Operation.ACTIVATE, asking, end)
        approved = asking is Origin.OPERATOR and end is Status.ACTIVE
        assert (risen.status, risen.trust) == (end, Origin.OPERATOR if approved else held)
    else:
        with pytest.raises(StorageError):
            after(lesson, Operation.ACTIVATE, asking, end)


@pytest.mark.parametrize(("asking", "held", "end"), list(itertools.product(Origin, Origin, LIVE)))
def test_what_comes_back_enters_as_new(asking: Origin, held: Origin, end: Status) -> None:
    lesson = a_lesson(Status.RETIRED, trust=held)
    if asking is Origin.OPERATOR or end in ENTRY[Origin.minimum((asking, held))]:
        assert after(lesson, Operation.RESTORE, asking, end).status is end
    else:
        with pytest.raises(StorageError, match="may not come back"):
            after(lesson, Operation.RESTORE, asking, end)


@pytest.mark.parametrize(
    ("before", "asking", "held"), list(itertools.product(LIVE, Origin, Origin))
)
def test_new_words_of_untrusted_text_wait(before: Status, asking: Origin, held: Origin) -> None:
    lesson = a_lesson(before, trust=held)
    asked = change(Operation.REVISE, "le_1", trust=asking, body=body("new"))
    if asking.rank < held.rank:
        with pytest.raises(StorageError):
            reduce([lesson], [asked], 5)
        return
    (revised,) = reduce([lesson], [asked], 5)
    low = held is Origin.UNTRUSTED and asking is not Origin.OPERATOR
    assert revised.status is (Status.QUARANTINED if low else before)
    higher = Status.ACTIVE if low else Status.RETIRED
    with pytest.raises(StorageError):
        reduce([lesson], [asked.replace(status=higher)], 5)


@pytest.mark.parametrize(
    "second",
    [
        said(2, "ann"),
        said(1, "bob"),
        said(2, "bob", sound=False),
        said(2, "bob", says=""),
        said(2, "bob", says=body("other").content),
        said(2, "", sources=()),
        said(2, "bob", sources=("ann", "bob")),
        said(2, "bob", episode=TWO[0].episode),
    ],
)
def test_what_does_not_confirm(second: Evidence) -> None:
    assert corroboration(a_lesson(Status.QUARANTINED, evidence=TWO))
    assert not corroboration(a_lesson(Status.QUARANTINED, evidence=(TWO[0], second)))

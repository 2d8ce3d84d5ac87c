"""Every operation from every status, and replay of whatever sequence of updates."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.builders import a_commit, add, body, change, new_store, open_lane, seen, wait
from verbalrl.errors import StorageError
from verbalrl.records import Lesson, LessonBody, LessonKind, MemoryUpdate, Operation, Origin, Status
from verbalrl.store import ENTRY, LIVE, PARENTS, TRANSITIONS, clashes, lesson_id, reduce
from verbalrl.store.lessons import replay

BEFORE: tuple[Status | None, ...] = (None, *Status)


def a_lesson(status: Status, identity: str = "le_1", **changes: object) -> Lesson:
    known: dict[str, object] = {
        "id": identity,
        "scope": "s",
        "body": body(identity),
        "status": status,
        "trust": Origin.TASK,
        "votes": {"support": 2},
        "evidence": (seen("i1"),),
    }
    return Lesson.model_validate(known | changes)


def ask(op: Operation, status: Status | None = None, **changes: object) -> MemoryUpdate:
    """An update that lacks nothing."""
    known: dict[str, object] = {"trust": Origin.TASK, "status": status}
    if op in (Operation.ADD, Operation.REVISE, Operation.MERGE, Operation.SUPERSEDE):
        known["body"] = body("new")
    if op in PARENTS:
        known["parents"] = ("le_p",)
    return change(op, "le_1", **known | changes)


def memory(before: Status | None) -> list[Lesson]:
    parent = a_lesson(Status.ACTIVE, "le_p", position=1, evidence=(seen("i2"),))
    return [parent] if before is None else [a_lesson(before), parent]


@pytest.mark.parametrize(("op", "before"), list(itertools.product(Operation, BEFORE)))
def test_every_operation_from_every_status(op: Operation, before: Status | None) -> None:
    allowed = TRANSITIONS[op].get(before, ())
    # How far an update goes for its trust is the business of `test_trust`.
    trust = Origin.OPERATOR
    reached = set()
    for wanted in (None, *Status):
        try:
            after = {
                x.id: x for x in reduce(memory(before), [ask(op, wanted, trust=trust)], 5, "s")
            }
        except StorageError:
            assert wanted not in allowed or wanted is None
            continue
        status = after["le_1"].status if "le_1" in after else None
        assert status in allowed
        assert wanted in (None, status) or op is Operation.REJECT
        reached.add(status)
        gone = PARENTS[op][Status.ACTIVE] if op in PARENTS else Status.ACTIVE
        assert after["le_p"].status is gone
    assert reached == set(allowed)


@pytest.mark.parametrize(("op", "status"), list(itertools.product(PARENTS, Status)))
def test_parents_give_way_only_while_they_live(op: Operation, status: Status) -> None:
    state = [a_lesson(Status.ACTIVE), a_lesson(status, "le_p")]
    if status not in LIVE:
        with pytest.raises(StorageError, match=f"its parent le_p is {status}"):
            reduce(state, [ask(op)], 5)
        return
    parent = next(x for x in reduce(state, [ask(op)], 5) if x.id == "le_p")
    assert (parent.status, parent.successor) == (Status.SUPERSEDED, "le_1")


@pytest.mark.parametrize("parents", [(), ("le_1",), ("le_none",)])
@pytest.mark.parametrize("op", list(PARENTS))
def test_parents_must_be_other_lessons(op: Operation, parents: tuple[str, ...]) -> None:
    with pytest.raises(StorageError, match="parent"):
        reduce(memory(Status.ACTIVE), [ask(op, parents=parents)], 5)


@pytest.mark.parametrize("op", [o for o in Operation if None in TRANSITIONS[o]])
def test_made_lesson_needs_a_text(op: Operation) -> None:
    if op is Operation.REJECT:
        assert len(reduce([], [ask(op)], 5)) == 0
        return
    with pytest.raises(StorageError, match="it has no text"):
        reduce(memory(None), [ask(op, body=None)], 5)


@pytest.mark.parametrize(("trust", "status"), list(itertools.product(Origin, LIVE)))
def test_trust_decides_how_a_lesson_enters(trust: Origin, status: Status) -> None:
    update = add("le_1", trust=trust, status=status)
    if status in ENTRY[trust]:
        assert reduce([], [update], 1)[0].status is status
    else:
        with pytest.raises(StorageError, match="may not enter"):
            reduce([], [update], 1)
    usual = reduce([], [add("le_1", trust=trust, status=None)], 1)[0]
    assert usual.status is ENTRY[trust][0]


def test_update_without_trust_is_untrusted() -> None:
    lesson = reduce([], [add("le_1", trust=None, status=None)], 1)[0]
    assert (lesson.trust, lesson.status) == (Origin.UNTRUSTED, Status.QUARANTINED)


def test_reflection_of_untrusted_text_serves_its_own_instance() -> None:
    text = body("x", LessonKind.REFLECTION)
    update = add("le_1", body=text, trust=Origin.UNTRUSTED, status=Status.ACTIVE)
    assert reduce([], [update], 1)[0].usable


@pytest.mark.parametrize("op", [Operation.REVISE, Operation.MERGE, Operation.SUPERSEDE])
def test_less_trusted_text_changes_nothing_more_trusted(op: Operation) -> None:
    for before in (Status.ACTIVE, None):
        if before is None and op is Operation.REVISE:
            continue
        weak = ask(op, trust=Origin.UNTRUSTED)
        with pytest.raises(StorageError, match=r"untrusted text may not (change task|enter)"):
            reduce(memory(before), [weak], 5)
    supported = reduce(memory(Status.ACTIVE), [ask(Operation.SUPPORT, trust=Origin.UNTRUSTED)], 5)
    assert supported[0].trust is Origin.TASK


def test_untrusted_lesson_cannot_take_the_place_of_a_trusted_one() -> None:
    weak = a_lesson(Status.QUARANTINED, trust=Origin.UNTRUSTED)
    strong = a_lesson(Status.ACTIVE, "le_p")
    for op, text in itertools.product(PARENTS, (None, body("new"))):
        with pytest.raises(StorageError, match="may not change"):
            reduce([weak, strong], [ask(op, body=text)], 5)


def test_trust_does_not_rise_by_rewriting() -> None:
    weak = a_lesson(Status.QUARANTINED, trust=Origin.UNTRUSTED)
    revised = reduce([weak], [ask(Operation.REVISE, trust=Origin.OPERATOR)], 5)[0]
    assert (revised.trust, revised.version) == (Origin.UNTRUSTED, 2)


def test_kind_of_a_lesson_is_fixed() -> None:
    other = body("new", LessonKind.BELIEF)
    with pytest.raises(StorageError, match="a behavior cannot become a belief"):
        reduce(memory(Status.ACTIVE), [ask(Operation.REVISE, body=other)], 5)


def test_merge_unites_votes_and_evidence() -> None:
    made = reduce(memory(Status.PROVISIONAL), [ask(Operation.MERGE, votes={"against": 1})], 5)[0]
    assert made.votes == {"support": 4, "against": 1}
    assert made.evidence == (seen("i1"), seen("i2"))
    assert (made.version, made.status) == (2, Status.PROVISIONAL)
    fresh = reduce(memory(None), [ask(Operation.MERGE)], 5, "s")[1]
    assert (fresh.id, fresh.status, fresh.scope) == ("le_1", Status.ACTIVE, "s")
    assert fresh.evidence == (seen("i2"),)


def test_text_merged_from_untrusted_lessons_enters_as_untrusted() -> None:
    weak = a_lesson(Status.ACTIVE, "le_p", trust=Origin.UNTRUSTED)
    made = reduce([weak], [ask(Operation.MERGE)], 5)[1]
    assert (made.id, made.trust, made.status) == ("le_1", Origin.UNTRUSTED, Status.QUARANTINED)
    with pytest.raises(StorageError, match="may not enter as active"):
        reduce([weak], [ask(Operation.MERGE, Status.ACTIVE)], 5)


def test_merge_of_equal_texts_keeps_the_version() -> None:
    made = reduce(memory(Status.ACTIVE), [ask(Operation.MERGE, body=None)], 5)[0]
    assert (made.version, made.evidence) == (1, (seen("i1"), seen("i2")))


def test_support_counts_and_joins_evidence() -> None:
    update = ask(Operation.SUPPORT, evidence=(seen("i1"), seen("i3")), confidence=0.5)
    after = reduce(memory(Status.ACTIVE), [update], 5)[0]
    assert after.votes == {"support": 3}
    assert after.evidence == (seen("i1"), seen("i3"))
    assert (after.kept_at, after.version, after.confidence) == (5, 1, 0.5)


def test_later_critique_that_keeps_a_reflection_moves_it_forward() -> None:
    text = body("x", LessonKind.REFLECTION)
    born = add("le_1", body=text, critiques=("cr_1",))
    kept = change(Operation.SUPPORT, "le_1", critiques=("cr_2",))
    first = reduce([], [born, add("le_2", critiques=("cr_1",))], 1)
    assert [(x.critique, x.kept_at) for x in first] == [("cr_1", 1), (None, 1)]
    (line, _) = reduce(first, [kept], 2)
    assert (line.critique, line.kept_at, line.born) == ("cr_2", 2, 1)


def test_vote_adds_what_it_says() -> None:
    after = reduce(memory(Status.ACTIVE), [ask(Operation.VOTE, votes={"support": -1, "x": 2})], 5)
    assert after[0].votes == {"support": 1, "x": 2}


def test_restore_goes_by_trust_and_forgets_the_successor() -> None:
    for trust in Origin:
        old = a_lesson(Status.SUPERSEDED, trust=trust, successor="le_9")
        after = reduce([old], [ask(Operation.RESTORE, trust=Origin.OPERATOR)], 5)[0]
        assert (after.status, after.successor) == (ENTRY[trust][0], None)


def test_keep_both_flags_and_clears() -> None:
    flagged = reduce(memory(Status.ACTIVE), [ask(Operation.KEEP_BOTH, parents=("le_p",))], 5)
    assert [x.conflict_with for x in flagged] == ["le_p", None]
    cleared = reduce(flagged, [ask(Operation.KEEP_BOTH)], 6)
    assert cleared[0].conflict_with is None
    with pytest.raises(StorageError, match="cannot be what it conflicts with"):
        reduce(memory(Status.ACTIVE), [ask(Operation.KEEP_BOTH, parents=("le_9",))], 5)


def test_purge_leaves_a_tombstone() -> None:
    after = reduce(memory(Status.REVOKED), [ask(Operation.PURGE)], 5)[0]
    assert (after.status, after.body) == (Status.PURGED, LessonBody(kind=LessonKind.BEHAVIOR))
    assert (after.evidence, after.votes) == ((), {})


def test_lessons_stand_in_the_order_of_their_making() -> None:
    state = reduce([], [add("le_b"), add("le_a")], 1)
    state = reduce(state, [add("le_0"), ask(Operation.REVISE).replace(lesson="le_a")], 2)
    assert [(x.id, x.born, x.position) for x in state] == [
        ("le_b", 1, 0), ("le_a", 1, 1), ("le_0", 2, 0),
    ]  # fmt: skip


def test_ids_of_lessons_depend_on_what_they_say_and_where() -> None:
    base = lesson_id("main", "s", body("x"), "cu_1")
    assert base == lesson_id("main", "s", body("x", name="other"), "cu_1")
    others = [
        lesson_id("b", "s", body("x"), "cu_1"),
        lesson_id("main", "t", body("x"), "cu_1"),
        lesson_id("main", "s", body("y"), "cu_1"),
        lesson_id("main", "s", body("x", LessonKind.BELIEF), "cu_1"),
        lesson_id("main", "s", body("x"), "cu_2"),
    ]
    assert base.startswith("le_")
    assert len({base, *others}) == 6


NAMES = ("le_a", "le_b", "le_c", "le_d")


@st.composite
def some_update(draw: st.DrawFn) -> MemoryUpdate:
    op = draw(st.sampled_from(list(Operation)))
    text = draw(st.none() | st.sampled_from("pqrs").map(body))
    if op in (Operation.ADD, Operation.REVISE):
        text = text or body("t")
    return change(
        op,
        draw(st.sampled_from(NAMES)),
        body=text,
        parents=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=2))),
        status=draw(st.none() | st.sampled_from(list(Status))),
        trust=draw(st.sampled_from([None, Origin.TASK, Origin.TASK, Origin.OPERATOR])),
        votes=draw(st.dictionaries(st.sampled_from(["support", "against"]), st.integers(-2, 2))),
        evidence=tuple(seen(i) for i in draw(st.lists(st.sampled_from("xyz"), max_size=2))),
        critiques=("cr_1",),
    )


def legal(wanted: list[MemoryUpdate], state: tuple[Lesson, ...]) -> Iterator[MemoryUpdate]:
    """Those that are allowed one after the other."""
    for update in wanted:
        try:
            after = reduce(state, [update], 1, "s")
        except StorageError:
            continue
        if not clashes(after):
            state = after
            yield update


many_updates = st.lists(st.lists(some_update(), max_size=8), min_size=1, max_size=5)


@pytest.mark.slow
@settings(max_examples=50)
@given(many_updates)
def test_refused_updates_change_nothing_and_allowed_ones_keep_the_order(
    wanted: list[list[MemoryUpdate]],
) -> None:
    state: tuple[Lesson, ...] = ()
    for revision, batch in enumerate(wanted, start=1):
        before = state
        try:
            state = reduce(state, batch, revision, "s")
        except StorageError:
            assert state is before
        assert list(state) == sorted(state, key=lambda x: (x.born, x.position))
        assert len({x.id for x in state}) == len(state)
        assert all(x.successor for x in state if x.status is Status.SUPERSEDED)
        assert {x.id for x in before} <= {x.id for x in state}


@settings(max_examples=30)
@given(many_updates)
def test_updates_replay_to_the_lessons_and_every_prefix_is_what_was(
    wanted: list[list[MemoryUpdate]],
) -> None:
    with TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        branch = open_lane(store)
        states: list[tuple[Lesson, ...]] = [()]
        for batch in wanted:
            updates = tuple(legal(batch, states[-1]))
            base = store.revision(branch, "s")
            assert base == len(states) - 1
            if updates:
                wait(store.put_commit(a_commit(branch, base, *updates)))
                states.append(store.lessons(branch, "s"))
        made = store.updates(branch, "s")
        assert store.current_lessons(branch) == states[-1] == replay(made, "s")
        purged = any(u.op is Operation.PURGE for _, u in made)
        for revision, then in enumerate(states):
            upto = replay([(r, u) for r, u in made if r <= revision], "s")
            assert store.lessons(branch, "s", revision=revision) == upto
            # A purge takes texts out of the past too; all else stays as it was.
            assert [(x.id, x.status) for x in upto] == [(x.id, x.status) for x in then]
            assert purged or upto == then
        for lesson in states[-1]:
            kept = [(v.number, v.body) for v in store.versions(lesson.id)]
            if lesson.status is Status.PURGED:
                assert kept == []
            else:
                assert [number for number, _ in kept] == [*range(1, lesson.version + 1)]
                assert kept[-1] == (lesson.version, lesson.body)

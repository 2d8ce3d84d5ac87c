"""Publishing copies what is usable, counts support once, and brings nothing revoked back."""

from typing import Any

import pytest

from tests.store.builders import a_commit, add, body, change, lane, open_lane, seen, texts, wait
from verbalrl.errors import ConfigurationError, LeaseError, StorageError
from verbalrl.memory import recall
from verbalrl.prompts import PromptLibrary
from verbalrl.records import GuidanceSpec, LessonKind, Operation, Origin, Status
from verbalrl.store import Store


@pytest.fixture
def branch(store: Store) -> str:
    """A branch with two usable lessons, a retired one, a reflection, and a belief elsewhere."""
    made = open_lane(store)
    wait(
        store.put_commit(
            a_commit(
                made,
                0,
                add("le_1", "a", votes={"support": 2}),
                add("le_2", "b", status=Status.PROVISIONAL),
                add("le_3", "c"),
                change(Operation.RETIRE, "le_3"),
                add("le_4", body=body("d", LessonKind.REFLECTION)),
            )
        )
    )
    belief = add("le_5", body=body("e", LessonKind.BELIEF))
    wait(store.put_commit(a_commit(made, 0, belief, scope="t")))
    return made


def counts(added: int = 0, merged: int = 0, unchanged: int = 0, refused: int = 0) -> dict[str, int]:
    return {"added": added, "merged": merged, "unchanged": unchanged, "refused": refused}


def test_approved_lessons_are_active_and_the_operators(store: Store, branch: str) -> None:
    assert wait(store.publish(branch, approve=True)) == counts(added=3)
    published = store.current_lessons("main")
    assert texts(published) == ["a", "b", "e"]
    assert {(x.status, x.trust) for x in published} == {(Status.ACTIVE, Origin.OPERATOR)}
    assert published[0].votes == {"support": 2}
    assert published[0].evidence == (seen(),)
    first = store.updates("main", "s")[0][1]
    assert first.reason == f"published from {branch}"
    assert first.snapshot == store.lesson("le_1")
    assert not {x.id for x in published} & {"le_1", "le_2", "le_5"}


def test_unapproved_lessons_wait_in_quarantine(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=False))
    published = store.current_lessons("main")
    assert {(x.status, x.trust) for x in published} == {(Status.QUARANTINED, Origin.TASK)}


def test_publishing_twice_changes_nothing(store: Store, branch: str) -> None:
    for approve in (False, True):
        wait(store.publish(branch, approve=approve))
        before = (store.current_lessons("main"), store.updates("main", "s"))
        assert wait(store.publish(branch, approve=approve)) == counts(unchanged=3)
        assert (store.current_lessons("main"), store.updates("main", "s")) == before
    assert {x.status for x in before[0]} == {Status.ACTIVE}
    assert before[0][0].votes == {"support": 2}


def test_equal_texts_merge_and_others_stay_beside(store: Store, branch: str) -> None:
    here = add("le_m", "A ", votes={"support": 1}, evidence=(seen("i9"),), trust=Origin.OPERATOR)
    wait(store.put_commit(a_commit("main", 0, here, add("le_n", "other"))))
    assert wait(store.publish(branch, approve=False)) == counts(added=2, merged=1)
    merged = store.lessons("main", "s")[0]
    assert (merged.id, merged.votes, merged.trust) == ("le_m", {"support": 3}, Origin.OPERATOR)
    assert merged.evidence == (seen("i9"), seen())
    assert texts(store.lessons("main", "s")) == ["A ", "other", "b"]


def test_approving_vouches_for_an_equal_text_that_is_active_already(
    store: Store, branch: str
) -> None:
    wait(store.put_commit(a_commit("main", 0, add("le_m", "a"))))
    assert wait(store.publish(branch, approve=True)) == counts(added=2, merged=1)
    merged = store.lessons("main", "s")[0]
    assert (merged.id, merged.status, merged.trust) == ("le_m", Status.ACTIVE, Origin.OPERATOR)
    assert wait(store.publish(branch, approve=True)) == counts(unchanged=3)


def test_later_support_is_added_once(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=True))
    support = change(Operation.SUPPORT, "le_1", votes={"support": 4}, evidence=(seen("i2"),))
    wait(store.put_commit(a_commit(branch, 1, support)))
    for expected in (counts(merged=1, unchanged=2), counts(unchanged=3)):
        assert wait(store.publish(branch, approve=True)) == expected
        lesson = store.lessons("main", "s")[0]
        assert (lesson.votes, lesson.evidence) == ({"support": 6}, (seen(), seen("i2")))


def test_what_came_from_main_is_not_counted_again(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=True))
    for name, gained in (("r2", 1), ("r3", 2)):
        child = open_lane(store, lane(name), parent="main")
        mine = store.lessons(child, "s")[0].id
        for base in range(gained):
            at = store.revision("main", "s") + base
            wait(store.put_commit(a_commit(child, at, change(Operation.SUPPORT, mine))))
        wait(store.publish(child, approve=True))
    lesson = store.lessons("main", "s")[0]
    assert lesson.votes == {"support": 5}
    assert len(store.lessons("main", "s")) == 2


def test_what_is_only_read_from_main_is_not_counted_either(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=True))
    before = store.current_lessons("main")
    reader = open_lane(store, lane("r2"), parent="main", learns=False)
    assert wait(store.publish(reader, approve=True)) == counts(unchanged=3)
    other = open_lane(store, lane("r3"), parent=branch)
    assert wait(store.publish(other, approve=True))["added"] == 0
    assert texts(store.current_lessons("main")) == texts(before)


def test_branch_is_not_published_to_itself(store: Store, branch: str) -> None:
    with pytest.raises(ConfigurationError, match="to itself"):
        wait(store.publish(branch, branch, approve=True))


def test_lesson_rewritten_since_is_kept_beside(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=True))
    revise = change(Operation.REVISE, "le_1", body=body("better"))
    wait(store.put_commit(a_commit(branch, 1, revise)))
    assert wait(store.publish(branch, approve=True)) == counts(added=1, unchanged=2)
    assert texts(store.lessons("main", "s")) == ["a", "b", "better"]


def test_a_copy_that_was_edited_stays_as_edited(store: Store, branch: str) -> None:
    wait(store.publish(branch, approve=True))
    copy = store.lessons("main", "s")[0]
    mine = {"body": body("in my words"), "trust": Origin.OPERATOR}
    revise = change(Operation.REVISE, copy.id, **mine)
    wait(store.put_commit(a_commit("main", 1, revise)))
    assert wait(store.publish(branch, approve=True)) == counts(unchanged=3)
    assert texts(store.lessons("main", "s"))[0] == "in my words"
    assert "a" not in texts(store.lessons("main", "s"))


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (Operation.REVOKE, counts(refused=1, unchanged=2)),
        (Operation.RETIRE, counts(unchanged=3)),
    ],
)
def test_what_main_gave_up_does_not_come_back(
    store: Store, branch: str, op: Operation, expected: dict[str, int]
) -> None:
    wait(store.publish(branch, approve=True))
    first = store.lessons("main", "s")[0].id
    wait(store.put_commit(a_commit("main", 1, change(op, first, trust=Origin.OPERATOR))))
    assert wait(store.publish(branch, approve=True)) == expected
    assert [x.usable for x in store.lessons("main", "s")] == [False, True]


def test_revoked_text_is_refused_from_another_branch_too(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit("main", 0, add("le_m", "b"))))
    wait(store.put_commit(a_commit("main", 1, change(Operation.REVOKE, "le_m"))))
    assert wait(store.publish(branch, approve=True)) == counts(added=2, refused=1)


def test_kinds_are_chosen(store: Store, branch: str) -> None:
    kinds = (LessonKind.REFLECTION,)
    assert wait(store.publish(branch, kinds=kinds, approve=True)) == counts(added=1)


def test_publishing_needs_the_lease_and_a_branch_that_learns(store: Store, branch: str) -> None:
    with store.acquire_lease("main", "serving"), pytest.raises(LeaseError, match="serving"):
        wait(store.publish(branch, approve=True))
    frozen = open_lane(store, lane("r2"), learns=False)
    with pytest.raises(StorageError, match="does not learn"):
        wait(store.publish(branch, frozen, approve=True))
    assert store.current_lessons("main") == ()
    with store.acquire_lease("main", "next"):
        pass


def test_published_reflections_stay_lines_of_their_critiques(store: Store) -> None:
    made = open_lane(store)
    for n in range(1, 4):
        # Ids of critiques are hashes: they say nothing of what came first.
        said: dict[str, Any] = {"critiques": (f"cr_{4 - n}",)}
        new = [add(f"le_{n}{x}", body=body(f"{n}{x}", LessonKind.REFLECTION), **said) for x in "ab"]
        kept = [change(Operation.SUPPORT, "le_1b", **said)] if n == 3 else []
        wait(store.put_commit(a_commit(made, n - 1, *kept, *new)))
    wait(store.publish(made, kinds=(LessonKind.REFLECTION,), approve=True))
    for branch in (made, "main"):
        found = store.current_lessons(branch)
        of = {x.instruction.removeprefix("do "): x.critique for x in found}
        assert of == {
            "1a": "cr_3",
            "1b": "cr_1",
            "2a": "cr_2",
            "2b": "cr_2",
            "3a": "cr_1",
            "3b": "cr_1",
        }
        for window, told in ((1, {"1b", "3a", "3b"}), (2, {"1b", "2a", "2b", "3a", "3b"})):
            spec = GuidanceSpec(source="recall", scopes=("s",), window=window)
            read = recall(found, spec, situation="", prompts=PromptLibrary()).lines
            assert {line.instruction.removeprefix("do ") for line in read} == told


def test_two_runs_on_the_same_instances_count_once(store: Store) -> None:
    def published(run: str, *instances: str, sources: tuple[str, ...] = ()) -> tuple[int, int]:
        made = open_lane(store, lane(run))
        origin = Origin.UNTRUSTED if sources else None
        found = tuple(seen(i, run=run).replace(sources=sources, origin=origin) for i in instances)
        lesson = add(f"le_{run}", "a", votes={"support": len(found)}, evidence=found)
        wait(store.put_commit(a_commit(made, 0, lesson)))
        wait(store.publish(made, approve=True))
        once = store.current_lessons("main")
        assert wait(store.publish(made, approve=True)) == counts(unchanged=1)
        assert store.current_lessons("main") == once
        return once[0].votes["support"], len(once[0].evidence)

    assert published("r1", "i1", "i2") == (2, 2)
    # The evidence is kept, so that revoking one run leaves what the other has seen.
    assert published("r2", "i1", "i2") == (2, 4)
    assert published("r3", "i2", "i3") == (3, 6)
    # Another source of untrusted text is another lineage.
    assert published("r4", "i1", sources=("tool:web",)) == (4, 7)
    assert published("r5", "i1", sources=("tool:web",)) == (4, 8)

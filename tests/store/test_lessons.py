"""Commits, revisions, branches that read through, and what a branch may not do."""

import sqlite3

import pytest

from tests.store.builders import (
    a_commit,
    a_critique,
    add,
    an_episode,
    body,
    change,
    lane,
    open_lane,
    seen,
    texts,
    wait,
)
from verbalrl.errors import StorageError
from verbalrl.records import BranchRecord, Commit, Lesson, LessonKind, Operation, Status, Usage
from verbalrl.store import Store
from verbalrl.store.undoing import Kept


def dump(store: Store, *tables: str) -> list[object]:
    def read(c: sqlite3.Connection) -> list[object]:
        return [row for t in tables for row in c.execute(f"SELECT * FROM {t} ORDER BY 1, 2, 3")]

    return store._read(read)


MEMORY = ("commits", "commit_critiques", "updates", "lessons")


@pytest.fixture
def branch(store: Store) -> str:
    return open_lane(store)


def test_commit_comes_back_equal_and_only_once(store: Store, branch: str) -> None:
    episode = an_episode()
    wait(store.put_episode(episode))
    wait(store.put_critique(a_critique(episode, "cr_1"), branch))
    commit = Commit(
        id="cu_1",
        branch=branch,
        scope="s",
        base=0,
        updates=(add("le_1", critiques=("cr_1",)), change(Operation.VOTE, "le_1", votes={"x": 1})),
        critiques=("cr_1",),
        rejected=("add: it is there",),
        usage=Usage(input=7, calls=1),
    )
    assert wait(store.put_commit(commit)) == commit
    before = dump(store, *MEMORY)
    assert wait(store.put_commit(commit)) == commit
    assert wait(store.put_commit(commit.replace(base=9, updates=()))) == commit
    assert dump(store, *MEMORY) == before
    assert store.commit("cu_1") == commit
    assert store.commit("cu_9") is None
    assert [r for r, _ in store.updates(branch, "s")] == [1, 1]


def test_revision_rises_with_updates_only(store: Store, branch: str) -> None:
    empty = a_commit(branch, 0, identity="cu_none").replace(failure="unusable")
    wait(store.put_commit(empty))
    assert store.commit("cu_none") == empty
    assert store.revision(branch, "s") == 0
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    wait(store.put_commit(a_commit(branch, 0, add("le_2"), scope="t")))
    assert (store.revision(branch, "s"), store.revision(branch, "t")) == (1, 1)
    assert store.scopes(branch) == ("s", "t")


def test_commit_against_an_old_revision_is_refused(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    before = dump(store, *MEMORY)
    for base in (0, 2):
        late = a_commit(branch, base, add("le_2"), identity="cu_late")
        with pytest.raises(StorageError, match=r"scope s .* stands at revision 1"):
            wait(store.put_commit(late))
    assert dump(store, *MEMORY) == before


@pytest.mark.parametrize("base", [0, 1])
def test_commit_with_one_illegal_update_leaves_nothing(
    store: Store, branch: str, base: int
) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    before = dump(store, *MEMORY)
    bad = a_commit(branch, 1, add("le_2"), add("le_1"), identity="cu_bad")
    with pytest.raises(StorageError, match="add of lesson le_1 is refused"):
        wait(store.put_commit(bad))
    unknown = a_commit(branch, 1, add("le_2"), identity="cu_bad").replace(critiques=("cr_9",))
    with pytest.raises(StorageError, match="not stored"):
        wait(store.put_commit(unknown))
    assert dump(store, *MEMORY) == before


def test_past_revisions_stay_readable(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    wait(store.put_commit(a_commit(branch, 1, add("le_2"))))
    wait(store.put_commit(a_commit(branch, 2, change(Operation.RETIRE, "le_1"))))
    assert [len(store.lessons(branch, "s", revision=r)) for r in range(4)] == [0, 1, 2, 2]
    assert store.lessons(branch, "s", revision=2)[0].status is Status.ACTIVE
    assert store.lessons(branch, "s")[0].status is Status.RETIRED
    for revision in (-1, 4):
        with pytest.raises(StorageError, match="has no revision"):
            store.lessons(branch, "s", revision=revision)


def test_every_text_of_a_lesson_is_kept(store: Store, branch: str) -> None:
    revise = [change(Operation.REVISE, "le_1", body=body(t)) for t in "abc"]
    wait(store.put_commit(a_commit(branch, 0, add("le_1"), revise[0])))
    wait(store.put_commit(a_commit(branch, 1, revise[1], revise[2])))
    places = {line.n: (line.revision, line.ordinal) for line in store.lines(lesson="le_1")}
    texts = store.versions("le_1")
    assert [(v.number, *places[v.n]) for v in texts] == [
        *((1, 1, 0), (2, 1, 1), (3, 2, 0), (4, 2, 1)),
    ]
    assert [v.body for v in texts] == [add("le_1").body, *(body(t) for t in "abc")]


def test_numbers_of_updates_never_come_again(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    first = store.lines()
    wait(store.put_commit(a_commit(branch, 1, add("le_2"), add("le_3"))))
    kept = Kept(rows=frozenset(line.commit for line in first), rounds=0)
    # Facts that indexes keep may be deleted at any time.
    store._do(lambda c: c.execute("DELETE FROM facts WHERE name = 'outbox'").rowcount)
    for _ in range(2):
        wait(store.undo({branch: kept}))
        assert store.lines() == first
    wait(store.put_commit(a_commit(branch, 1, add("le_4"))))
    assert [line.n for line in store.lines()] == [1, 4]


def test_an_update_without_its_commit_is_damage(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"), identity="cu_a")))
    assert store.damage() == ()
    store._do(lambda c: c.execute("DELETE FROM commits").rowcount)
    assert store.damage() == ("update 1 names a missing commit cu_a",)


def test_one_lesson_more_fills_eight_pages_of_the_log(store: Store, branch: str) -> None:
    for n in range(3):
        wait(store.put_commit(a_commit(branch, n, add(f"le_{n}"))))
    log = store.path / "verbalrl.db-wal"
    before = log.stat().st_size
    wait(store.put_commit(a_commit(branch, 3, add("le_3"))))
    assert log.stat().st_size - before <= 8 * (4096 + 24)


def test_readers_filter_the_current_lessons(store: Store, branch: str) -> None:
    belief = add("le_2", body=body("x", LessonKind.BELIEF))
    wait(store.put_commit(a_commit(branch, 0, add("le_1"), belief)))
    wait(store.put_commit(a_commit(branch, 1, change(Operation.RETIRE, "le_1"))))
    wait(store.put_commit(a_commit(branch, 0, add("le_3"), scope="r")))

    def ids(found: tuple[Lesson, ...]) -> list[str]:
        return [x.id for x in found]

    assert ids(store.current_lessons(branch)) == ["le_3", "le_1", "le_2"]
    assert ids(store.current_lessons(branch, scope="s")) == ["le_1", "le_2"]
    assert ids(store.current_lessons(branch, kind=LessonKind.BELIEF)) == ["le_2"]
    assert ids(store.current_lessons(branch, statuses=[Status.RETIRED])) == ["le_1"]
    assert store.current_lessons("main") == ()


# Branches that read through


@pytest.fixture
def child(store: Store, branch: str) -> str:
    """A branch whose parent stands at revision 2 of `s`, and has moved on since."""
    wait(store.put_commit(a_commit(branch, 0, add("le_1"), add("le_2"))))
    wait(store.put_commit(a_commit(branch, 1, change(Operation.RETIRE, "le_1"))))
    made = open_lane(store, lane("r2"), parent=branch)
    wait(store.put_commit(a_commit(branch, 2, add("le_3"))))
    return made


def test_child_reads_what_its_parent_had(store: Store, branch: str, child: str) -> None:
    assert store.branch(child).pinned == {"s": 2}
    assert (store.revision(child, "s"), store.revision(child, "t")) == (2, 0)
    assert store.lessons(child, "s") == store.lessons(branch, "s", revision=2)
    assert store.current_lessons(child) == store.lessons(child, "s")
    assert store.lessons(child, "s", revision=1) == store.lessons(branch, "s", revision=1)
    assert store.scopes(child) == ("s",)
    assert store.updates(child, "s") == ()
    assert store.lesson("le_2", branch=child) == store.lesson("le_2")
    assert store.lesson("le_3", branch=child) is None


def test_first_commit_of_a_child_copies_what_it_read(store: Store, branch: str, child: str) -> None:
    read = store.lessons(child, "s")
    parent = dump(store, *MEMORY)
    commit = a_commit(child, 2, change(Operation.REVISE, "le_2", body=body("better")), add("le_4"))
    wait(store.put_commit(commit))
    assert store.revision(child, "s") == 3
    assert store.commit(commit.id) == commit
    after = store.lessons(child, "s")
    assert [(x.id, x.status, x.version, x.born) for x in after] == [
        ("le_1", Status.RETIRED, 1, 1),
        ("le_2", Status.ACTIVE, 2, 1),
        ("le_4", Status.ACTIVE, 1, 3),
    ]  # fmt: skip
    assert store.current_lessons(child) == after
    assert store.lessons(child, "s", revision=2) == read
    assert [u.snapshot is not None for _, u in store.updates(child, "s")] == [
        True, True, False, False,
    ]  # fmt: skip
    wait(store.put_commit(a_commit(child, 3, change(Operation.RESTORE, "le_1"))))
    assert store.lesson("le_1", branch=child) != store.lesson("le_1", branch=branch)
    assert [row for row in dump(store, *MEMORY) if row in parent] == parent


def test_commit_without_updates_copies_nothing(store: Store, child: str) -> None:
    wait(store.put_commit(a_commit(child, 2)))
    assert (store.revision(child, "s"), store.updates(child, "s")) == (2, ())


def test_grandchild_reads_through_two_branches(store: Store, child: str) -> None:
    last = open_lane(store, lane("r3"), parent=child)
    assert store.lessons(last, "s") == store.lessons(child, "s")
    wait(store.put_commit(a_commit(child, 2, change(Operation.RETIRE, "le_2"))))
    assert [x.status for x in store.lessons(last, "s")] == [Status.RETIRED, Status.ACTIVE]
    wait(store.put_commit(a_commit(last, 2, add("le_9"))))
    assert texts(store.lessons(last, "s")) == ["le_1", "le_2", "le_9"]


def test_branch_pins_what_it_is_told(store: Store, branch: str, child: str) -> None:
    early = open_lane(store, lane("r4"), parent=branch, pinned={"s": 1})
    assert [x.status for x in store.lessons(early, "s")] == [Status.ACTIVE, Status.ACTIVE]
    ahead = BranchRecord(id="b", parent=branch, pinned={"s": 9})
    with pytest.raises(StorageError, match=r"pins revision 9 of scope s, but .* stands at 3"):
        store.create_branch(ahead)


def test_branch_that_does_not_learn_changes_nothing_anywhere(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    frozen = open_lane(store, lane("r2"), parent=branch, learns=False)
    before = dump(store, *MEMORY)
    for updates in ((), (add("le_2"),), (change(Operation.SUPPORT, "le_1"),)):
        with pytest.raises(StorageError, match="does not learn"):
            wait(store.put_commit(a_commit(frozen, 1, *updates)))
    assert dump(store, *MEMORY) == before
    wait(store.put_episode(an_episode(lane("r2"))))
    assert texts(store.lessons(frozen, "s")) == ["le_1"]


def test_purge_erases_the_text_wherever_the_branch_keeps_it(store: Store, branch: str) -> None:
    secret = add("le_1", "hunter2", reason="hunter2 again", evidence=(seen("hunter2"),))
    revised = change(Operation.REVISE, "le_1", body=body("hunter22"))
    wait(store.put_commit(a_commit(branch, 0, secret, add("le_2"))))
    wait(store.put_commit(a_commit(branch, 1, revised)))
    assert "hunter2" in str(store.lessons(branch, "s", revision=1))
    wait(store.put_commit(a_commit(branch, 2, change(Operation.PURGE, "le_1"))))
    assert "hunter2" not in str(dump(store, *MEMORY))
    assert "hunter2" not in str([store.lessons(branch, "s", revision=r) for r in range(4)])
    assert [x.status for x in store.lessons(branch, "s", revision=2)] == [Status.ACTIVE] * 2
    assert [x.status for x in store.lessons(branch, "s")] == [Status.PURGED, Status.ACTIVE]
    with pytest.raises(StorageError, match="the lesson is purged"):
        wait(store.put_commit(a_commit(branch, 3, change(Operation.REVISE, "le_1"))))


def test_one_lesson_is_what_the_list_has(store: Store, branch: str, child: str) -> None:
    base = store.revision(branch, "s")
    wait(store.put_commit(a_commit(branch, base, add("le_late"), change(Operation.RETIRE, "le_2"))))
    for where in (branch, child):
        there = {x.id: x for x in store.lessons(where, "s")}
        for name in ("le_1", "le_2", "le_late"):
            assert store.lesson(name, branch=where) == there.get(name), (name, where)
    assert store.lesson("le_2") == store.lesson("le_2", branch=branch)
    assert store.lesson("le_none") is None


def test_scopes_and_revisions_are_those_with_updates(store: Store, branch: str) -> None:
    before = store.revision(branch, "s")
    wait(store.put_commit(a_commit(branch, before, identity="cu_empty")))
    wait(store.put_commit(a_commit(branch, before, add("le_a"), add("le_b"))))
    wait(store.put_commit(a_commit(branch, 0, scope="nothing learned", identity="cu_nothing")))
    assert store.scopes(branch) == ("s",)
    found = store.revisions(branch, "s")
    assert [number for number, _, _ in found] == list(range(before + 1, 0, -1))
    assert found[0][1] == 2
    assert sum(count for _, count, _ in found) == len(store.updates(branch, "s"))
    assert store.revisions(branch, "s", 1) == found[:1]


def test_versions_are_told_by_branch(store: Store, branch: str, child: str) -> None:
    base = store.revision(branch, "s")
    revised = change(Operation.REVISE, "le_2", body=body("other"))
    wait(store.put_commit(a_commit(branch, base, revised)))
    wait(store.put_commit(a_commit(child, store.revision(child, "s"), add("le_c"))))
    every = store.versions("le_2")
    assert {v.branch for v in every} == {branch, child}
    for where in (branch, child):
        assert store.versions("le_2", where) == tuple(v for v in every if v.branch == where)
    assert len(store.versions("le_2", branch)) > len(store.versions("le_2", child)) > 0

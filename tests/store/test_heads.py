"""What commits start from: never anything but the lessons as the file has them."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.builders import a_commit, add, body, change, open_lane, wait
from verbalrl.errors import StorageError
from verbalrl.records import Lesson, Operation, Origin, Status
from verbalrl.store import Store, clashes, open_store
from verbalrl.store.heads import Head, Heads, owners_after, owners_of


@pytest.fixture
def branch(store: Store) -> str:
    return open_lane(store)


def lesson(name: str, text: str, status: Status = Status.ACTIVE) -> Lesson:
    return Lesson(id=name, scope="s", body=body(text), status=status, trust=Origin.TASK)


def some(count: int) -> dict[str, Lesson]:
    return {f"le_{n}": lesson(f"le_{n}", "x") for n in range(count)}


def sound(store: Store, branch: str) -> bool:
    return store.projected(branch, "s") == store.replayed(branch, "s")


def test_a_commit_of_another_process_is_seen(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    with open_store(store.path) as other:
        wait(other.put_commit(a_commit(branch, 1, change(Operation.RETIRE, "le_1"), add("le_2"))))
    with pytest.raises(StorageError, match="the lesson is retired"):
        wait(store.put_commit(a_commit(branch, 2, change(Operation.SUPPORT, "le_1"))))
    with pytest.raises(StorageError, match="le_2 and le_3 would say the same"):
        wait(store.put_commit(a_commit(branch, 2, add("le_3", "le_2"))))
    wait(store.put_commit(a_commit(branch, 2, change(Operation.SUPPORT, "le_2"))))
    assert sound(store, branch)


def test_a_commit_that_failed_at_its_end_leaves_no_head(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))

    def refuse(c: sqlite3.Connection) -> None:
        c.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON lessons"
            " WHEN NEW.id = 'le_2' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    store._do(refuse)
    with pytest.raises(StorageError):
        wait(store.put_commit(a_commit(branch, 1, add("le_2"), identity="cu_a")))
    wait(store.put_commit(a_commit(branch, 1, add("le_3"), identity="cu_b")))
    assert [x.id for x in store.projected(branch, "s")] == ["le_1", "le_3"]
    assert sound(store, branch)


def test_a_text_that_was_given_up_is_free_in_the_same_commit(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    swap = (change(Operation.RETIRE, "le_1"), add("le_2", "le_1"))
    wait(store.put_commit(a_commit(branch, 1, *swap)))
    with pytest.raises(StorageError, match="would say the same"):
        wait(store.put_commit(a_commit(branch, 2, change(Operation.RESTORE, "le_1"))))
    assert sound(store, branch)


def test_many_commits_read_no_lesson_again(store: Store, branch: str) -> None:
    wait(store.put_commit(a_commit(branch, 0, add("le_0"))))
    read: list[str] = []
    store._do(lambda c: c.set_trace_callback(read.append))
    for n in range(1, 4):
        wait(store.put_commit(a_commit(branch, n, add(f"le_{n}"))))
    store._do(lambda c: c.set_trace_callback(None))
    assert not [sql for sql in read if sql.startswith("SELECT body FROM lessons")]


def test_heads_are_bounded_by_their_lessons() -> None:
    heads = Heads(size=3, lessons=10)
    for n in range(5):
        heads.put("b", f"s{n}", Head(n, some(4), None))
    kept = [n for n in range(5) if heads.get("b", f"s{n}", n)]
    assert kept == [3, 4]
    heads.put("b", "s4", Head(9, some(1), None))
    assert heads.get("b", "s4", 4) is None
    assert heads.get("b", "s3", 3) is not None
    heads.put("b", "large", Head(1, some(11), None))
    assert heads.get("b", "large", 1) is None


STATES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.booleans()), max_size=6
).map(
    lambda drawn: {
        name: lesson(name, text, Status.ACTIVE if live else Status.RETIRED)
        for name, text, live in drawn
    }
)


@given(STATES, STATES)
def test_owners_tell_a_clash_as_a_look_at_all_does(
    before: dict[str, Lesson], made: dict[str, Lesson]
) -> None:
    owners = owners_of(before.values())
    assert (owners is None) == bool(clashes(before.values()))
    if owners is not None:
        after = before | made
        gone = [before.get(name) for name in made]
        assert owners_after(owners, gone, made.values()) == owners_of(after.values())

"""Lessons out of a file and into quarantine, however many scopes the file has."""

from pathlib import Path

from tests.store.builders import a_commit, add, change, lane, new_store, open_lane, wait
from verbalrl.memory.review import review
from verbalrl.memory.transfer import export_lines, import_lessons, read_lines
from verbalrl.records import Operation, Status
from verbalrl.store import Store


def made(folder: Path) -> tuple[Store, str]:
    """A store whose branch has lessons in two scopes."""
    store = new_store(folder)
    branch = open_lane(store)
    store.update_run("r1", status="done")
    wait(store.put_commit(a_commit(branch, 0, add("le_1"), add("le_2"))))
    wait(store.put_commit(a_commit(branch, 0, add("le_3"), scope="t")))
    return store, branch


def test_lines_of_several_scopes_come_in_and_a_second_time_change_nothing(tmp_path: Path) -> None:
    store, branch = made(tmp_path)
    with store:
        lines = read_lines(reversed(export_lines(store.current_lessons(branch))))
        done = wait(import_lessons(store, lines, "main"))
        assert (done.added, done.unchanged, done.refused) == (3, 0, ())
        found = store.current_lessons("main")
        assert {(x.scope, x.body) for x in found} == {
            (x.scope, x.body) for x in store.current_lessons(branch)
        }
        assert {x.status for x in found} == {Status.QUARANTINED}
        assert wait(import_lessons(store, lines, "main"))[:2] == (0, 3)


def test_a_branch_knows_what_it_reads_from_its_parent_and_what_was_revoked(tmp_path: Path) -> None:
    store, branch = made(tmp_path)
    with store:
        lines = read_lines(export_lines(store.current_lessons(branch)))
        child = open_lane(store, lane("r2"), parent=branch)
        store.update_run("r2", status="done")
        gone = change(Operation.REVOKE, "le_3", revokes=True)
        wait(store.put_commit(a_commit(child, 1, gone, scope="t")))
        done = wait(import_lessons(store, lines, child))
        assert (done.added, done.unchanged) == (0, 2)
        assert done.refused == ("'do le_3': this text was revoked",)


def test_texts_are_clean_once_read_and_evidence_confirms_nothing(tmp_path: Path) -> None:
    store, branch = made(tmp_path)
    with store:
        line = export_lines(store.current_lessons(branch))[0]
        spoilt = line.replace("do le_1", "do\\u0000 le_1 ").replace('"sound":false', '"sound":true')
        (found,) = read_lines([spoilt])
        assert found == read_lines([line])[0]


def test_lessons_of_several_scopes_are_approved_together(tmp_path: Path) -> None:
    store, branch = made(tmp_path)
    with store:
        wait(import_lessons(store, read_lines(export_lines(store.current_lessons(branch))), "main"))
        waiting = store.current_lessons("main")
        before = store._writer.transactions
        done = wait(review(store, [x.id for x in waiting], "approve", branch="main"))
        # The lease, all of it, and the end of the lease.
        assert store._writer.transactions == before + 3
        assert [(d.branch, d.before, d.lesson.status) for d in done] == [
            ("main", Status.QUARANTINED, Status.ACTIVE)
        ] * 3
        assert [d.lesson for d in done] == list(store.current_lessons("main"))
        assert wait(review(store, [waiting[0].id], "approve"))[0].before is Status.ACTIVE

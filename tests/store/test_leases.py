"""One changes the lessons of a branch, the dead hold nothing, and the fenced cannot write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.builders import a_commit, add, new_store, open_lane, wait
from verbalrl.errors import LeaseError
from verbalrl.store import Store, open_store

SRC = Path(__file__).resolve().parents[2] / "src"

HOLDER = """
import sys
from verbalrl.store import open_store
store = open_store(sys.argv[1])
print(store.acquire_lease(sys.argv[2], "run r9").fence, flush=True)
sys.stdin.readline()
"""


def holder(folder: Path, branch: str) -> subprocess.Popen[str]:
    """A process that holds the lease by the time this returns."""
    made = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), branch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(SRC)},
    )
    assert made.stdout is not None
    assert made.stdout.readline().strip().isdigit()
    return made


def test_lease_of_a_killed_process_is_free_at_once(store: Store) -> None:
    branch = open_lane(store)
    with store.acquire_lease(branch, "first") as first:
        pass
    with holder(store.path, branch) as other:
        with pytest.raises(LeaseError, match=rf"changed by run r9 \(process {other.pid}\)"):
            store.acquire_lease(branch, "me")
        with pytest.raises(LeaseError, match=str(other.pid)):
            wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
        other.kill()
    with store.acquire_lease(branch, "me") as lease:
        assert lease.fence == first.fence + 2
        wait(store.put_commit(a_commit(branch, 0, add("le_1")), lease.fence))
    store.close()
    assert not list(store.path.glob("alive-*"))


def test_commit_of_who_was_taken_over_is_refused(tmp_path: Path) -> None:
    with new_store(tmp_path) as sleeper, open_store(tmp_path) as taker:
        branch = open_lane(sleeper)
        old = sleeper.acquire_lease(branch, "sleeper")
        with pytest.raises(LeaseError):
            taker.acquire_lease(branch, "taker")
        sleeper._alive.stop()  # as the system does for a process that ends
        new = taker.acquire_lease(branch, "taker")
        assert new.fence > old.fence
        with pytest.raises(LeaseError, match="is over, now held by taker"):
            wait(sleeper.put_commit(a_commit(branch, 0, add("le_1")), old.fence))
        old.release()  # must not end the other's
        wait(taker.put_commit(a_commit(branch, 0, add("le_1")), new.fence))
        new.release()
        with pytest.raises(LeaseError, match="is over; nothing was written"):
            wait(taker.put_commit(a_commit(branch, 1, add("le_2")), new.fence))
        assert sleeper.revision(branch, "s") == 1


def test_lease_is_not_given_twice_in_one_process(store: Store) -> None:
    with store.acquire_lease("main", "a"):
        with pytest.raises(LeaseError, match="changed by a"):
            store.acquire_lease("main", "b")
        with store.acquire_lease(open_lane(store), "b"):
            pass
    store.acquire_lease("main", "b").release()


def test_unleased_branch_takes_commits_without_a_fence(store: Store) -> None:
    branch = open_lane(store)
    wait(store.put_commit(a_commit(branch, 0, add("le_1"))))
    with store.acquire_lease(branch, "a"), pytest.raises(LeaseError, match="changed by a"):
        wait(store.put_commit(a_commit(branch, 1, add("le_2"))))
    wait(store.put_commit(a_commit(branch, 1, add("le_2"))))


def test_closing_frees_the_leases(tmp_path: Path) -> None:
    with new_store(tmp_path) as first:
        lease = first.acquire_lease("main", "a")
    lease.release()
    with open_store(tmp_path) as second, second.acquire_lease("main", "b") as again:
        assert again.fence == lease.fence + 1


FORKS = """
import os, sys
from verbalrl.store import open_store
store = open_store(sys.argv[1])
lease = store.acquire_lease("main", "run r9")
ready, told = os.pipe()
if os.fork() == 0:
    os.write(told, b"up")
    sys.stdin.readline()  # until the test is over
    os._exit(0)
os.read(ready, 2)
print(lease.fence, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_does_not_keep_the_lease_of_its_dead_parent(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        parent = subprocess.Popen(
            [sys.executable, "-c", FORKS, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(SRC)},
        )
        with parent:
            assert parent.stdout is not None
            assert parent.stdout.readline().strip().isdigit()
            # The child has let go of what it was given, and the parent has what it had.
            with pytest.raises(LeaseError, match=f"run r9 .process {parent.pid}"):
                store.acquire_lease("main", "me")
            parent.kill()
            parent.wait()
            with store.acquire_lease("main", "me") as lease:
                wait(store.put_commit(a_commit("main", 0, add("le_1")), lease.fence))

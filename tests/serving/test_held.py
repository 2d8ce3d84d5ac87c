"""A store that cannot be had: held by others for long, or not to be opened after a fork."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.serving.worlds import call, case, coach_of
from verbalrl.errors import StorageError
from verbalrl.serving import Coach, open_end
from verbalrl.store import schema
from verbalrl.store.locks import FileLock

ROOT = Path(__file__).parents[2]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The store as another process holds it: SQLite's own lock."""
    other = sqlite3.connect(folder / "verbalrl.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def hasty(coach: Coach, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long for the store of `coach`."""
    monkeypatch.setattr(schema, "_BUSY_MS", 50)
    monkeypatch.setattr(coach.store, "_lock", FileLock(coach.store.path / "other.lock", 0.05))
    monkeypatch.setattr(coach.store._writer, "_lock", coach.store._lock)


def waited(caplog: pytest.LogCaptureFixture, times: int) -> None:
    """Until writing was tried that often."""
    for _ in range(6000):
        if sum("store.held" in r.getMessage() for r in caplog.records) >= times:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody has tried")


@pytest.mark.parametrize("by", ["sqlite", "lock"])
def test_what_was_served_is_written_once_the_store_is_free(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("verbalrl.serving.episode.PATIENCE_S", 0.01)
    with coach_of(tmp_path, strict=False) as coach, caplog.at_level(logging.WARNING):
        hasty(coach, monkeypatch)
        holder = FileLock(tmp_path / "other.lock").hold() if by == "lock" else held(tmp_path)
        with holder:
            names = [case(coach, f"ticket {n}") for n in range(3)]
            waited(caplog, times=3)
        for name in names:
            assert coach.feedback(name, success=True) == 1
            kept = coach.store.episode(name)
            assert kept is not None
            assert len(kept.trajectory.steps) == 1
        assert not coach.lost


def test_what_waits_for_the_store_is_bounded_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("verbalrl.serving.episode.PATIENCE_S", 0.01)
    monkeypatch.setattr(open_end, "MAX_WAITING", 3)
    with coach_of(tmp_path, strict=False) as coach, caplog.at_level(logging.WARNING):
        hasty(coach, monkeypatch)
        with held(tmp_path):
            names = [case(coach, f"ticket {n}") for n in range(5)]
            waited(caplog, times=1)
        told = [r for r in caplog.records if "episode.dropped" in r.getMessage()]
        assert [r.levelname for r in told] == ["ERROR", "ERROR"]
        coach.feedback(names[2], success=True)
        assert [s.episode for s in coach.store.all_served()] == names[:3]
        with pytest.raises(StorageError, match="could not be recorded"):
            coach.feedback(names[3], success=True)


def test_closing_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("verbalrl.serving.episode.PATIENCE_S", 0.01)
    coach = coach_of(tmp_path, strict=False)
    hasty(coach, monkeypatch)
    with held(tmp_path), caplog.at_level(logging.WARNING):
        name = case(coach)
        coach.close()
    assert any(name in r.getMessage() and "held" in r.getMessage() for r in caplog.records)


def test_strict_says_so_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with coach_of(tmp_path) as coach:
        with monkeypatch.context() as patched, held(tmp_path):
            patched.setattr("verbalrl.serving.episode.STRICT_S", 0.05)
            with pytest.raises(StorageError, match="busy"):
                case(coach)
        assert coach.store.episode(case(coach)) is not None


PROGRAM = """
import logging, os, resource, sys
import structlog  # else on the first event, when no file can be opened
from pathlib import Path
from tests.serving.worlds import call, case, coach_of
from verbalrl.errors import StorageError

folder, strict = Path(sys.argv[1]), sys.argv[2] == "strict"
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
coach = coach_of(folder, strict=strict)
coach.feedback(case(coach, "before"), text="do greet when a guest comes", origin="operator")
coach.learn_sync()
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    coach.close()
    sys.exit()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # no file can be opened
try:
    with coach.episode("hidden") as episode:
        print("guided:", call(episode, "hidden"), episode.guidance)
    coach.feedback(episode, success=True)
except StorageError as error:
    print("raised:", error)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
with coach.episode("back") as episode:
    print("greets:", "do greet" in call(episode, "back"))
coach.close()
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("how", ["forgiving", "strict"])
def test_a_child_that_cannot_open_the_store(how: str, tmp_path: Path) -> None:
    asked = [sys.executable, "-c", PROGRAM, str(tmp_path), how]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    opening = "serving.failed what='opening the store after a fork'"
    assert any(line.startswith(opening) for line in said) == (how == "forgiving")
    assert any(line.strip() == "guided:" for line in said) == (how == "forgiving")
    assert sum(line.startswith("raised: ") for line in said) == 1, "strict or not, what is said"
    assert said[-1] == "greets: True"
    with coach_of(tmp_path) as coach:
        assert [s.goal for s in coach.store.all_served()] == ["before", "back"]


TWICE = """
import os, sys, threading
from pathlib import Path
from tests.serving.worlds import case, coach_of
from verbalrl.serving import coach as module

coach, opened = coach_of(Path(sys.argv[1])), module.open_store
opening, forked = threading.Event(), threading.Event()

def slowly(path, *, create):
    opening.set()
    assert forked.wait(20)
    return opened(path, create=create)

child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    sys.exit()
module.open_store = slowly
serving = threading.Thread(target=case, args=(coach, "of the child"))
serving.start()
assert opening.wait(20)
grandchild = os.fork()  # while the thread above opens its store
forked.set()
if grandchild:
    assert os.waitpid(grandchild, 0)[1] == 0
    serving.join()
else:
    case(coach, "of the grandchild")
coach.close()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_while_a_child_opens_its_store(tmp_path: Path) -> None:
    asked = [sys.executable, "-W", "ignore", "-c", TWICE, str(tmp_path)]
    with subprocess.Popen(asked, cwd=ROOT, start_new_session=True) as family:
        try:
            assert family.wait(40) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(family.pid, signal.SIGKILL)
    with coach_of(tmp_path) as coach:
        goals = sorted(s.goal for s in coach.store.all_served())
        assert goals == ["of the child", "of the grandchild"]


def test_calls_in_a_child_without_a_store_pass(tmp_path: Path) -> None:
    with coach_of(tmp_path) as coach:
        episode = coach.episode("x")
        episode._pid += 1  # as if made by the parent
        with episode:
            assert call(episode, "x") == ""
            episode.step("x", "y")
        assert coach.store.all_served() == ()

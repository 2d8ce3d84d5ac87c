"""Many processes on one store: each feedback is learned from once, whoever learns and dies."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loop.test_resume import ROOT
from tests.serving.traffic import TEXTS, memory, replay
from tests.serving.worlds import case, coach_of
from verbalrl.memory.health import verify
from verbalrl.store import as_it_is, open_store


def start(*arguments: object) -> subprocess.Popen[bytes]:
    asked = [sys.executable, "-m", "tests.serving.traffic", *map(str, arguments)]
    return subprocess.Popen(asked, cwd=ROOT, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said.decode()


def rows(folder: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        return connection.execute(sql).fetchall()


def traffic(folder: Path, *, servers: int, episodes: int) -> None:
    """Serve in `servers` processes while two learners compete."""
    coach_of(folder).close()
    stop = folder / "stop"
    learners = [start("learn", folder, stop) for _ in range(2)]
    serving = [start("serve", folder, n, episodes) for n in range(servers)]
    for process in serving:
        ended(process)
    stop.touch()
    for process in learners:
        ended(process)


def check(folder: Path, tmp_path: Path, count: int) -> None:
    assert rows(folder, "SELECT count(*) FROM episodes") == [(count,)]
    assert rows(folder, "SELECT state, count(*) FROM served WHERE feedback > 0 GROUP BY 1") == [
        ("consumed", rows(folder, "SELECT count(DISTINCT episode) FROM feedback")[0][0])
    ]
    said = rows(folder, "SELECT episode, seq FROM feedback ORDER BY 1, 2")
    assert rows(folder, "SELECT episode, seq FROM consumed ORDER BY 1, 2") == said
    assert len(said) > count / 2
    assert rows(folder, "SELECT count(DISTINCT fence) > 1 FROM consumed") == [(1,)]
    with open_store(folder) as store:
        assert verify(store).findings == ()
    replay(folder, tmp_path / "again")
    found = memory(folder)
    assert found == memory(tmp_path / "again")
    assert {"provisional", "active"} <= {x[2] for x in found}


@pytest.mark.slow
def test_some_processes_serve_while_two_learn(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    traffic(folder, servers=3, episodes=12)
    check(folder, tmp_path, 36)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_processes_serve_while_two_learn(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    traffic(folder, servers=8, episodes=200)
    check(folder, tmp_path, 1600)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_learner_is_taken_over(tmp_path: Path) -> None:
    died = 0
    # A batch of two makes four writes around its critiques, and some thirty statements.
    for at in (1, 2, 4, 5, 9, 14, 20, 33, 47, 60):
        folder = tmp_path / str(at)
        with coach_of(folder) as coach:
            for n in range(6):
                name = case(coach, f"case {n}", key=str(n), source=f"s{n}")
                coach.feedback(name, success=False, text=TEXTS[n % 2], source=f"s{n}")
        process = start("die", folder, at)
        process.communicate(timeout=60)
        died += process.returncode == -signal.SIGKILL
        with coach_of(folder) as coach:
            coach.learn_sync()
        assert rows(folder, "SELECT count(*), sum(seq) FROM consumed") == [(6, 6)]
        assert [x[3] for x in memory(folder)] == [["0", "2", "4"], ["1", "3", "5"]]
    assert died == 10


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_episodes_of_a_killed_process_are_abandoned_with_their_steps(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from tests.serving.worlds import call, coach_of\n"
        "coach = coach_of(Path(sys.argv[1]))\n"
        "episode = coach.episode('it broke', source='ann').__enter__()\n"
        "call(episode, 'hello')\n"
        "coach.feedback(episode.id, success=False, text='do wave now when a guest comes')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with coach_of(tmp_path) as coach:
        report = coach.learn_sync()
        assert (report.abandoned, report.episodes) == (1, 1)
        (episode,) = coach.store.episodes()
        assert (episode.status, episode.success) == ("abandoned", False)
        assert [s.observation.text for s in episode.trajectory.steps] == ["hello"]
        assert json.loads(json.dumps(memory(tmp_path)))


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", "done"),
        ("coach.start_learning()", "done"),
        ("raise SystemExit(3)", "done"),
        ("coach.close()", "done"),
        ("import os; os._exit(0)", "interrupted"),
    ],
)
def test_a_program_that_ends_ends_its_session(tmp_path: Path, ending: str, status: str) -> None:
    program = f"""
from pathlib import Path
from tests.serving.worlds import case, coach_of
coach = coach_of(Path({str(tmp_path / "store")!r}))
case(coach, "ann", "where?")
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    with open_store(tmp_path / "store") as store:
        assert [as_it_is(store, run).status for run in store.runs()] == [status]
        assert len(store.episodes()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks as POSIX has them")
def test_a_child_ends_its_own_session_alone(tmp_path: Path) -> None:
    program = f"""
import os, sys
from pathlib import Path
from tests.serving.worlds import case, coach_of
coach = coach_of(Path({str(tmp_path / "store")!r}))
case(coach, "ann", "where?")
if os.fork() == 0:
    case(coach, "ben", "when?")
    sys.exit(0)
os.wait()
coach.recorder.submit(lambda: None).result()
print([run.status for run in coach.store.runs()])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("['running', 'done']\n", "")
    with open_store(tmp_path / "store") as store:
        assert [run.status for run in store.runs()] == ["done", "done"]

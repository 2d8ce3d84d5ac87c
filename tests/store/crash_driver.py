"""Kills children that write to a store: run as a script, so that forking meets no thread.

`python crash_driver.py MODE FOLDER` prints one line of JSON; the tests judge it.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.store import builders as make
from verbalrl.records import Commit, Operation
from verbalrl.store import Store, open_store

KILLS = 40
WRITES = 100


def fork(work: Callable[[], None]) -> int:
    """A child that does `work` and ends without cleaning up."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def write_until_killed(folder: Path, turn: int, pipe: int) -> None:
    """Every stage over and over; each line in the pipe was acknowledged before."""
    with open_store(folder) as store:
        branch = make.lane().branch
        lease = store.acquire_lease(branch, f"turn {turn}")

        def acknowledge(kind: str, name: str) -> None:
            os.write(pipe, f"{kind} {name}\n".encode())

        async def run() -> None:
            for n in range(10_000):
                episode = make.an_episode(instance=f"i{turn}", trial=n, steps=4)
                call = make.a_call(f"k{turn}-{n}", owner=episode.id)
                await store.append(call)
                acknowledge("call", call.key)
                await store.put_episode(episode)
                acknowledge("episode", episode.id)
                critique = make.a_critique(episode)
                await store.put_critique(critique, branch)
                acknowledge("critique", critique.id)
                base = store.revision(branch, "s")
                name = f"{turn}-{n}"
                added = [make.add(f"le_{name}-{i}") for i in range(3)]
                commit = make.a_commit(branch, base, *added, identity=f"cu_{name}")
                await store.put_commit(commit.replace(critiques=(critique.id,)), lease.fence)
                acknowledge("commit", commit.id)

        make.wait(run())


def random_kills(folder: Path) -> dict[str, object]:
    """SIGKILL at whatever moment, again and again on one store."""
    draw = random.Random(7)
    with make.new_store(folder) as store:
        make.open_lane(store)
    acknowledged: list[str] = []
    for turn in range(KILLS):
        out, into = os.pipe()
        pid = fork(lambda turn=turn, into=into: write_until_killed(folder, turn, into))  # type: ignore[misc]
        os.close(into)
        with os.fdopen(out) as lines:
            acknowledged.append(lines.readline().strip())
            time.sleep(draw.uniform(0.0, 0.08))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            # A line may be cut by the kill; then its row was acknowledged all the same.
            acknowledged += [line.strip() for line in lines if line.endswith("\n")]
    return {"acknowledged": acknowledged}


def last_commit(branch: str, base: int) -> Commit:
    """One of everything that a commit can hold."""
    return Commit(
        id="cu_last",
        branch=branch,
        scope="s",
        base=base,
        updates=(
            make.add("le_8"),
            make.change(Operation.REVISE, "le_1", body=make.body("better")),
            make.change(Operation.SUPPORT, "le_2"),
            make.change(Operation.PURGE, "le_3"),
        ),
        critiques=("cr_1",),
    )


def prepare(folder: Path) -> tuple[str, Commit]:
    """A store whose next commit copies lessons from a parent, changes, adds and purges."""
    with make.new_store(folder) as store:
        parent = make.open_lane(store)
        added = [make.add(f"le_{n}") for n in (1, 2, 3)]
        make.wait(store.put_commit(make.a_commit(parent, 0, *added)))
        child = make.open_lane(store, make.lane("r2"), parent=parent)
        episode = make.an_episode(make.lane("r2"))
        make.wait(store.put_episode(episode))
        make.wait(store.put_critique(make.a_critique(episode, "cr_1"), child))
    return child, last_commit(child, 1)


def commit_and_die(folder: Path, commit: Commit, at: int) -> None:
    """Put the commit; SIGKILL as statement `at` of its transaction begins."""
    with open_store(folder) as store:
        seen = 0

        def trace(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

        store._writer.do(lambda c: c.execute("SELECT 1"))  # it connects at its first work
        connection = store._writer._connection
        assert connection is not None
        connection.set_trace_callback(trace)
        make.wait(store.put_commit(commit))
        connection.set_trace_callback(None)


def rows(store: Store) -> list[object]:
    """Everything that the commit writes, times aside."""
    tables = {
        "commits": "id, branch, scope, base, revision, rejected, failure, usage",
        "commit_critiques": "*",
        "updates": "commit_id, branch, scope, revision, ordinal, op, lesson, copied, body",
        "lessons": "*",
    }

    def read(c: sqlite3.Connection) -> list[object]:
        return [
            list(row)
            for table, columns in tables.items()
            for row in sorted(c.execute(f"SELECT {columns} FROM {table}"), key=repr)
        ]

    return store._read(read)


def every_statement(folder: Path) -> dict[str, object]:
    """One kill per statement of a commit, each on a copy of the same store."""
    template = folder / "template"
    _, commit = prepare(template)
    shutil.copytree(template, folder / "whole")
    with open_store(folder / "whole") as store:
        before = rows(store)
        make.wait(store.put_commit(commit))
        after = rows(store)
    wrong: list[str] = []
    absent = present = 0
    for at in range(1, 1000):
        copy = folder / "copy"
        shutil.copytree(template, copy)
        pid = fork(lambda copy=copy, at=at: commit_and_die(copy, commit, at))  # type: ignore[misc]
        status = os.waitpid(pid, 0)[1]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        with open_store(copy) as store:
            found = rows(store)
            absent += found == before
            present += found == after
            if found not in (before, after):
                wrong.append(f"{at}: torn")
            make.wait(store.put_commit(commit))
            if rows(store) != after or store.commit("cu_last") != commit:
                wrong.append(f"{at}: the same commit again led elsewhere")
            damage = store._read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0])
            if damage != "ok":
                wrong.append(f"{at}: {damage}")
        shutil.rmtree(copy)
        if not killed:
            return {"kills": at - 1, "absent": absent, "present": present, "wrong": wrong,
                    "exit": status}  # fmt: skip
    raise AssertionError("the commit never ended")


def writers(folder: Path, turn: int, processes: int) -> tuple[float, list[int]]:
    """As many writers at once, each waiting for each of its rows: seconds, and how they ended."""

    def write(n: int) -> None:
        async def run(store: Store) -> None:
            for i in range(WRITES // processes):
                await store.append(make.a_call(f"{turn}-{n}-{i}"))

        with open_store(folder) as store:
            make.wait(run(store))

    start = time.monotonic()
    children = [fork(lambda n=n: write(n)) for n in range(processes)]  # type: ignore[misc]
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    return time.monotonic() - start, codes


def two_processes(folder: Path) -> dict[str, object]:
    """The same rows by one writer and by two, three times in turn."""
    with make.new_store(folder) as store:
        make.open_lane(store)
    turns = [writers(folder, turn, 1 + turn % 2) for turn in range(6)]
    with open_store(folder) as store:
        found = store._read(lambda c: c.execute("SELECT count(*) FROM calls").fetchone()[0])
    seconds = [took for took, _ in turns]
    return {
        "codes": [code for _, codes in turns for code in codes],
        "rows": found,
        "times_one": [two / one for one, two in zip(seconds[::2], seconds[1::2], strict=True)],
    }


MODES = {"random": random_kills, "statements": every_statement, "two": two_processes}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(MODES[sys.argv[1]](Path(sys.argv[2]))))

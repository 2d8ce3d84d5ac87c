"""Kills whole runs at statements of one stage: `python -m tests.loop.commit_driver JSON`.

A script of its own, so that forking meets no thread. It prints one line of JSON; the tests judge
it.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from tests.store.crash_driver import fork
from verbalrl import ChatAgent, Learner, load_task
from verbalrl.methods import method
from verbalrl.models import CountingModel, load_model
from verbalrl.records import Commit, Critique, Episode
from verbalrl.store import Store, open_store

T = TypeVar("T")
TOO_MANY = 500


class DeadlyStore(Store):
    """Dies as statement `at` begins, in the transaction of the `nth` call of `stage`."""

    stage, nth, at = "", 0, 0
    calls, statements = 0, 0

    async def put_episode(self, episode: Episode) -> Episode:
        return await self._watched("episode", super().put_episode(episode))

    async def put_critique(self, critique: Critique, branch: str) -> Critique:
        return await self._watched("critique", super().put_critique(critique, branch))

    async def put_commit(self, commit: Commit, fence: int | None = None) -> Commit:
        return await self._watched("commit", super().put_commit(commit, fence))

    async def _watched(self, stage: str, putting: Coroutine[Any, Any, T]) -> T:
        if stage != self.stage:
            return await putting
        self.calls += 1
        if self.calls != self.nth:
            return await putting
        connection = self._writer._connection
        assert connection is not None
        connection.set_trace_callback(self._trace)
        stored = await putting
        connection.set_trace_callback(None)
        # The last of all deaths: it is durable, and nobody has heard of it.
        self._trace("")
        return stored

    def _trace(self, _: str) -> None:
        self.statements += 1
        if self.statements == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def session(case: dict[str, Any], folder: Path, at: int, turn: int) -> None:
    """The run of `case`, or the rest of the one that is there; its digests go into a file."""
    open_store(folder, create=True).close()
    with DeadlyStore(folder) as store:
        store.stage, store.nth, store.at = case["stage"], case["nth"], at
        model = CountingModel(load_model("offline:apprentice"), folder / f"calls-{turn}.txt")
        learner = Learner(
            ChatAgent(model), method=method(case["method"], case["settings"]), store=store
        )
        task, runs = load_task(case["task"]), store.runs()
        if runs:
            result = learner.resume_sync(runs[0].id, task)
        else:
            result = learner.run_sync(task, arms=("learned",), **case["run"])
        arm = result.arms["learned"]
        digests = [arm["memory_digest"], arm["episodes_digest"], arm["lessons"]]
        (folder / f"digests-{turn}.json").write_text(json.dumps(digests))


def shape(folder: Path) -> list[Any]:
    """What the stages have written, in order, without ids: a torn one has no equal."""
    statements = (
        "SELECT e.instance, e.trial, (SELECT count(*) FROM steps s WHERE s.episode = e.id),"
        " (SELECT count(*) FROM uses u WHERE u.episode = e.id) FROM episodes e ORDER BY e.seq",
        "SELECT c.instance, c.trial, (SELECT count(*) FROM critique_episodes x"
        " WHERE x.critique = c.id) FROM critiques c ORDER BY c.seq",
        "SELECT c.scope, c.revision, (SELECT count(*) FROM updates u WHERE u.commit_id = c.id),"
        " (SELECT count(*) FROM commit_critiques x WHERE x.commit_id = c.id)"
        " FROM commits c ORDER BY c.seq",
        "SELECT op, revision FROM updates ORDER BY n",
        "SELECT content, status, version FROM lessons ORDER BY content",
    )
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return ["damaged"]
        return [connection.execute(sql).fetchall() for sql in statements]


def projected(folder: Path) -> bool:
    """Whether the table of lessons is what the updates lead to."""
    with open_store(folder) as store:
        (run,) = store.runs()
        branch = f"{run.id}/learned/0"
        return all(
            store.lessons(branch, scope) == store.current_lessons(branch, scope=scope)
            for scope in store.scopes(branch)
        )


def keys(folder: Path) -> list[str]:
    return [k for n in (0, 1) for k in _lines(folder / f"calls-{n}.txt")]


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def ended(work: Callable[[], None]) -> int:
    """The exit status of a child that does `work`; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def every_statement(case: dict[str, Any], folder: Path, step: int) -> dict[str, Any]:
    """One kill per `step` statements of the stage, each followed by a resume."""
    whole = folder / "whole"
    assert ended(lambda: session(case, whole, 0, 0)) == 0
    digests = (whole / "digests-0.json").read_text()
    wrong: list[str] = []
    shapes: list[Any] = []
    for at in range(1, TOO_MANY, step):
        copy = folder / str(at)
        code = ended(lambda copy=copy, at=at: session(case, copy, at, 0))  # type: ignore[misc]
        if code != -signal.SIGKILL:
            return {
                "kills": len(shapes),
                "wrong": wrong,
                "exit": code,
                "states": _states(shapes),
                "updates": [updates for *_, updates, _ in shape(whole)[2]],
            }
        shapes.append(shape(copy))
        if not projected(copy):
            wrong.append(f"{at}: lessons are not what the updates say")
        if ended(lambda copy=copy: session(case, copy, 0, 1)) != 0:  # type: ignore[misc]
            wrong.append(f"{at}: the resumed run failed")
        elif (copy / "digests-1.json").read_text() != digests:
            wrong.append(f"{at}: another memory")
        asked = keys(copy)
        if len(set(asked)) != len(asked) or len(asked) != len(keys(whole)):
            wrong.append(f"{at}: {len(asked)} calls, {len(set(asked))} different ones")
        if shape(copy) != shape(whole):
            wrong.append(f"{at}: other rows")
    raise AssertionError("the stage never ended")


def _states(shapes: list[Any]) -> list[int]:
    """How often each distinct state was found, in the order of appearance."""
    different: list[Any] = []
    counts: list[int] = []
    for found in shapes:
        if found in different:
            counts[different.index(found)] += 1
        else:
            different.append(found)
            counts.append(1)
    return counts


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.stdout.write(
        json.dumps(every_statement(given["case"], Path(given["folder"]), given["step"]))
    )

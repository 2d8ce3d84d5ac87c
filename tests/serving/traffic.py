"""Traffic for the tests with many processes: who serves what, and who says what of it, when.

A script of its own, so that starting processes meets no thread: `python -m tests.serving.traffic
ROLE FOLDER NUMBER …`.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.serving.worlds import RULES, SCOPE, call, coach_of
from verbalrl.records import Commit, Critique, Feedback
from verbalrl.serving import Coach
from verbalrl.store import LIVE, Store

TEXTS = [f"do thing number {n} when the case is of kind {n}" for n in range(10)]
OPERATORS = [f"do rule number {n} when an operator said so {n}" for n in range(4)]


def serve(folder: Path, number: int, episodes: int) -> None:
    """One process that serves: feedback at once, later, out of order, repeated."""
    draw = random.Random(number)
    later: list[tuple[str, int]] = []
    with coach_of(folder) as coach:
        for n in range(episodes):
            source = f"s{number}-{n % 5}"
            with coach.episode(f"case {number}/{n}", key=f"{number}/{n}", source=source) as ep:
                call(ep, f"text {n}")
                if draw.random() < 0.2:
                    speak(coach, ep.id, number, n, 0)
            later += [(ep.id, k) for k in range(draw.choice((0, 1, 1, 2, 3)))]
            draw.shuffle(later)
            while len(later) > 12:
                name, k = later.pop()
                speak(coach, name, number, n, k)
        for name, k in later:
            speak(coach, name, number, 0, k)


def speak(coach: Coach, episode: str, number: int, n: int, k: int) -> None:
    draw = random.Random(f"{number}/{n}/{k}")
    key = f"{episode}/{k}"
    for _ in range(draw.choice((1, 1, 2))):
        if draw.random() < 0.15:
            text = draw.choice(OPERATORS)
            coach.feedback(
                episode, success=False, text=text, origin="operator", idempotency_key=key
            )
        else:
            source = f"s{number}-{n % 5}"
            coach.feedback(
                episode,
                reward=draw.choice((0.0, 0.0, 1.0)),
                text=draw.choice(TEXTS),
                source=source,
                idempotency_key=key,
            )


def learn(folder: Path, stop: Path) -> None:
    """One learner, until there is nothing more to come.

    Its batches are small, so that however late it is there are several.
    """
    with coach_of(folder, rules=RULES.replace(batch=8)) as coach:
        while True:
            over = stop.exists()
            report = coach.learn_sync()
            if over and not report.pending:
                return
            time.sleep(0.05)


class Deadly(Store):
    """Dies at the `at`th write of a learner, or between two statements of one."""

    at, writes = 0, 0

    def _dying(self, _: str = "") -> None:
        self.writes += 1
        if self.writes == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def put_critique(self, critique: Critique, branch: str) -> Critique:
        self._dying()
        stored = await super().put_critique(critique, branch)
        self._dying()
        return stored

    async def put_learned(
        self,
        made: Sequence[Commit],
        learned: Iterable[tuple[str, int]],
        fence: int,
        *,
        branch: str = "main",
    ) -> None:
        connection = self._writer._connection
        assert connection is not None
        connection.set_trace_callback(self._dying)
        await super().put_learned(made, learned, fence, branch=branch)
        connection.set_trace_callback(None)
        self._dying()


def die(folder: Path, at: int) -> None:
    """A learner that dies at its `at`th write, or learns all."""
    store = Deadly(folder)
    store._do(lambda c: None)
    store.at = at
    with coach_of(folder, rules=RULES.replace(batch=2)) as maker:
        models = maker._models
    coach = Coach(store, SCOPE, models, gate="measured", strict=True, rules=RULES.replace(batch=2))
    coach.learn_sync()
    store.close()


def replay(folder: Path, into: Path) -> None:
    """The same episodes and the same feedback in order, learned from in one process."""
    connection = sqlite3.connect(folder / "verbalrl.db")
    rows = connection.execute(
        "SELECT episode, run, instance, source, goal FROM served ORDER BY seq"
    )
    with coach_of(folder) as old, coach_of(into) as new:
        names = {}
        for episode, _run, instance, source, goal in rows.fetchall():
            with new.episode(goal, key=instance, source=source) as ep:
                kept = old.store.episode(episode)
                assert kept is not None
                call(ep, kept.trajectory.steps[0].observation.text)
            names[episode] = ep.id
        for n, (episode, name) in enumerate(names.items()):
            for said in old.store.feedback(episode):
                new.store.put_feedback(Feedback(**said.model_dump() | {"episode": name}))
            if n % 100 == 0:
                new.learn_sync()
        while new.learn_sync().pending:
            pass


def memory(folder: Path) -> list[Any]:
    """Live lessons as they are compared: content, status, and the cases that support them."""
    with coach_of(folder) as coach:
        found = coach.store.current_lessons("main", scope=SCOPE)
        return sorted(
            [
                x.instruction,
                x.when,
                x.status.value,
                sorted({e.instance for e in x.evidence}),
                {k: v for k, v in sorted(x.votes.items()) if v},
            ]
            for x in found
            if x.status in LIVE
        )


ROLES: dict[str, Callable[..., None]] = {
    "serve": lambda folder, number, episodes: serve(Path(folder), int(number), int(episodes)),
    "learn": lambda folder, stop: learn(Path(folder), Path(stop)),
    "die": lambda folder, at: die(Path(folder), int(at)),
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])

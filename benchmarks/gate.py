"""Does the gate find right and wrong lessons through the whole loop? Planted on triage-v1.

    python -m benchmarks.gate [--seeds 0-4] [--task triage-v1] [--task-seed 0] [--train 3000]
                              [--round 100] [--model offline:apprentice]

Twelve conditional lessons wait as provisional ones before the first episode: four name the right
team for their topic, four say nothing, four name a wrong team. How many episodes they get is
printed first. Nothing new is written; what becomes of the twelve is read from the store.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain
from typing import Any

import verbalrl as vrl
from benchmarks.learning import seeds
from verbalrl.effects import Ledger, in_words, judge
from verbalrl.records import (
    Commit,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from verbalrl.store import Store
from verbalrl.store.reduce import lesson_id
from verbalrl.store.tried import key
from verbalrl.tasks.triage import Triage, action_for

EMPTY = ("to read it to its end", "to be polite", "to work with care", "to take your time")
WANTED = {"right": ("active",), "empty": ("provisional", "retired"), "wrong": ("retired",)}


def bodies(world: Triage) -> dict[str, list[LessonBody]]:
    """Four lessons of each sort, on topics of their own where there are enough of them."""
    lines = [cell for cell in world.cells() if len(cell.plans) == len(world.tickets.plans)]
    teams = world.tickets.teams

    def lesson(place: int, instruction: str) -> LessonBody:
        return LessonBody(
            kind=LessonKind.BEHAVIOR,
            when=f'the text mentions "{lines[place % len(lines)].cue.split(" ", 1)[1]}"',
            instruction=f"choose {instruction}",
            conditional=True,
        )

    def wrong(place: int) -> str:
        right = teams.index(lines[place % len(lines)].team)
        return action_for(teams[(right + 1) % len(teams)])

    return {
        "right": [lesson(n, action_for(lines[n].team)) for n in range(4)],
        "wrong": [lesson(n, wrong(n)) for n in range(4, 8)],
        "empty": [lesson(n, EMPTY[n]) for n in range(4)],
    }


async def plant(store: Store, scope: str, *planted: LessonBody) -> None:
    """Put the lessons on `main` as provisional ones, in a scope that has none yet."""
    updates = tuple(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=lesson_id("main", scope, body, "planted"),
            body=body,
            status=Status.PROVISIONAL,
            trust=Origin.TASK,
            reason="planted",
        )
        for body in planted
    )
    with store.acquire_lease("main", "benchmark") as lease:
        commit = Commit(id=f"co_{scope}", branch="main", scope=scope, base=0, updates=updates)
        await store.put_commit(commit, lease.fence)


def one(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """What became of the twelve in a run of that seed."""
    task: Any = vrl.load_task(given.task, task_seed=given.task_seed)
    planted = bodies(task.world)
    method = vrl.methods.handbook(trials=1, round_size=given.round, gate="measured").replace(
        writes=False
    )
    with tempfile.TemporaryDirectory() as folder:
        with vrl.open_store(folder, create=True) as store:
            asyncio.run(plant(store, task.id, *chain.from_iterable(planted.values())))
        learner = vrl.Learner(
            vrl.ChatAgent(given.model),
            method=method,
            store=folder,
            limits=vrl.Limits(concurrency=8),
        )
        result = learner.run_sync(
            task,
            instances=1,
            train_instances=given.train,
            seeds=(seed,),
            arms=("learned",),
            start="main",
        )
        with vrl.open_store(folder) as store:
            now = {
                x.body.content: x for x in store.lessons(f"{result.run}/learned/{seed}", task.id)
            }
            effects = judge(Ledger.of(store.trials(result.run, "learned", seed)))
    rows: dict[str, Any] = {"seed": seed}
    for sort, group in planted.items():
        rows[sort] = [
            {
                "status": str(now[body.content].status),
                "finding": in_words(effects[name])
                if (name := key(body.content, "actor")) in effects
                else "not tested",
            }
            for body in group
        ]
    rows["as wanted"] = all(row["status"] in WANTED[sort] for sort in planted for row in rows[sort])
    return rows


def main(arguments: Sequence[str] = ()) -> int:
    """Print one line of JSON per seed; 1 when a lesson did not end as it should."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate")
    parser.add_argument("--seeds", type=seeds, default=tuple(range(5)))
    parser.add_argument("--task", default="triage-v1")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--train", type=int, default=3000)
    parser.add_argument("--round", type=int, default=100)
    parser.add_argument("--model", default="offline:apprentice")
    given = parser.parse_args(arguments)
    cells = len(vrl.load_task(given.task).world.cells())  # type: ignore[attr-defined]
    print(f"planned: {given.train:,} train episodes, about {given.train // cells:,} for each topic")
    ends = []
    for seed in given.seeds:
        ends.append(one(given, seed))
        print(json.dumps(ends[-1]), flush=True)
    good = sum(end["as wanted"] for end in ends)
    print(f"as wanted in {good} of {len(ends)} seeds")
    return 0 if good == len(ends) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

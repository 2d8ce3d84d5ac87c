"""How well expel fills its slots: gather, extraction and evaluation apart.

    python -m benchmarks.expel --latency 0.2 --instances 128 --steps 6 --slots 32

A server of fixed latency on loopback answers over HTTP. Walks succeed by their world seed, which
instance and trial make: about a third of the attempts. Slots in use of a stage are its calls ×
latency over slots × the time from its first request to its last reply, as the journal has them.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import verbalrl as vrl
from benchmarks import _server
from benchmarks._walk import Walk, Walks, walks
from benchmarks.loop import model_at
from verbalrl.records import Action, Instance, Observation, StepResult
from verbalrl.tasks.base import Environment, WorldTask

GOAL = 0.6
"""Of gather and evaluation; extraction is as it is."""
LUCK = 3
STAGES = """
SELECT CASE WHEN m.id IS NOT NULL AND m.scope = 'walks-v1' THEN 'extraction'
            WHEN e.split = 'test' THEN 'evaluation' ELSE 'gather' END,
       count(*), min(c.at), max(c.at) FROM calls c
  LEFT JOIN commits m ON m.id = c.owner
  LEFT JOIN critique_episodes k ON k.critique = c.owner AND k.i = 0
  LEFT JOIN episodes e ON e.id = coalesce(k.episode, c.owner)
  GROUP BY 1
"""


class LuckyWalk(Walk):
    """Ends at the well at its last step, where the seed is kind."""

    def __init__(self, name: str, steps: int) -> None:
        super().__init__(name)
        self.steps, self.lucky = steps, False

    def reset(self, seed: int, /) -> Observation:
        """Begin at the gate."""
        self.lucky = seed % LUCK == 0
        return super().reset(seed)

    def step(self, action: Action, /) -> StepResult:
        """One field on."""
        found = super().step(action)
        there = self.lucky and self.taken == self.steps
        return found.replace(success=there, terminated=there, reward=float(there))


class LuckyWalks(Walks):
    """Walks of which about a third succeed."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh walk."""
        return LuckyWalk(f"{instance.split} {instance.data['n']}", self.steps)


async def run(port: int, given: Any) -> dict[str, tuple[int, float]]:
    """By stage: calls, and seconds from its first request to its last reply."""
    with tempfile.TemporaryDirectory() as folder:
        model = model_at("openai", port)
        learner = vrl.Learner(
            vrl.ChatAgent(model),
            method=vrl.methods.expel(),
            store=folder,
            limits=vrl.Limits(concurrency=given.slots),
        )
        await learner.run(
            WorldTask(walks(given.steps).card, LuckyWalks(given.steps)),
            train_instances=given.instances,
            instances=given.instances,
            arms=("learned",),
        )
        await model.aclose()
        with closing(sqlite3.connect(Path(folder) / "verbalrl.db")) as connection:
            rows = connection.execute(STAGES).fetchall()
    return {
        stage: (calls, (_time(last) - _time(first)).total_seconds() + given.latency)
        for stage, calls, first, last in rows
    }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main(arguments: Iterable[str] = ()) -> int:
    """Print the stages; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--instances", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--slots", type=int, default=32)
    given = parser.parse_args(list(arguments))
    with _server.running(given.latency) as port:
        found = asyncio.run(run(port, given))
    met = True
    for stage in ("gather", "extraction", "evaluation"):
        calls, seconds = found.get(stage, (0, 0.0))
        used = calls * given.latency / (given.slots * seconds) if seconds else 0.0
        holds = stage == "extraction" or used >= GOAL
        met = met and holds
        said = "" if stage == "extraction" else "  met" if holds else "  MISSED"
        print(f"  {stage:<11}{calls:>6} calls  {seconds:6.2f} s  slots in use {used:.0%}{said}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Is memory flat over many episodes of one run? Resident size, open files and the store's log.

    python -m benchmarks.flat --episodes 10000

Runs of reflexion with a scripted model, one after the other in one process and one store; two
trials, so that every second episode is criticised and reflected on. `--runs 1` shows what a single
run keeps for its figures and its plan. The slope is that of a line through the samples of the
second half of all episodes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import verbalrl as vrl
from benchmarks import _server
from benchmarks._walk import walks
from verbalrl.ids import canonical_json
from verbalrl.models import Request

SLOPE, GROWTH, LOG = 1024.0, 20 << 20, 64 << 20
"""Bytes: per episode of the second half, in all, and of the write-ahead log."""
SAMPLES = 40
PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """What the process holds after so many episodes."""

    episodes: int
    rss: int
    files: int
    log: int


class Scripted(vrl.ScriptedModel):
    """Answers like the benchmark's server, and keeps no request."""

    def __init__(self) -> None:
        super().__init__(self.reply, name="bench")

    def reply(self, request: Request) -> str:
        """An answer that fits the schema."""
        self.requests.clear()
        return _server.answer(request.output_schema, canonical_json(request.sample_seed).encode())


def sample(episodes: int, folder: Path) -> Sample:
    """The state of this process now."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
    log = folder / "verbalrl.db-wal"
    return Sample(
        episodes,
        resident,
        sum(1 for _ in Path("/proc/self/fd").iterdir()),
        log.stat().st_size if log.exists() else 0,
    )


def slope(samples: Sequence[Sample]) -> float:
    """Bytes per episode: of the least-squares line through `samples`."""
    n = len(samples)
    x0 = sum(s.episodes for s in samples) / n
    y0 = sum(s.rss for s in samples) / n
    over = sum((s.episodes - x0) * (s.rss - y0) for s in samples)
    under = sum((s.episodes - x0) ** 2 for s in samples)
    return over / under if under else 0.0


async def measure(episodes: int, runs: int, steps: int) -> list[Sample]:
    """Samples over runs that have about this many episodes between them."""
    samples: list[Sample] = []
    each = episodes // runs
    with tempfile.TemporaryDirectory() as name, vrl.open_store(name, create=True) as store:
        method = vrl.methods.reflexion(trials=2)
        for number in range(runs):
            learner = vrl.Learner(vrl.ChatAgent(Scripted()), method=method, store=store)
            run = asyncio.create_task(
                learner.run(walks(steps), instances=each // 2, arms=("learned",))
            )
            while not run.done():
                await asyncio.sleep(0.02)
                progress = learner.progress()
                done = number * each + (progress.episodes_done if progress else 0)
                if done >= len(samples) * episodes / SAMPLES:
                    samples.append(sample(done, Path(name)))
            await run
    return samples


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures of the samples; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=4)
    given = parser.parse_args(list(arguments))
    # One short run to its end first: what is imported once, such as numpy, is no growth.
    asyncio.run(measure(50, 1, given.steps))
    samples = asyncio.run(measure(given.episodes, given.runs, given.steps))
    early, half = samples[len(samples) // 10 : len(samples) // 2], samples[len(samples) // 2 :]
    growth = samples[-1].rss - early[0].rss
    # The least: SQLite opens a temporary file now and then, a leak would raise the floor.
    files = [min(s.files for s in part) for part in (early, half)]
    log = max(s.log for s in samples)
    bars = {
        f"{slope(half):.0f} bytes per episode over the second half": slope(half) <= SLOPE,
        f"{growth / (1 << 20):.1f} MiB more after the first tenth": growth <= GROWTH,
        f"{files[0]} open files in the first half, {files[1]} in the second": files[1] <= files[0],
        f"{log / (1 << 20):.1f} MiB of write-ahead log at most": log <= LOG,
    }
    size = f"{given.episodes} episodes of {given.steps} steps in {given.runs} runs"
    print(f"{size}, {samples[0].rss >> 20} MiB at first")
    for said, held in bars.items():
        print(f"  {'met' if held else 'MISSED':<7}{said}")
    return int(not all(bars.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

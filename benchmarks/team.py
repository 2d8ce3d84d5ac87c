"""How long a team takes: its analysts side by side, and running ahead of their manager.

    python -m benchmarks.team --latency 1 --days 252 --seeds 0

One period of trading-v1 with a manager and an analyst for each of its five sources, all asked over
HTTP at a server of fixed latency L on loopback, in a process of its own. Side by side a day takes
the analysts' L and then the manager's; ahead, the analysts of later days are at work while the
manager decides, and a day takes L. The goals are 1.1 × days × 2L and 1.25 × days × L, all of a run
with its store included. What is done must be the same: the digests of both runs are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import verbalrl as vrl
from benchmarks import _server
from benchmarks.loop import model_at
from verbalrl.execution import roles_of
from verbalrl.tasks import load_task

GOALS = {False: 1.1, True: 1.25}
"""How often the ideal wall may be taken: side by side, ahead."""


class Took(NamedTuple):
    """What one run took and led to."""

    wall: float
    cpu: float
    calls: int
    messages: int
    arm: dict[str, Any]
    """Its figures, with the digests."""


def ideal(days: int, latency: float, *, ahead: bool) -> float:
    """Seconds in which the calls that wait for each other come one after the other."""
    return days * latency * (1 if ahead else 2)


async def run(port: int, days: int, seed: int, slots: int, *, ahead: bool) -> Took:
    """One period of the task of `seed`."""
    task = load_task(f"trading-v1?horizon={days}", task_seed=seed)
    model = model_at("openai", port)
    analysts = {role: vrl.ChatAgent(model) for role in roles_of(task)}
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        learner = vrl.Learner(
            vrl.Team(vrl.ChatAgent(model), analysts, ahead=ahead),
            method="reflexion",
            store=folder,
            limits=vrl.Limits(concurrency=slots),
        )
        result = await learner.run(task, instances=1, trials=1, arms=("none",))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        await model.aclose()
    arm = result.arms["none"]
    calls = sum(used["calls"] for used in arm["tokens"].values())
    return Took(wall, cpu, calls, arm["team"]["messages"], arm)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=1.0, help="seconds")
    parser.add_argument("--days", type=int, default=252)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--slots", type=int, default=32)
    chosen = parser.parse_args(given)
    missed = False
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, latency {chosen.latency:g} s")
    with _server.running(chosen.latency) as port:
        # What is imported at a first call is no part of what a day takes.
        asyncio.run(run(port, 2, 0, chosen.slots, ahead=True))
        for seed in chosen.seeds:
            took = {
                ahead: asyncio.run(run(port, chosen.days, seed, chosen.slots, ahead=ahead))
                for ahead in (False, True)
            }
            for ahead, one in took.items():
                best = ideal(chosen.days, chosen.latency, ahead=ahead)
                over = one.wall / best
                missed |= over > GOALS[ahead]
                print(
                    f"seed {seed}  {'ahead' if ahead else 'side by side':<12}"
                    f" {one.wall:7.2f} s  ideal {best:6.2f} s  {over:5.3f} (goal {GOALS[ahead]})"
                    f"  {one.calls} calls, {one.messages} reports,"
                    f" CPU {1e3 * one.cpu / one.calls:.2f} ms per call"
                )
            same = took[False].arm == took[True].arm
            missed |= not same
            digest = took[True].arm["episodes_digest"]["0"][:19]
            print(f"seed {seed}  figures and digests {'equal' if same else 'DIFFER'}: {digest}…")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

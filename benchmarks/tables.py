"""How often tables report a gain where there is none, and where there is one.

    python -m benchmarks.tables --tables 400 --instances 50 --seeds 3 --effect 0.25 --seed 0

Every instance has a rate of its own, uniform from 0.2 to 0.6. `retry` and the method succeed on it
by independent draws, once for each seed: a null method at the same rate, the other at a rate that
is higher by the effect. Each pair becomes the figures of a run by the code that makes those of real
ones; a gain is what `vs_retry.shows` calls so. Beside it, how often the 95 % interval would have
said so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from verbalrl.ids import coin
from verbalrl.result import ArmFacts, Outcome, RunFacts, summarise

LOWEST, HIGHEST = 0.2, 0.6
NULL, POWER = 0.041, 0.9
"""Of the tables, a null method is reported as a gain in at most the first, an effect of 0.25 in at
least the second."""


class Simulated(NamedTuple):
    """What so many tables reported, as shares of them."""

    gains: float
    losses: float
    intervals: float
    """Those whose interval lies above 0."""


def table(number: int, instances: int, seeds: int, effect: float, seed: int) -> Any:
    """What the figures of one simulated run say of the method against `retry`."""
    outcomes = []
    for n in range(instances):
        rate = LOWEST + (HIGHEST - LOWEST) * coin("rate", seed, number, n)
        for s in range(seeds):
            for arm, chance in (("retry", rate), ("learned", min(1.0, rate + effect))):
                hit = coin("success", seed, number, n, s, arm, effect) < chance
                outcomes.append(_outcome(arm, s, str(n), hit))
    facts = RunFacts(
        run="run",
        task="simulated",
        method="simulated",
        model="none",
        simulated=True,
        learns="instance",
        trials=1,
        seeds=tuple(range(seeds)),
        train=instances,
        test=0,
        reported="train",
    )
    arms = {"retry": ArmFacts(), "learned": ArmFacts()}
    return summarise(facts, outcomes, arms).arms["learned"]["vs_retry"]


def _outcome(arm: str, seed: int, instance: str, success: bool) -> Outcome:
    return Outcome(
        arm=arm,
        seed=seed,
        instance=instance,
        split="train",
        trial=1,
        purpose="attempt",
        success=success,
        failed=False,
        reward=float(success),
    )


def simulated(
    tables: int, *, instances: int = 50, seeds: int = 3, effect: float = 0.0, seed: int = 0
) -> Simulated:
    """What `tables` simulated runs report."""
    found = [table(n, instances, seeds, effect, seed) for n in range(tables)]
    return Simulated(
        sum(t["shows"] == "gain" for t in found) / tables,
        sum(t["shows"] == "loss" for t in found) / tables,
        sum(t["ci95"][0] > 0 for t in found) / tables,
    )


def main(arguments: Iterable[str] = ()) -> int:
    """Print the shares; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=400)
    parser.add_argument("--instances", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--effect", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(list(arguments))
    sizes = {"instances": given.instances, "seeds": given.seeds, "seed": given.seed}
    null = simulated(given.tables, **sizes)
    real = simulated(given.tables, **sizes, effect=given.effect)
    print(f"{given.tables} tables, {given.instances} instances, {given.seeds} seeds")
    for name, found in (("null", null), (f"effect {given.effect:g}", real)):
        print(
            f"  {name:<12} gain {found.gains:.1%}  loss {found.losses:.1%}"
            f"  interval above 0 {found.intervals:.1%}"
        )
    met = null.gains <= NULL and real.gains >= POWER
    print("met" if met else "MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

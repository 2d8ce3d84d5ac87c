"""Whether every built-in task keeps its contract: check, oracle, random play, seeds.

    python -m benchmarks.contract --instances 200

Per task: `check_task` on as many instances of each split, how many of the test instances the oracle
solves, how many a random policy does with the Clopper-Pearson interval of its rate beside the rate
that the README states, and whether equal seeds give equal worlds and episodes.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from math import comb
from pathlib import Path
from typing import NamedTuple

from verbalrl.errors import ConfigurationError
from verbalrl.tasks import WorldTask, check_task, known_tasks, load_task, play, random_policy

ROOT = Path(__file__).parents[1]
_TAIL = 0.025
_HALVINGS = 60
_AGAIN = 20


class Row(NamedTuple):
    """What was found of one task."""

    name: str
    instances: int
    broken: str
    """What `check_task` says; empty: nothing."""
    solved: int
    random: int
    low: float
    high: float
    stated: float
    same: bool

    @property
    def held(self) -> bool:
        """Whether all of it is as it should be."""
        inside = self.low <= self.stated <= self.high
        return not self.broken and self.solved == self.instances and inside and self.same


def stated_rate(name: str) -> float:
    """The rate of a random policy that the README of a built-in task states."""
    readme = " ".join((ROOT / "tasks" / name / "README.md").read_text("utf-8").split())
    found = re.findall(r"[Aa] random policy succeeds in ([\d.]+) %", readme)
    if len(found) != 1:
        raise ValueError(f"{name}: the README states {len(found)} rates")
    return float(found[0]) / 100


def at_most(k: int, n: int, p: float) -> float:
    """The chance of at most `k` successes in `n`."""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a rate of which `k` successes in `n` were seen."""
    # At the lower end k or more, at the upper end k or fewer have a chance of 2.5 %.
    low = crossing(lambda p: 1 - at_most(k - 1, n, p) > _TAIL) if k else 0.0
    high = crossing(lambda p: at_most(k, n, p) < _TAIL) if k < n else 1.0
    return low, high


def crossing(beyond: Callable[[float], bool]) -> float:
    """Where `beyond`, false at 0 and true at 1, turns."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low


def row(name: str, count: int) -> Row:
    """Everything about one task."""
    task = load_task(name)
    instances = task.instances("test", 0, count)
    broken = ""
    try:
        check_task(task, count)
    except ConfigurationError as error:
        broken = str(error)
    solved = random = 0
    for instance in instances:
        oracle = task.oracle(instance)
        solved += oracle is not None and play(task, instance, oracle).success is True
        random += play(task, instance, random_policy()).success is True
    low, high = clopper_pearson(random, len(instances))
    same = seeded(task, load_task(name), load_task(name, task_seed=1))
    return Row(name, len(instances), broken, solved, random, low, high, stated_rate(name), same)


def seeded(task: WorldTask, again: WorldTask, other: WorldTask) -> bool:
    """Whether equal seeds give equal worlds and episodes, and another task seed other worlds."""
    ours, theirs, others = (t.instances("test", 0, _AGAIN) for t in (task, again, other))
    pairs = zip(ours, theirs, strict=True)
    policy = random_policy(3)
    same = all(play(task, a, policy, 7) == play(again, b, policy, 7) for a, b in pairs)
    return same and ours == theirs and [i.data for i in ours] != [i.data for i in others]


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per task; 1 when one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--task", choices=known_tasks(), action="append")
    given = parser.parse_args(arguments)
    held = True
    print(
        "task                 instances  check  oracle   random  [Clopper-Pearson]  stated  seeds"
    )
    for name in given.task or known_tasks():
        found = row(name, given.instances)
        held = held and found.held
        print(
            f"{name:<20} {found.instances:>9}  {'BROKEN' if found.broken else 'held':<6}"
            f" {found.solved:>6} {found.random:>8}  [{found.low:.4f}, {found.high:.4f}]"
            f" {found.stated:>8.3f}  {'equal' if found.same else 'DIFFER'}"
            f"{'' if found.held else '  MISSED ' + found.broken}",
            flush=True,
        )
    return int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

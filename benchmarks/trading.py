"""What policies that do not learn earn on a trading task, with costs.

    python -m benchmarks.trading --task trading-v1 --instances 60 --seeds 0-4

Per control, over all periods of the test split and all task seeds: the mean compounded return of a
period with its bootstrap interval; then
Sharpe ratio, maximum drawdown, CVaR (1 %) and turnover over all days, success, and the chance of
Wilcoxon's signed-rank test that it earns as much as buy-and-hold, period by period.
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from verbalrl.stats import interval
from verbalrl.tasks import WorldTask, load_task, play
from verbalrl.tasks import trading_measures as measured
from verbalrl.tasks.trading_controls import CONTROLS, control

_BASE = "buy-and-hold"


class Earned(NamedTuple):
    """What a control did in all periods."""

    returns: tuple[float, ...]
    """By period, compounded."""
    days: tuple[float, ...]
    traded: float
    success: float


def earned(tasks: Sequence[WorldTask], name: str, count: int, seed: int = 0) -> Earned:
    """The control `name` on the first `count` test periods of each task."""
    returns: list[float] = []
    days: list[float] = []
    traded: list[float] = []
    wins: list[bool] = []
    for task in tasks:
        for instance in task.instances("test", 0, count):
            played = play(task, instance, control(name, task, instance, seed))
            results = [result.reward or 0.0 for result in played.results]
            returns.append(measured.compounded(results))
            days += results
            traded += [result.components["traded"] for result in played.results]
            wins.append(played.success is True)
    return Earned(tuple(returns), tuple(days), fmean(traded), fmean(wins))


def line(name: str, found: Earned, base: Earned) -> str:
    """One row of the table."""
    mean = interval(found.returns, None)
    assert mean is not None
    ends = "" if mean.pair is None else f"[{mean.low:+.3f}, {mean.high:+.3f}]"
    _, chance = measured.signed_rank(found.returns, base.returns)
    return (
        f"{name:<17} {mean.mean:+7.3f} {ends:<16}"
        f" {measured.sharpe(found.days):+7.2f} {measured.max_drawdown(found.days):9.3f}"
        f" {measured.cvar(found.days):+7.3f} {found.traded:9.2f} {found.success:8.3f}"
        f" {chance:8.3f}"
    )


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per control."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="trading-v1")
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--seeds", default="0-4", help="task seeds, as 0-4")
    given = parser.parse_args(arguments)
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    tasks = [load_task(given.task, task_seed=seed) for seed in seeds]
    found = {name: earned(tasks, name, given.instances) for name in CONTROLS}
    print(
        f"{given.task}, {given.instances} periods of each of {len(tasks)} task seeds\n"
        "control            return [95 % interval]  Sharpe  drawdown    CVaR  turnover  success"
        "  p (B&H)"
    )
    for name, value in found.items():
        print(line(name, value, found[_BASE]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What cvrf learns on trading-v1 with the offline model, beside the same team without beliefs.

    python -m benchmarks.fincon --seeds 0-19
    python -m benchmarks.fincon --seeds 0-19 --rule none --no-control

Per seed (of the task and of the run) a team of a manager and five analysts trains for four episodes
of each training period and is tested on other periods with frozen beliefs, once beside the same
team without beliefs. Both are run again with the control by CVaR, and nothing else changed. Printed
are the mean compounded return of a test period without and with beliefs; the deepest drawdown of
all test periods in a row, with beliefs and without, each as it is and under control; how far the
last two training rounds agreed; then the sums, with sign tests. `--rule none` plants nothing: what
is gained there is luck, or saved on trading, as whoever has a belief turns round less often. So the
gain before costs stands beside the one after them.
"""

from __future__ import annotations

import argparse
import math
import operator
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import fmean
from typing import NamedTuple, cast

import verbalrl as vrl
from verbalrl.methods import Cvrf
from verbalrl.records import Episode, Lesson
from verbalrl.stats import interval
from verbalrl.store import open_store
from verbalrl.tasks.trading import Trading
from verbalrl.tasks.trading_measures import compounded, max_drawdown

ROLES = ("news", "filing", "momentum", "volatility", "risk")
HISTORY = 3_000
"""Tokens of a prompt: a manager needs no more than the last days."""


class Size(NamedTuple):
    """How much is traded."""

    rule: str = "drawn"
    horizon: int = 60
    """Days of a period."""
    train: int = 2
    """Training periods, four episodes of each."""
    test: int = 4
    """Test periods."""
    portions: int = 6
    """Critiques of a pair of episodes."""
    control: bool = True
    """Whether all is run again under control."""


class Found(NamedTuple):
    """What one seed led to."""

    seed: int
    planted: str
    named: str
    """What the best supported belief is about; empty without one."""
    without: tuple[float, ...]
    """Compounded returns of the test periods, without beliefs."""
    beliefs: tuple[float, ...]
    before_costs: float
    """What beliefs add to the mean sum of daily results of a period, without what trading took."""
    fell: tuple[float | None, float | None]
    """The drawdown of all test periods in a row with beliefs, as it is and under control."""
    fell_without: tuple[float | None, float | None]
    """The same without beliefs."""
    ended: str
    """How far the last two training rounds agreed."""

    @property
    def gain(self) -> float:
        """What beliefs add to the mean return of a period."""
        return fmean(self.beliefs) - fmean(self.without)


def team() -> vrl.Team:
    """Five analysts and a manager, all the offline model."""

    def one() -> vrl.ChatAgent:
        return vrl.ChatAgent("offline:apprentice", prompt_tokens=HISTORY)

    return vrl.Team(one(), {role: one() for role in ROLES})


def best_supported(beliefs: Iterable[Lesson]) -> Lesson | None:
    """The belief that most episodes support, of equal ones that with most steps behind it."""
    found = [x for x in beliefs if x.usable]
    return max(
        found, key=lambda x: (x.votes.get("support", 0), len(x.evidence), x.id), default=None
    )


def run(seed: int, size: Size) -> Found:
    """One seed, from an empty memory."""
    task = vrl.load_task(f"trading-v1?horizon={size.horizon}&rule={size.rule}", task_seed=seed)
    world = cast(Trading, task.world)
    method = Cvrf(control=False, portions=size.portions)
    with tempfile.TemporaryDirectory() as folder:
        learner = vrl.Learner(team(), method=method, store=folder)
        learned = learner.run_sync(
            task,
            arms=("none", "learned"),
            instances=size.test,
            train_instances=size.train,
            seeds=(seed,),
        )
        branch = f"{learned.run}/learned/{seed}"
        runs = [(learned.run, "none"), (learned.run, "learned")]
        if size.control:
            wary = vrl.Learner(team(), method=Cvrf(control=True), store=folder)
            test = {"arms": ("learned",), "instances": size.test, "seeds": (seed,), "learn": False}
            starts = (None, branch)
            runs += [(wary.run_sync(task, start=s, **test).run, "learned") for s in starts]
        with open_store(folder) as store:
            went = [tested(store.episodes(run=name, arm=arm)) for name, arm in runs]
            plain, held = (fmean(map(partial(gross, cost=world.cost), w)) for w in went[:2])
            without, beliefs, *controlled = (list(map(days, w)) for w in went)
            bare, control = controlled or (None, None)
            belief = best_supported(store.current_lessons(branch))
            (frozen,) = (d for d in store.decisions(branch) if d.kind == "freeze")
    return Found(
        seed=seed,
        planted=world.planted().kind,
        named=belief.body.aspect if belief else "",
        without=tuple(map(compounded, without)),
        beliefs=tuple(map(compounded, beliefs)),
        before_costs=held - plain,
        fell=(deepest(beliefs), deepest(control)),
        fell_without=(deepest(without), deepest(bare)),
        ended=frozen.detail.get("reason", ""),
    )


def tested(episodes: Iterable[Episode]) -> list[Episode]:
    """The test episodes in the order of their periods."""
    return sorted((e for e in episodes if e.spec.split == "test"), key=lambda e: e.instance)


def days(episode: Episode) -> tuple[float, ...]:
    """The daily results of a period."""
    return tuple(s.reward or 0.0 for s in episode.trajectory.steps)


def gross(episode: Episode, cost: float) -> float:
    """The sum of the daily results before costs, each of which is a share of what was traded."""
    return math.fsum(days(episode)) + cost * episode.reward.components["traded"]


def deepest(periods: Iterable[Iterable[float]] | None) -> float | None:
    """The deepest drawdown of `periods` in a row; None where they were not run."""
    if periods is None:
        return None
    return max_drawdown([day for period in periods for day in period])


def sign_test(differences: Sequence[float]) -> float:
    """The two-sided chance of signs as uneven as these, were both as likely; zeros are left out."""
    count = sum(d != 0 for d in differences)
    fewer = min(sum(d > 0 for d in differences), sum(d < 0 for d in differences))
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**count))


def row(found: Found) -> str:
    """One line of the table."""
    return (
        f"{found.seed:>4} {found.planted:<9}{found.named or 'nothing':<11}"
        f"{fmean(found.without):+8.3f} {fmean(found.beliefs):+8.3f} {found.gain:+8.3f}"
        f" {found.before_costs:+8.3f}"
        f"    {_told(found.fell)}    {_told(found.fell_without)}    {found.ended}"
    )


def sums(found: Sequence[Found]) -> str:
    """What all seeds come to."""
    named = sum(one.named == one.planted for one in found)
    said = (
        f"gain {_spread([one.gain for one in found])}\n"
        f"gain before costs {_spread([one.before_costs for one in found])}\n"
        f"best supported belief names the planted aspect: {named} of {len(found)}"
    )
    fell, bare = (
        _shallower(pairs) for pairs in zip(*((f.fell, f.fell_without) for f in found), strict=True)
    )
    return f"{said}\ndrawdown under control not deeper: {fell}; without beliefs {bare}"


def _told(pair: tuple[float | None, float | None]) -> str:
    return " ".join("  –  " if value is None else f"{value:.3f}" for value in pair)


def _spread(gains: Sequence[float]) -> str:
    found = interval(gains, None)
    assert found is not None
    ends = "" if found.pair is None else f" [{found.low:+.3f}, {found.high:+.3f}]"
    better = sum(gain > 0 for gain in gains)
    return (
        f"{found.mean:+.3f}{ends}, above 0 in {better} of "
        f"{len(gains)} seeds, sign test p = {sign_test(gains):.2g}"
    )


def _shallower(pairs: Sequence[tuple[float | None, float | None]]) -> str:
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    less, equal = (sum(f(b, a) for a, b in known) for f in (operator.lt, operator.eq))
    said = f"{less + equal} of {len(known)} ({less} shallower, {equal} equal)"
    if not known:
        return said
    before, after = map(fmean, zip(*known, strict=True))
    return f"{said}, on average {after:.3f} after {before:.3f}"


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per seed and the sums."""
    usual = Size()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-4", help="as 0-19")
    parser.add_argument("--rule", default=usual.rule, help="drawn by the task seed, or none")
    parser.add_argument("--horizon", type=int, default=usual.horizon)
    parser.add_argument("--train", type=int, default=usual.train)
    parser.add_argument("--test", type=int, default=usual.test)
    parser.add_argument("--portions", type=int, default=usual.portions)
    parser.add_argument("--control", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--workers", type=int, default=1, help="seeds at once")
    given = parser.parse_args(arguments)
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    size = Size(**{name: getattr(given, name) for name in Size._fields})
    print(f"trading-v1, {size}")
    print(
        "seed planted  belief    without  beliefs     gain  b.costs    drawdown       without "
        "beliefs    last rounds",
        flush=True,
    )
    found: list[Found] = []
    with ProcessPoolExecutor(given.workers) as pool:
        for one in pool.map(partial(run, size=size), seeds):
            print(row(one), flush=True)
            found.append(one)
    print(sums(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

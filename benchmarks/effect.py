"""Does the gate keep what helps, retire what harms and leave the rest alone? Planted effects, A/A.

    python -m benchmarks.effect [--seeds 0-199] [--aa-seeds 0-999] [--episodes 20000] [--look 500]
                                [--base 0.5] [--withhold 0.2] [--offered 2] [--speed]

Planted: 20 lessons, 8 of +0.2, 6 of 0, 6 of -0.2; every episode offers some of those that are not
retired, each withheld at random. After every look the gate decides. A/A: the same with effects of
0, also with outcomes that are nearly always the same and with small rounds: a lesson that it makes
active, or retires as harmful, is a false claim. `--speed`: a full recompute of 10,000 lessons in
100,000 uses beside a plain loop that adds up the same, and the update after one round. All of it
is simulated.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from verbalrl.effects import Effect, Ledger, Rules, judge
from verbalrl.effects.trials import Trial

PLANTED = (0.2,) * 8 + (0.0,) * 6 + (-0.2,) * 6
BARS = {"good": 0.9, "covered": 0.93}


class World(NamedTuple):
    """What is simulated."""

    effects: tuple[float, ...]
    episodes: int = 20_000
    look: int = 500
    base: float = 0.5
    withhold: float = 0.2
    offered: int = 2
    rules: Rules = Rules()


class Outcome(NamedTuple):
    """Where the lessons ended, and what was known of them then."""

    statuses: tuple[str, ...]
    effects: dict[str, Effect]
    claims: tuple[int, int]
    """How many were ever said to help, and to harm."""


def simulate(world: World, seed: int) -> Outcome:
    """One life of the lessons of `world` under the gate."""
    rng = np.random.default_rng(seed)
    statuses = ["provisional"] * len(world.effects)
    ledger, known = Ledger(), {}
    helped: set[int] = set()
    harmed: set[int] = set()
    for number in range(world.episodes // world.look):
        live = [i for i, status in enumerate(statuses) if status != "retired"]
        ledger.add(_round(world, live, number, rng))
        known = judge(ledger, world.rules)
        for i in live:
            effect = known.get(str(i))
            finding = effect.finding if effect else "undecided"
            if finding == "helps":
                helped.add(i)
                statuses[i] = "active"
            elif finding in ("harms", "idle"):
                harmed |= {i} if finding == "harms" else set()
                statuses[i] = "retired"
    return Outcome(tuple(statuses), known, (len(helped), len(harmed)))


def _round(world: World, live: Sequence[int], number: int, rng: np.random.Generator) -> list[Trial]:
    n, offered = world.look, min(world.offered, len(live))
    if not offered:
        return []
    order = rng.random((n, len(live))).argsort(axis=1)[:, :offered]
    lessons = np.asarray(live)[order]
    inside = rng.random((n, offered)) >= world.withhold
    chance = world.base + (np.asarray(world.effects)[lessons] * inside).sum(axis=1)
    outcome = (rng.random(n) < np.clip(chance, 0, 1)).astype(float)
    names, coins, outcomes = lessons.tolist(), inside.tolist(), outcome.tolist()
    return [
        Trial(str(name), number, f"{number}.{e}", let_in, 1 - world.withhold, outcomes[e], 20)
        for e in range(n)
        for name, let_in in zip(names[e], coins[e], strict=True)
    ]


def planted(world: World, seeds: Sequence[int]) -> dict[str, Any]:
    """How often the gate ends right, and how often intervals hold the truth."""
    good, covered, harmful, helpful, idle = 0, [], [], [], []
    for seed in seeds:
        end = simulate(world, seed)
        active = [e for e, s in zip(world.effects, end.statuses, strict=True) if s == "active"]
        harmful.append(sum(e < 0 for e in active))
        helpful.append(sum(e > 0 for e in active))
        idle.append(sum(e == 0 for e in active))
        good += harmful[-1] == 0 and helpful[-1] >= 7 and idle[-1] <= 1
        covered += [
            effect.low <= world.effects[int(name)] <= effect.high
            for name, effect in end.effects.items()
            if effect.low is not None and effect.high is not None
        ]
    return {
        "seeds": len(seeds),
        "good": good / len(seeds),
        "covered": float(np.mean(covered)),
        "harmful_active": float(np.mean(harmful)),
        "helpful_active": float(np.mean(helpful)),
        "null_active": float(np.mean(idle)),
    }


def null(world: World, seeds: Sequence[int]) -> dict[str, Any]:
    """How often anything is claimed of lessons that do nothing, on either side."""
    ends = [simulate(world, seed).claims for seed in seeds]
    helps, harms = (sum(claims[side] > 0 for claims in ends) / len(seeds) for side in (0, 1))
    level = world.rules.level
    bar = level + 2 * math.sqrt(level * (1 - level) / len(seeds))
    return {"seeds": len(seeds), "helps": helps, "harms": harms, "bar": bar}


def speed(lessons: int = 10_000, uses: int = 100_000, look: int = 128) -> dict[str, Any]:
    """Recompute and update, each as a share of what it is compared with; median of five."""
    rng = np.random.default_rng(0)
    rows = [
        Trial(f"l{x}", number, f"i{y}", bool(z), 0.8, float(w), 20)
        for number, x, y, z, w in zip(
            (np.arange(uses) // (2 * look)).tolist(),
            rng.integers(0, lessons, uses).tolist(),
            rng.integers(0, 2_000, uses).tolist(),
            (rng.random(uses) < 0.8).tolist(),
            (rng.random(uses) < 0.5).tolist(),
            strict=True,
        )
    ]
    last = rows[-1].round
    before, after = [r for r in rows if r.round < last], [r for r in rows if r.round == last]
    loop, full, update = [], [], []
    for _ in range(5):
        loop.append(_seconds(lambda: plain(rows)))
        full.append(_seconds(lambda: Ledger.of(rows)))
        ledger = Ledger.of(before)
        update.append(_seconds(lambda ledger=ledger: ledger.add(after)))
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    whole, other = Ledger.of(rows), Ledger.of(shuffled)
    places = [other.lessons.index(name) for name in whole.lessons[:200]]
    return {
        "recompute_of_plain": median(full) / median(loop),
        "update_of_recompute": median(update) / median(full),
        "update_off_by": float(np.abs(ledger.sums - whole.sums).max()),
        "order_off_by": float(np.abs(other.sums[places] - whole.sums[:200]).max()),
    }


def plain(rows: Sequence[Trial]) -> dict[str, list[float]]:
    """The ledger's columns by lesson, as a plain loop over the rows adds them up."""
    past: dict[str, list[float]] = {}
    everything = [0.0, 0.0]
    sums: dict[str, list[float]] = {}
    by_round: dict[int, list[Trial]] = {}
    for row in rows:
        by_round.setdefault(row.round, []).append(row)
    for number in sorted(by_round):
        strata: dict[tuple[str, float], list[tuple[float, float]]] = {}
        mean = everything[1] / everything[0] if everything[0] else 0.0
        for row in by_round[number]:
            found = sums.setdefault(row.lesson, [0.0] * 11)
            if row.outcome is None:
                found[4] += 1
                continue
            found[5] += row.tokens if row.inside else 0
            found[0 if row.inside else 1] += 1
            found[2 if row.inside else 3] += row.outcome
            n, total = past.get(row.unit, (0.0, 0.0))
            left = row.outcome - (2.0 * mean + total) / (2.0 + n)
            strata.setdefault((row.lesson, row.chance), []).append((float(row.inside), left))
        for (name, _), seen in strata.items():
            _stratum(sums[name], seen)
        for row in by_round[number]:
            if row.outcome is not None:
                for held in (past.setdefault(row.unit, [0.0, 0.0]), everything):
                    held[0] += 1
                    held[1] += row.outcome
    return sums


def _stratum(sums: list[float], seen: Sequence[tuple[float, float]]) -> None:
    n = len(seen)
    share, mean = sum(z for z, _ in seen) / n, sum(left for _, left in seen) / n
    score = sum((z - share) * (left - mean) for z, left in seen)
    spread = sum((z - share) ** 2 for z, _ in seen)
    scale = spread / max(n - 1, 1)
    spent = sum((left - mean) ** 2 for _, left in seen)
    for place, value in enumerate((score, spread, scale * spent, scale * score, scale * spread)):
        sums[6 + place] += value


def _seconds(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _span(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures as JSON; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.effect")
    parser.add_argument("--seeds", type=_span, default=range(200))
    parser.add_argument("--aa-seeds", type=_span, default=range(1000))
    parser.add_argument("--episodes", type=int, default=20_000)
    parser.add_argument("--look", type=int, default=500)
    parser.add_argument("--base", type=float, default=0.5)
    parser.add_argument("--withhold", type=float, default=0.2)
    parser.add_argument("--offered", type=int, default=2)
    parser.add_argument("--speed", action="store_true", help="only how fast it is")
    given = parser.parse_args(arguments)
    if given.speed:
        print(json.dumps({"speed": speed()}, indent=2))
        return 0
    world = World(PLANTED, given.episodes, given.look, given.base, given.withhold, given.offered)
    nothing = world._replace(effects=(0.0,) * len(PLANTED))
    figures = {"planted": planted(world, given.seeds), "aa": null(nothing, given.aa_seeds)}
    few = given.aa_seeds[: max(1, len(given.aa_seeds) // 5)]
    for base in (0.05, 0.95):
        hard = nothing._replace(base=base, look=32, episodes=given.episodes // 4)
        figures[f"aa at {base}, rounds of 32"] = null(hard, few)
    print(json.dumps(figures | {"speed": speed()}, indent=2))
    met = figures["planted"]["good"] >= BARS["good"]
    met &= figures["planted"]["covered"] >= BARS["covered"]
    met &= all(
        max(f["helps"], f["harms"]) <= f["bar"] for name, f in figures.items() if name[:2] == "aa"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

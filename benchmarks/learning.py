"""What the offline model learns on the built-in tasks, beside its controls, seed by seed.

    python -m benchmarks.learning --seeds 10-14 --instances 100 --task gridnav-v1

It prints the bars of each task and whether each seed, and all seeds together, clear them. A method
that learns from other instances is read at its first attempts on the test split, so its difference
is from the first trial of `retry`, whose own rate is of all its trials. One instance has no
interval, so no bar can be looked at. The figures test the loop; they say nothing about language
models.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import verbalrl as vrl
from verbalrl.methods import Method
from verbalrl.text import plural

MODEL = "offline:apprentice"

Held = dict[str, bool]
"""By bar, whether it is cleared."""


def seeds(text: str) -> tuple[int, ...]:
    """`3`, `0,2,5` or `10-14` as seeds."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def run(task: Any, method: Any, instances: int, chosen: Sequence[int], model: str = MODEL) -> Any:
    """The figures of one run over all its seeds, in a store of its own."""
    learner = vrl.Learner(vrl.ChatAgent(model), method=method)
    return learner.run_sync(task, instances=instances, seeds=tuple(chosen)).figures


def gridnav_bars(arms: dict[str, Any]) -> dict[str, bool]:
    """The bars of `gridnav-v1` under reflexion."""
    retry, versus = arms["retry"], arms["learned"]["vs_retry"]
    by_trial = retry["success_by_trial"]
    return {
        "learned - retry >= 0.15": versus["diff"] >= 0.15,
        "lower end > 0.08": versus["ci95"][0] > 0.08,
        "0.15 <= retry <= 0.7": 0.15 <= by_trial[-1] <= 0.7,
        "retry gains >= 0.05": by_trial[-1] - by_trial[0] >= 0.05,
    }


def triage_bars(arms: dict[str, Any]) -> dict[str, bool]:
    """The bars of `triage-v1` under the handbook."""
    gain = arms["learned"]["success_rate"] - arms["none"]["success_rate"]
    return {"learned - none >= 0.3": gain >= 0.3}


def instance_bars(arms: dict[str, Any]) -> dict[str, bool]:
    """What is learned per instance must solve more by the last trial than trying again."""
    learned, retry = arms["learned"], arms["retry"]
    return {"intervals of learned and retry apart": learned["ci95"][0] > retry["ci95"][1]}


def household_bars(arms: dict[str, Any]) -> dict[str, bool]:
    """The bar of `household-v1`, where little is learned in five trials: the paired difference."""
    return {"lower end of learned - retry > 0.05": arms["learned"]["vs_retry"]["ci95"][0] > 0.05}


def shared_bars(arms: dict[str, Any]) -> dict[str, bool]:
    """What is learned from other instances must solve more than knowing nothing."""
    learned, none = arms["learned"], arms["none"]
    return {"intervals of learned and none apart": learned["ci95"][0] > none["ci95"][1]}


class Case(NamedTuple):
    """A task with the method that it is measured under."""

    method: Callable[[], Method]
    instances: int
    bars: Callable[[dict[str, Any]], dict[str, bool]]


CASES = {
    "gridnav-v1": Case(vrl.methods.reflexion, 100, gridnav_bars),
    "triage-v1": Case(vrl.methods.handbook, 60, triage_bars),
    "household-v1": Case(vrl.methods.reflexion, 48, household_bars),
    "wordle-v1": Case(vrl.methods.reflexion, 60, instance_bars),
    "twenty-questions-v1": Case(vrl.methods.reflexion, 60, instance_bars),
    "clarify-v1": Case(vrl.methods.handbook, 60, shared_bars),
    "car-dealer-v1": Case(vrl.methods.handbook, 60, shared_bars),
}


def held_of(arms: dict[str, Any], bars: Callable[[dict[str, Any]], dict[str, bool]]) -> Held | None:
    """Which bars are held; None where some arm has no interval to look at."""
    spans = [arm["ci95"] for arm in arms.values()] + [arms["learned"]["vs_retry"]["ci95"]]
    return bars(arms) if all(spans) else None


def _span(pair: Sequence[float] | None, form: str) -> str:
    return "" if pair is None else f" [{pair[0]:{form}}, {pair[1]:{form}}]"


def _rate(name: str, arm: dict[str, Any]) -> str:
    return f"{name} {arm['success_rate']:.3f}{_span(arm['ci95'], '.3f')}"


def _gain(arms: dict[str, Any]) -> str:
    versus = arms["learned"]["vs_retry"]
    tried = len(arms["retry"]["success_by_trial"])
    of = "retry's first trial" if versus["trial"] == 1 < tried else "retry"
    return f"vs {of} {versus['diff']:+.3f}{_span(versus['ci95'], '+.3f')}"


def _verdict(held: Held | None) -> str:
    if held is None:
        return "no bar looked at: one instance has no interval; give --instances 2 or more"
    missed = [bar for bar, cleared in held.items() if not cleared]
    return f"MISSED: {'; '.join(missed)}" if missed else "all bars cleared"


def line(label: str, arms: dict[str, Any], held: Held | None) -> str:
    """One line of the report."""
    rates = "  ".join(_rate(name, arm) for name, arm in arms.items())
    return f"{label:>10}  {rates}  {_gain(arms)}  {_verdict(held)}"


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per seed and one for all; 1 unless all seeds together clear every bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds, default=(0, 1, 2))
    parser.add_argument("--instances", type=int, help="test or reflexion instances")
    parser.add_argument("--task", choices=tuple(CASES), action="append")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--model", default=MODEL)
    given = parser.parse_args(arguments)
    missed = False
    for name in given.task or CASES:
        method, default, bars = CASES[name]
        task, count = vrl.load_task(name, task_seed=given.task_seed), given.instances or default
        print(f"{name} · {method().name} · {given.model} · {plural(count, 'instance')} (simulated)")
        for seed in given.seeds if len(given.seeds) > 1 else ():
            arms = run(task, method(), count, (seed,), given.model)["arms"]
            print(line(f"seed {seed}", arms, held_of(arms, bars)), flush=True)
        arms = run(task, method(), count, given.seeds, given.model)["arms"]
        held = held_of(arms, bars)
        missed = missed or held is None or not all(held.values())
        print(line("all seeds", arms, held), flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The figures of a run (design section 13): pure functions from outcomes to rates and intervals.

What this does not do: resample episodes as if they were independent, infer success from rewards,
or drop episodes that broke. An error is a failure in rates; an unknown success is left out of them
and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from .. import markup
from ..records import Record, RewardSupplier, Split, Usage
from ..stats import (
    Interval,
    interval,
    mean_by_instance,
    paired_chance,
    paired_difference,
    shown_by,
)
from .curves import Curve, Point, known_curves
from .marks import roles_of, versus_head
from .plots import learning_curves
from .table import table
from .trading import trading_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LISTED = 5
"""Kinds of failure that the figures name."""

Key = tuple[str, int]
"""(instance, seed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What figures need of one episode."""

    arm: str
    seed: int
    instance: str
    split: Split
    trial: int
    purpose: str
    success: bool | None
    cut: bool = False
    """A limit of the run or of the environment ended it."""
    idle: bool = False
    """It was cut before the first action."""
    failed: bool
    failure: str = ""
    """`kind: message`, where it failed."""
    lacking: bool = False
    """Words stood in for a model that did not say whether lessons apply."""
    reward: float | None
    injected_tokens: int = 0


class ArmFacts(Record):
    """What figures need of one arm beside its outcomes."""

    usage: dict[str, Usage] = {}
    """By role, over all seeds."""
    memory_digest: dict[str, str] = {}
    """By seed."""
    episodes_digest: dict[str, str] = {}
    critiques: dict[str, JsonValue] = {}
    lessons: dict[str, int] = {}
    """By status."""
    oracle_selected: bool = False
    """Whether rewards chose among its candidates."""
    citations: dict[str, JsonValue] = {}
    """What agents say of the lessons that they were shown, and how much they write."""
    team: dict[str, JsonValue] = {}


class RunFacts(Record):
    """What figures need of a run."""

    run: str
    task: str
    method: str
    model: str
    simulated: bool
    simulated_by: tuple[str, ...] = ()
    """The models for tests that answered."""
    learns: str
    trials: int
    seeds: tuple[int, ...]
    train: int
    test: int
    reported: Split
    test_rows: int = 0
    """How many of `train` are rows of the test split: some methods read both splits alike."""
    supplier: RewardSupplier = RewardSupplier.ENVIRONMENT
    wall_s: float = 0.0
    stop_reason: str = ""
    status: str = "done"
    discarded: int = 0
    """Pieces of work whose journal no longer fitted and that were done again."""
    leaks: tuple[str, ...] | None = None
    """Lessons with words of test instances alone; None where there is no test split."""


class RunResult(Record):
    """The figures of a run; `figures` is what `run --json` prints."""

    figures: dict[str, JsonValue]

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.figures["run"])

    @property
    def arms(self) -> dict[str, Any]:
        """The figures by arm."""
        arms = self.figures["arms"]
        return dict(arms) if isinstance(arms, dict) else {}

    def success_by_trial(self, arm: str = "learned") -> tuple[float, ...]:
        """The share of all instances solved at or before each trial."""
        return tuple(self.arms[arm]["success_by_trial"])

    def table(self) -> str:
        """The arms side by side, as plain text."""
        return table(self.figures)

    def plot(self) -> Figure:
        """The learning curves as a figure of matplotlib (extra `report`); notebooks show it.

        The interval is that of the last trial; `verbalrl report` has those of every trial.
        """
        return learning_curves(known_curves(self.figures))

    def _repr_html_(self) -> str:
        heads = ("arm", "success", "95 %", versus_head(self.arms), "95 %", "episodes", "errors")
        rows = [_shown(name, arm) for name, arm in self.arms.items()]
        title = f"{self.figures['task']} · {self.figures['method']} · {self.figures['model']}"
        lines = table({**self.figures, "trading": None}).splitlines()[1 + 1 + len(rows) :]
        below = "".join(map(markup.paragraph, lines)) + trading_html(self.figures)
        return markup.table(f"{title} · {self.run}", heads, rows) + below


def summarise(
    facts: RunFacts, outcomes: Sequence[Outcome], arms: Mapping[str, ArmFacts]
) -> RunResult:
    """The figures of a run from its outcomes."""
    outcomes = judged(outcomes)
    by_arm = {name: [o for o in outcomes if o.arm == name] for name in arms}
    retry = by_arm.get("retry")
    figures: dict[str, JsonValue] = {
        "run": facts.run,
        "task": facts.task,
        "method": facts.method,
        "model": facts.model,
        "simulated": facts.simulated,
        "simulated_by": list(facts.simulated_by),
        "seeds": list(facts.seeds),
        "split": _split(facts),
        "reward_from": facts.supplier.value,
        "arms": {name: _arm(facts, name, by_arm[name], retry, arms[name]) for name in arms},
        "failures": _failures(outcomes),
        "discarded": facts.discarded,
        "leaks": None
        if facts.leaks is None
        else {"count": len(facts.leaks), "ids": list(facts.leaks)},
        "memory_digest": _first(arms, facts),
        "wall_s": round(facts.wall_s, 3),
        "status": facts.status,
        "stop_reason": facts.stop_reason,
    }
    return RunResult(figures=figures)


def judged(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """`outcomes`, where whoever was cut short has not succeeded, though nobody judged it.

    As unknown it would be left out of the rates, and being slow would raise them. Where no episode
    at all was judged, the task has no success: then only those that never acted have failed.
    """
    judges = any(o.success is not None for o in outcomes if o.purpose == "attempt")
    return [
        replace(o, success=False) if o.success is None and (o.idle or (o.cut and judges)) else o
        for o in outcomes
    ]


def curves(figures: Mapping[str, Any], outcomes: Sequence[Outcome]) -> tuple[Curve, ...]:
    """The curves of the arms of `figures`, with the intervals that `outcomes` give."""
    split: Split = "test" if figures["split"]["reported"] == "test" else "train"
    told = judged(outcomes)
    found = []
    for arm, facts in figures["arms"].items():
        mine = [o for o in told if o.arm == arm]
        trials = len(facts["success_by_trial"])
        points = [_point(mine, split, k) for k in range(1, trials + 1)]
        found.append(Curve(arm=arm, points=tuple(p for p in points if p is not None)))
    return tuple(curve for curve in found if curve.points)


def _point(outcomes: Sequence[Outcome], split: Split, trial: int) -> Point | None:
    found = interval(list(mean_by_instance(solved_by(outcomes, split, trial)).values()))
    if found is None:
        return None
    low, high = found.pair or (None, None)
    return Point(trial=trial, mean=_figure(found.mean), low=low, high=high, n=found.n)


def finished(facts: RunFacts, arm: str, outcomes: Sequence[Outcome]) -> frozenset[str]:
    """The instances with which `arm` is through in all seeds: solved, or out of trials.

    In a run that is done, those are all; a method may have stopped before the last trial.
    """
    trials = _trials(facts, arm)
    keys = {
        (o.instance, o.seed)
        for o in _attempts(outcomes, facts.reported)
        if facts.status == "done" or o.success is True or o.trial >= trials
    }
    counts = Counter(instance for instance, _ in keys)
    return frozenset(i for i, n in counts.items() if n == len(facts.seeds))


def _split(facts: RunFacts) -> JsonValue:
    """How many instances of each split there were, and of which the success is reported."""
    if facts.test_rows:
        return {
            "train": facts.train - facts.test_rows,
            "test": facts.test_rows,
            "reported": "all",
        }
    return {"train": facts.train, "test": facts.test, "reported": facts.reported}


def solved_by(outcomes: Sequence[Outcome], split: Split, trial: int) -> dict[Key, float]:
    """1 or 0 by (instance, seed): solved at or before `trial`.

    An instance is left out until a trial of it is judged: later ones say nothing of earlier ones.
    """
    solved: dict[Key, float] = {}
    told: set[Key] = set()
    untold: set[Key] = set()
    for o in _attempts(outcomes, split):
        key, known = (o.instance, o.seed), o.success is not None or o.failed
        if known:
            hit = o.success is True and not o.failed and o.trial <= trial
            solved[key] = max(solved.get(key, 0.0), float(hit))
        if o.trial <= trial:
            (told if known else untold).add(key)
    return {key: hit for key, hit in solved.items() if key in told or key not in untold}


def _attempts(outcomes: Sequence[Outcome], split: Split) -> list[Outcome]:
    return [o for o in outcomes if o.purpose == "attempt" and o.split == split]


def _trials(facts: RunFacts, arm: str) -> int:
    if arm in ("none", "best_of_n") or (facts.learns == "shared" and arm != "retry"):
        return 1
    return facts.trials


def _arm(
    facts: RunFacts,
    name: str,
    outcomes: Sequence[Outcome],
    retry: Sequence[Outcome] | None,
    arm: ArmFacts,
) -> dict[str, JsonValue]:
    split, trials = facts.reported, _trials(facts, name)
    read = _attempts(outcomes, split)
    rates = [
        interval(list(mean_by_instance(solved_by(outcomes, split, k)).values()))
        for k in range(1, trials + 1)
    ]
    last = rates[-1]
    return {
        "episodes": len(outcomes),
        "errors": sum(o.failed for o in outcomes),
        "lacking": sum(o.lacking and not o.failed for o in outcomes),
        "unknown": sum(o.success is None and not o.failed for o in read),
        "instances": last.n if last else 0,
        "finished": len(finished(facts, name, outcomes)),
        "planned": _planned(facts),
        "success_rate": _figure(last.mean) if last else None,
        "ci95": _pair(last),
        "success_by_trial": [_figure(r.mean) if r else None for r in rates],
        "solved_by_trial": [
            int(sum(solved_by(outcomes, split, k).values())) for k in range(1, trials + 1)
        ],
        "reward_by_trial": [_reward(read, k) for k in range(1, trials + 1)],
        "oracle_stopped": name == "retry" and facts.learns == "shared",
        "oracle_selected": arm.oracle_selected,
        "vs_retry": _versus(facts, name, outcomes, retry),
        "tokens": {role: _tokens(arm.usage.get(role, Usage())) for role in roles_of(arm.usage)},
        "injected_tokens": sum(o.injected_tokens for o in outcomes),
        "cost_usd": _cost(arm.usage),
        "memory_digest": dict(arm.memory_digest),
        "episodes_digest": dict(arm.episodes_digest),
        "critiques": dict(arm.critiques),
        "citations": dict(arm.citations),
        "lessons": dict(arm.lessons),
        **({"team": dict(arm.team)} if arm.team else {}),
    }


def _shown(name: str, arm: Mapping[str, Any]) -> tuple[object, ...]:
    """An arm as a row of a notebook."""
    versus = arm.get("vs_retry") or {}
    pairs = [str(pair) if pair else None for pair in (arm["ci95"], versus.get("ci95"))]
    rates = (arm["success_rate"], pairs[0], versus.get("diff"), pairs[1])
    return (name, *rates, arm["episodes"], arm["errors"])


def _versus(
    facts: RunFacts, name: str, outcomes: Sequence[Outcome], retry: Sequence[Outcome] | None
) -> JsonValue:
    if retry is None or name in ("none", "retry"):
        return None
    trial = 1 if facts.learns == "shared" else facts.trials
    split = facts.reported
    # An instance that one arm is not through with may still be solved there.
    both = finished(facts, name, outcomes) & finished(facts, "retry", retry)
    ours, theirs = (
        {key: hit for key, hit in solved_by(found, split, trial).items() if key[0] in both}
        for found in (outcomes, retry)
    )
    difference, chance = paired_difference(ours, theirs), paired_chance(ours, theirs)
    if difference is None or chance is None:
        return None
    return {
        "trial": trial,
        "diff": _figure(difference.mean),
        "ci95": _pair(difference),
        "p": round(chance, 6),
        "shows": shown_by(difference.mean, chance),
        "n": difference.n,
        "of": _planned(facts),
        "partial": len(both) < _planned(facts) and facts.status != "done",
    }


def _planned(facts: RunFacts) -> int:
    """The instances that every arm is read on."""
    return facts.train if facts.reported == "train" else facts.test


def _failures(outcomes: Sequence[Outcome]) -> JsonValue:
    """The commonest failures of episodes, with their counts."""
    counts = Counter(o.failure or "unknown" for o in outcomes if o.failed)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"failure": failure, "count": count} for failure, count in ranked[:_LISTED]]


def _reward(attempts: Sequence[Outcome], trial: int) -> float | None:
    """The mean over instances and seeds of the last reward at or before `trial`."""
    last: dict[Key, tuple[int, float]] = {}
    for o in attempts:
        if o.reward is not None and o.trial <= trial:
            key = (o.instance, o.seed)
            last[key] = max(last.get(key, (0, 0.0)), (o.trial, o.reward))
    values = [reward for _, (_, reward) in sorted(last.items())]
    return _figure(sum(values) / len(values)) if values else None


def _tokens(usage: Usage) -> dict[str, JsonValue]:
    return {
        "input": usage.input + usage.cache_write,
        "cached": usage.cache_read,
        "output": usage.output,
        "calls": usage.calls,
        "reused": usage.reused,
    }


def _cost(usage: Mapping[str, Usage]) -> float | None:
    cost = sum(usage.values(), Usage()).cost_usd
    return None if cost is None else round(cost, 6)


def _first(arms: Mapping[str, ArmFacts], facts: RunFacts) -> str | None:
    learned = arms.get("learned")
    return learned.memory_digest.get(str(facts.seeds[0])) if learned and facts.seeds else None


def _figure(value: float) -> float:
    return round(value, 4)


def _pair(found: Interval | None) -> JsonValue:
    return list(found.pair) if found and found.pair else None

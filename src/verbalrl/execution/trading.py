"""Figures of a run on a task that is traded: what each arm earned and risked, beside controls.

Nothing here knows a task by name: whatever has a world with a desk is traded, and what an episode
came to is worked out again from the decisions that its steps hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from ..records import Episode, Instance
from ..stats import interval, mean_by_instance
from ..store import Store
from ..tasks import Task
from ..tasks import trading_paths as paths
from ..tasks.trading_controls import CONTROLS, Traded
from ..tasks.trading_paths import MEASURES, Path, Period
from .plan import RunPlan

BASE = "buy-and-hold"
_RANDOM = "random"
ALERTS = "cvar"
"""The author of the notes that the control within an episode writes."""


class _Arm(NamedTuple):
    """What an arm traded."""

    paths: dict[Period, Path]
    """The runs that reached the end of their period."""
    cut: int
    """How many did not, and are left out."""
    first: Episode | None
    """The first whole one, in the order of instances and seeds."""


def beside(
    budget: Mapping[str, Any] | None, store: Store, task: Task, plan: RunPlan, run: str
) -> dict[str, Any]:
    """What a result holds beside its arms: its budget and what was traded, as far as there are."""
    more = {"budget": budget, "trading": trading_figures(store, task, plan, run)}
    return {name: found for name, found in more.items() if found}


def trading_figures(store: Store, task: Task, plan: RunPlan, run: str) -> dict[str, Any] | None:
    """What `run --json` says under `trading`; None where the task is not traded.

    Read are the episodes whose success is reported: first attempts on the test split under a
    method that learns shared lessons, last attempts under any other.
    """
    world = paths.world_of(task)
    if world is None:
        return None
    arms = {arm: _arm(store, world, plan, run, arm) for arm in plan.arms}
    done = {key for found in arms.values() for key in found.paths}
    controls = {name: _control(world, plan, name, done) for name in CONTROLS}
    returns = {name: _returns(found.paths) for name, found in arms.items()}
    base = _returns(controls[BASE])
    every = {name: found.paths for name, found in arms.items()} | controls
    return {
        "periods": len(plan.read),
        "days": max((len(p.results) for p in controls[BASE].values()), default=0),
        "assets": list(world.desk(plan.read[0]).market.names) if plan.read else [],
        "cost": world.desk(plan.read[0]).terms.cost if plan.read else 0.0,
        "arms": {
            name: {
                **_measured(found.paths),
                "left_out": found.cut,
                "vs_none": None
                if name == "none"
                else paths.paired(returns[name], returns.get("none", {})),
                "vs_buy_and_hold": paths.paired(returns[name], base),
                "returns": [[*key, value] for key, value in sorted(returns[name].items())],
            }
            for name, found in arms.items()
        },
        "controls": {name: _measured(found) for name, found in controls.items()},
        "capital": {name: _by_day(found, paths.capital) for name, found in every.items()},
        "drawdown": {name: _by_day(found, paths.drawdowns) for name, found in every.items()},
        "shown": {name: _shown(world, plan, found) for name, found in arms.items() if found.first},
    }


def _arm(store: Store, world: Traded, plan: RunPlan, run: str, arm: str) -> _Arm:
    order = {instance.id: place for place, instance in enumerate(plan.read)}
    found: dict[Period, Path] = {}
    cut, first = 0, None
    bare = store.episodes(run=run, arm=arm, purpose="attempt", steps=False)
    read = _read(bare, plan)
    for key in sorted(read, key=lambda key: (order[key[0]], key[1])):
        # One at a time: the steps of a run of years do not fit into memory.
        episode = store.episode(read[key])
        path = None if episode is None else _path(world, plan.read[order[key[0]]], episode)
        if path is None:
            cut += 1
        else:
            found[key] = path
            first = first or episode
    return _Arm(found, cut, first)


def _read(episodes: Iterable[Episode], plan: RunPlan) -> dict[Period, str]:
    """By run, the id of the attempt that counts."""
    known = {instance.id for instance in plan.read}
    first_only = plan.method.learns != "instance"
    # They come in the order of trials, so the last one stays.
    return {
        (e.instance, e.seed): e.id
        for e in episodes
        if e.spec.split == plan.reported
        and e.instance in known
        and (e.trial == 1 or not first_only)
    }


def _path(world: Traded, instance: Instance, episode: Episode) -> Path | None:
    decided = [step.action.text for step in episode.trajectory.steps]
    path = paths.walked(world.desk(instance), decided)
    return path if path.whole and episode.failure is None else None


def _control(world: Traded, plan: RunPlan, name: str, done: set[Period]) -> dict[Period, Path]:
    """The control in every run that some arm has done; in all of them, where none has any.

    But for `random` the seeds of a period are alike, and it is traded once.
    """
    made: dict[Period, Path] = {}
    for instance in plan.read:
        alike: Path | None = None
        for seed in plan.seeds:
            key = (instance.id, seed)
            if done and key not in done:
                continue
            if alike is None or name == _RANDOM:
                alike = paths.controlled(name, world, instance, seed)
            made[key] = alike
    return made


def _returns(found: Mapping[Period, Path]) -> dict[Period, float]:
    return {key: paths.measures(path)["compounded"] for key, path in found.items()}


def _measured(found: Mapping[Period, Path]) -> dict[str, JsonValue]:
    """Each measure as the mean over the seeds of a period, then over periods; not rounded."""
    by_run = {key: paths.measures(path) for key, path in found.items()}
    made: dict[str, JsonValue] = {"runs": len(found)}
    for name in MEASURES:
        means = mean_by_instance({key: values[name] for key, values in by_run.items()})
        made[name] = math.fsum(means.values()) / len(means) if means else None
        if name == "compounded":
            spread = interval(list(means.values()), None)
            made["ci95"] = [spread.low, spread.high] if spread and spread.pair else None
    return made


def _by_day(found: Mapping[Period, Path], of: Any) -> list[float]:
    return [round(v, 6) for v in paths.mean_by_day(of(path.results) for path in found.values())]


def _shown(world: Traded, plan: RunPlan, found: _Arm) -> dict[str, JsonValue]:
    """The first episode of an arm day by day: what it held, and when it was alerted."""
    episode = found.first
    assert episode is not None
    instance = next(i for i in plan.read if i.id == episode.instance)
    desk, path = world.desk(instance), found.paths[episode.instance, episode.seed]
    alerts = [
        step.n for step in episode.trajectory.steps if any(n.author == ALERTS for n in step.notes)
    ]
    last = desk.first + len(path.results)
    return {
        "episode": episode.id,
        "instance": episode.instance,
        "seed": episode.seed,
        "days": list(desk.market.days[desk.first : last]),
        "weights": [[round(w, 6) for w in day] for day in path.weights],
        "alerts": list[JsonValue](alerts),
    }

"""`verbalrl episodes`: the attempts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from ...records import SERVE, SERVED, Episode, Usage
from ...store import Store
from ..options import branch_options, reader
from ..output import emit_json, heading, plural, table
from ..reading import (
    MAIN,
    check_instance,
    check_known,
    find_run,
    instance_matches,
    opened,
)
from ..telling import episode_state

_HEADS = ("episode", "arm", "seed", "instance", "trial", "outcome", "reward", "ended", "tokens")
_ARM, _SEED, _INSTANCE = 1, 2, 3


@click.command()
@click.option("--failed", is_flag=True, help="Only those that failed or broke.")
@click.option("--instance", metavar="I", help="Only of this instance: its id, or the end of it.")
@click.option("--seed", type=int, metavar="N", help="Only of this seed.")
@click.option("--arm", metavar="ARM", help="Only of this arm.")
@branch_options("all arms and seeds")
@reader
def episodes(store: Path, as_json: bool, **asked: Any) -> None:
    """List the episodes of a run.

    Without --run or --branch: of the latest run, all arms and seeds; where the latest was recorded
    while serving, all that was served, as with --branch main.
    """
    with opened(store) as kept:
        where, found = _read(kept, asked)
        if "run" in where:
            if not found:
                _check_known(kept, where)
            check_instance(kept, where["run"], asked["instance"])
        states = {s.episode: s.state for s in kept.all_served()} if _are_served(found) else {}
    found = [e for e in found if instance_matches(e.instance, asked["instance"])]
    if asked["failed"]:
        found = [e for e in found if e.success is False or e.status != "finished"]
    if as_json:
        emit_json({"store": str(store), **where, "episodes": [_summary(e, states) for e in found]})
        return
    _tell(f"run {where['run']}" if "run" in where else "served", found, states)


def _are_served(found: Sequence[Episode]) -> bool:
    return any(episode.arm == SERVED for episode in found)


def _tell(title: str, found: Sequence[Episode], states: Mapping[str, str]) -> None:
    """The table; what all rows share stands once in the heading, so that names stay whole."""
    title = f"{title}: {plural(len(found), 'episode')}"
    if not found:
        heading(title)
        return
    place = shared_place([episode.instance for episode in found])
    rows = [_row(episode, len(place), states) for episode in found]
    same = [n for n in (_ARM, _SEED) if len({row[n] for row in rows}) == 1]
    said = [f"{_HEADS[n]} {rows[0][n]}" for n in same] + ([f"instances {place}…"] if place else [])
    heading(", ".join([title, *said]))
    shown = [n for n in range(len(_HEADS)) if n not in same]
    table(
        [_HEADS[n] for n in shown],
        [[row[n] for n in shown] for row in rows],
        flexible=shown.index(_INSTANCE),
    )


def shared_place(names: Sequence[str]) -> str:
    """The path with which all `names` begin: `gridnav-v1/train/`; empty when there is none."""
    columns = zip(*(name.split("/")[:-1] for name in names), strict=False)
    shared = takewhile(lambda parts: len(set(parts)) == 1, columns)
    return "".join(f"{parts[0]}/" for parts in shared)


def _read(store: Store, asked: dict[str, Any]) -> tuple[dict[str, Any], list[Episode]]:
    where: dict[str, Any] = {"arm": asked["arm"], "seed": asked["seed"]}
    if asked["branch"] is not None:
        if asked["run"] is not None:
            raise click.UsageError("give --branch or --run, not both")
        branch = store.branch(asked["branch"])
        if branch.run is None:
            served = list(store.episodes(arm=SERVED, steps=False))
            if not served:
                raise click.UsageError(f"no episodes ran on branch {branch.id!r}; give --run")
            return {"branch": branch.id}, served
        given = {"arm": branch.arm, "seed": branch.seed}
        where = {key: given[key] if value is None else value for key, value in where.items()}
        where["run"] = branch.run
    else:
        run = find_run(store, asked["run"])
        if run.method == SERVE and asked["run"] is None:
            return {"branch": MAIN}, list(store.episodes(arm=SERVED, steps=False))
        where["run"] = run.id
    return where, list(store.episodes(**where, steps=False))


def _check_known(store: Store, where: dict[str, Any]) -> None:
    """Raise `UnknownNameError` for an arm or a seed that the run has not."""
    branches = store.branches(where["run"])
    for name in ("arm", "seed"):
        if where[name] is not None:
            known = {str(getattr(branch, name)) for branch in branches}
            check_known(name, str(where[name]), known)


def _row(episode: Episode, cut: int, states: Mapping[str, str]) -> tuple[object, ...]:
    reward = episode.reward.value
    return (
        episode.id,
        episode.arm,
        episode.seed,
        episode.instance[cut:],
        episode.trial,
        # What broke stands under `ended`.
        "error" if episode.failure is not None else episode_state(episode),
        None if reward is None else f"{reward:g}",
        states.get(episode.id, episode.stop_reason.value),
        sum(episode.usage.values(), Usage()).total,
    )


def _summary(episode: Episode, states: Mapping[str, str]) -> dict[str, Any]:
    kept = episode.model_dump(mode="json", exclude={"trajectory", "guidance"})
    if episode.id in states:
        kept["state"] = states[episode.id]
    return {**kept, "branch": episode.branch, "instance": episode.instance, "trial": episode.trial}

"""`verbalrl episodes`: the attempts of a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import click

from ...records import Episode, Usage
from ...store import Store
from ..options import branch_options, reader
from ..output import emit_json, heading, plural, table
from ..reading import check_instance, check_known, find_run, instance_matches, opened
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

    Without --run or --branch: of the latest run, all arms and seeds.
    """
    with opened(store) as kept:
        where, found = _read(kept, asked)
        if not found:
            _check_known(kept, where)
        check_instance(kept, where["run"], asked["instance"])
    found = [e for e in found if instance_matches(e.instance, asked["instance"])]
    if asked["failed"]:
        found = [e for e in found if e.success is False or e.status != "finished"]
    if as_json:
        emit_json({"store": str(store), **where, "episodes": [_summary(e) for e in found]})
        return
    _tell(where["run"], found)


def _tell(run: str, found: Sequence[Episode]) -> None:
    """The table; what all rows share stands once in the heading, so that names stay whole."""
    title = f"run {run}: {plural(len(found), 'episode')}"
    if not found:
        heading(title)
        return
    place = shared_place([episode.instance for episode in found])
    rows = [_row(episode, len(place)) for episode in found]
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
            raise click.UsageError(f"no episodes ran on branch {branch.id!r}; give --run")
        given = {"arm": branch.arm, "seed": branch.seed}
        where = {key: given[key] if value is None else value for key, value in where.items()}
        where["run"] = branch.run
    else:
        where["run"] = find_run(store, asked["run"]).id
    return where, list(store.episodes(**where, steps=False))


def _check_known(store: Store, where: dict[str, Any]) -> None:
    """Raise `UnknownNameError` for an arm or a seed that the run has not."""
    branches = store.branches(where["run"])
    for name in ("arm", "seed"):
        if where[name] is not None:
            known = {str(getattr(branch, name)) for branch in branches}
            check_known(name, str(where[name]), known)


def _row(episode: Episode, cut: int) -> tuple[object, ...]:
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
        episode.stop_reason.value,
        sum(episode.usage.values(), Usage()).total,
    )


def _summary(episode: Episode) -> dict[str, Any]:
    kept = episode.model_dump(mode="json", exclude={"trajectory", "guidance"})
    return {**kept, "branch": episode.branch, "instance": episode.instance, "trial": episode.trial}

"""`verbalrl episodes`: the attempts of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import Episode, Usage
from ...store import Store
from ..options import branch_options, reader
from ..output import emit_json, heading, plural, table
from ..reading import find_run, instance_matches, opened
from ..telling import episode_state

_HEADS = ("episode", "arm", "seed", "instance", "trial", "outcome", "reward", "ended", "tokens")


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
    found = [e for e in found if instance_matches(e.instance, asked["instance"])]
    if asked["failed"]:
        found = [e for e in found if e.success is False or e.status != "finished"]
    if as_json:
        emit_json({"store": str(store), **where, "episodes": [_summary(e) for e in found]})
        return
    heading(f"run {where['run']}: {plural(len(found), 'episode')}")
    if found:
        table(_HEADS, [_row(episode) for episode in found], flexible=3)


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


def _row(episode: Episode) -> tuple[object, ...]:
    reward = episode.reward.value
    return (
        episode.id,
        episode.arm,
        episode.seed,
        episode.instance,
        episode.trial,
        episode_state(episode),
        None if reward is None else f"{reward:g}",
        episode.stop_reason.value,
        sum(episode.usage.values(), Usage()).total,
    )


def _summary(episode: Episode) -> dict[str, Any]:
    kept = episode.model_dump(mode="json", exclude={"trajectory", "guidance"})
    return {**kept, "branch": episode.branch, "instance": episode.instance, "trial": episode.trial}

"""`verbalrl critiques`: what critics said, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import SERVE, Critique
from ...store import Store
from ..options import branch_options, reader
from ..output import emit_json, heading
from ..reading import MAIN, check_instance, find_run, instance_matches, opened
from ..telling import refusals, tell_critique


@click.command()
@click.option("--instance", metavar="I", help="Only of this instance: its id, or the end of it.")
@click.option(
    "--status",
    type=click.Choice(["accepted", "refused", "failed"]),
    help="Only those of this status.",
)
@branch_options("all arms and seeds")
@reader
def critiques(store: Path, as_json: bool, **asked: Any) -> None:
    """List critiques, with the reason of a refusal.

    Without --run or --branch: of the latest run, all arms and seeds.
    """
    with opened(store) as kept:
        where, found = _read(kept, asked)
        run = where.get("run") or kept.branch(where["branch"]).run
        check_instance(kept, run, asked["instance"])
    found = tuple(c for c in found if instance_matches(c.instance, asked["instance"]))
    if as_json:
        listed = [c.model_dump(mode="json", exclude={"raw"}) for c in found]
        emit_json({"store": str(store), **where, "critiques": listed})
        return
    heading(f"{' '.join(str(v) for pair in where.items() for v in pair)}: {refusals(found)}")
    for critique in found:
        tell_critique(critique)


def _read(store: Store, asked: dict[str, Any]) -> tuple[dict[str, str], tuple[Critique, ...]]:
    if asked["branch"] is not None and asked["run"] is not None:
        raise click.UsageError("give --branch or --run, not both")
    if asked["branch"] is not None:
        branch = store.branch(asked["branch"]).id
        return {"branch": branch}, store.critiques(branch=branch, status=asked["status"])
    run = find_run(store, asked["run"])
    if run.method == SERVE:
        # What was recorded while serving is learned from on main, whoever served it.
        return {"branch": MAIN}, store.critiques(branch=MAIN, status=asked["status"])
    return {"run": run.id}, store.critiques(run=run.id, status=asked["status"])

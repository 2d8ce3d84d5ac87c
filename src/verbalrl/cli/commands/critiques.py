"""`verbalrl critiques`: what critics said, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import SERVE
from ...store import CRITIQUE_SORTS, Store
from ..options import branch_options, limit_of, more_rows, paging, reader
from ..output import emit_json, heading, note
from ..reading import MAIN, check_instance, find_run, opened
from ..telling import refusals, tell_critique


@click.command()
@paging(CRITIQUE_SORTS, "lane", "Order: lane is by branch, instance and trial.")
@click.option("--match", metavar="WORDS", default="", help="Only those that say all these words.")
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
        where = _place(kept, asked)
        conditions = {**where, "status": asked["status"], "instance": asked["instance"]}
        page = kept.critique_page(
            conditions,
            text=asked["match"],
            sort=asked["sort"],
            limit=limit_of(asked, as_json),
            offset=asked["offset"],
        )
        if not page.total:
            run = where.get("run") or kept.branch(where["branch"]).run
            check_instance(kept, run, asked["instance"])
    if as_json:
        listed = [c.model_dump(mode="json", exclude={"raw"}) for c in page.rows]
        emit_json({"store": str(store), **where, "total": page.total, "critiques": listed})
        return
    heading(f"{' '.join(str(v) for pair in where.items() for v in pair)}: {refusals(page.rows)}")
    for critique in page.rows:
        tell_critique(critique)
    if more := more_rows(len(page.rows), page.total, page.offset):
        note(more)


def _place(store: Store, asked: dict[str, Any]) -> dict[str, str]:
    if asked["branch"] is not None and asked["run"] is not None:
        raise click.UsageError("give --branch or --run, not both")
    if asked["branch"] is not None:
        return {"branch": store.branch(asked["branch"]).id}
    run = find_run(store, asked["run"])
    # What was recorded while serving is learned from on main, whoever served it.
    return {"branch": MAIN} if run.method == SERVE else {"run": run.id}

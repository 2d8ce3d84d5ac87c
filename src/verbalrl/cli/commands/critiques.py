"""`verbalrl critiques`: what critics said, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...critics import confidences, transitions, uptake
from ...records import SERVE
from ...rewards import calibration
from ...store import CRITIQUE_SORTS, Store
from ..options import branch_options, limit_of, more_rows, paging, reader
from ..output import emit_json, heading, note, say
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
@click.option(
    "--uptake",
    is_flag=True,
    help="Also say what became of them: was the criticised step changed on the next trial, was the"
    " critic's confidence right, what did refining mend and break.",
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
        became = _became(kept, where) if asked["uptake"] else None
    if as_json:
        listed = [c.model_dump(mode="json", exclude={"raw"}) for c in page.rows]
        told = {} if became is None else {"uptake": became}
        emit_json({"store": str(store), **where, "total": page.total, **told, "critiques": listed})
        return
    heading(f"{' '.join(str(v) for pair in where.items() for v in pair)}: {refusals(page.rows)}")
    for critique in page.rows:
        tell_critique(critique)
    for line in _told(became) if became else ():
        say(line)
    if more := more_rows(len(page.rows), page.total, page.offset):
        note(more)


def _became(store: Store, where: dict[str, str]) -> dict[str, Any]:
    """What became of all critiques of a run or a branch, by the attempts that came after them."""
    lane = {"run": where["run"]} if "run" in where else _lane(store, where["branch"])
    episodes = store.episodes(**lane)
    found = store.critique_page(dict(where)).rows
    steps = uptake(found, episodes)
    return {
        "steps": {**steps.model_dump(), "rate": steps.rate},
        "confidence": calibration(confidences(found, episodes)).model_dump(),
        "refined": transitions(episodes).model_dump(),
    }


def _lane(store: Store, branch: str) -> dict[str, Any]:
    record = store.branch(branch)
    return {"run": record.run, "arm": record.arm, "seed": record.seed}


def _told(became: dict[str, Any]) -> tuple[str, ...]:
    steps, sure, refined = became["steps"], became["confidence"], became["refined"]
    lines = [
        f"criticised steps on the next trial: {steps['changed']} changed, {steps['repeated']} done"
        f" again, {steps['unmet']} not met again"
    ]
    if sure["n"]:
        lines.append(
            f"confidence: {sure['mean']:.2f} on average, {sure['rate']:.2f} of {sure['n']} next"
            f" trials succeeded; Brier {sure['brier']:.3f}, calibration error {sure['ece']:.3f}"
        )
    if any(refined.values()):
        lines.append(
            f"refined outputs: {refined['fixed']} mended, {refined['broken']} broken,"
            f" {refined['right']} right before and after, {refined['wrong']} wrong"
        )
    return tuple(lines)


def _place(store: Store, asked: dict[str, Any]) -> dict[str, str]:
    if asked["branch"] is not None and asked["run"] is not None:
        raise click.UsageError("give --branch or --run, not both")
    if asked["branch"] is not None:
        return {"branch": store.branch(asked["branch"]).id}
    run = find_run(store, asked["run"])
    # What was recorded while serving is learned from on main, whoever served it.
    return {"branch": MAIN} if run.method == SERVE else {"run": run.id}

"""`verbalrl runs`: what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import RunRecord
from ..options import limit_of, more_rows, paging, reader
from ..output import emit_json, note, plural, table
from ..reading import as_it_is, opened

_HEADS = ("run", "status", "task", "method", "model", "none", "retry", "learned", "begun (UTC)")


@click.command()
@paging(("old", "new"), "old")
@click.option("--task", metavar="TASK", help="Only of this task.")
@click.option("--method", metavar="METHOD", help="Only of this method.")
@reader
def runs(store: Path, as_json: bool, **asked: Any) -> None:
    """List the runs of a store.

    The figures are success rates of the arms; `verbalrl show RUN` has their intervals. When a run
    began is told where there is room for it, else by `show` and --json.
    """
    with opened(store) as kept:
        every = [run for run in kept.runs() if _asked_for(run, asked)]
        every = every[::-1] if asked["sort"] == "new" else every
        limit, offset = limit_of(asked, as_json), asked["offset"]
        shown = every[offset:] if limit is None else every[offset : offset + limit]
        found = [as_it_is(kept, run) for run in shown]
    if as_json:
        emit_json(
            {"store": str(store), "total": len(every), "runs": [_summary(run) for run in found]}
        )
    elif found:
        table(_HEADS, [_row(run) for run in found], flexible=4, whole=(1, 8), spare=True)
        if any("*" in str(figure) for run in found for figure in _row(run)[5:8]):
            note("* the run was cut short: not all of its instances are finished")
        if more := more_rows(len(found), len(every), offset):
            note(more)
    elif every:
        note(f"the list has {plural(len(every), 'run')}, none from {offset} on")
    else:
        named = asked["task"] or asked["method"]
        note(f"no such runs in {store}" if named else f"no runs in {store} yet")


def _asked_for(run: RunRecord, asked: dict[str, Any]) -> bool:
    return all(asked[k] in (None, getattr(run, k)) for k in ("task", "method"))


def _row(run: RunRecord) -> tuple[object, ...]:
    rates = _rates(run)
    figures = (
        "–" if rates.get(a) is None else f"{rates[a]:.2f}{'*' if _cut_short(run, a) else ''}"
        for a in _HEADS[5:8]
    )
    begun = run.created_at[:16].replace("T", " ")
    model = run.model.removeprefix("ChatAgent(").removesuffix(")")
    return (run.id, run.status, run.task, run.method, model, *figures, begun)


def _summary(run: RunRecord) -> dict[str, Any]:
    kept = run.model_dump(mode="json", exclude={"config", "result"})
    return {**kept, "success_rate": _rates(run)}


def _cut_short(run: RunRecord, arm: str) -> bool:
    arms: Any = (run.result or {}).get("arms") or {}
    return bool(arms[arm].get("finished", 0) < arms[arm].get("planned", 0))


def _rates(run: RunRecord) -> dict[str, float | None]:
    arms: Any = (run.result or {}).get("arms") or {}
    return {name: arm.get("success_rate") for name, arm in arms.items()}

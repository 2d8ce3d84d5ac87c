"""`verbalrl runs`: what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...records import RunRecord
from ..options import reader
from ..output import emit_json, note, table
from ..reading import as_it_is, opened

_HEADS = ("run", "status", "task", "method", "model", "none", "retry", "learned", "begun (UTC)")


@click.command()
@reader
def runs(store: Path, as_json: bool) -> None:
    """List the runs of a store.

    The figures are success rates of the arms; `verbalrl show RUN` has their intervals.
    """
    with opened(store) as kept:
        found = [as_it_is(kept, run) for run in kept.runs()]
    if as_json:
        emit_json({"store": str(store), "runs": [_summary(run) for run in found]})
    elif found:
        table(_HEADS, [_row(run) for run in found], flexible=4)
        if any(_cut_short(run, name) for run in found for name in _rates(run)):
            note("* the run was cut short: not all of its instances are finished")
    else:
        note(f"no runs in {store} yet")


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

"""What `verbalrl export` does for trainers: rows of one run into a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...errors import ConfigurationError, StorageError, UnknownNameError
from ...execution.plan import RunPlan
from ...exports import MARKS, PROVENANCE, Source, dataset, standing, write
from ...integrations import load_task
from ...records import RunRecord, Status
from ...store import Store
from ..output import emit_json, note, plural
from ..reading import find_run, opened

SIMULATED = "simulated"


class Asked(NamedTuple):
    """Which rows are wanted, and how they are divided."""

    arm: str
    held_out: float
    allowed: tuple[str, ...]


def export_rows(
    store: Path,
    form: str,
    run: str | None,
    output: Path,
    asked: Asked,
    *,
    as_json: bool,
) -> None:
    """Write the rows of `run` in the format `form`, and say how many there are."""
    with opened(store) as kept:
        record = find_run(kept, run)
        if record.simulated and SIMULATED not in asked.allowed:
            raise ConfigurationError(
                f"{record.id} was answered by a simulated model; --with {SIMULATED} exports it"
            )
        source = _source(kept, record, asked.arm)
    made = dataset(form, source, asked.held_out, asked.allowed)
    told: dict[str, Any] = {"format": form, "arm": asked.arm, "held_out": asked.held_out}
    told["with"] = sorted(asked.allowed)
    replaced = standing(output)
    try:
        provenance = write(made, output, record, told)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror}") from error
    counts = {name: len(rows) for name, rows in made.rows.items()}
    if as_json:
        shown = {k: v for k, v in provenance.items() if k != "files"}
        emit_json({**shown, "rows": counts, "folder": str(output)})
        return
    click.echo(
        f"{plural(counts['train'], 'row')} to train on, {counts['test']} kept apart, "
        f"of {record.id} → {output}; {PROVENANCE} says where each comes from"
    )
    if replaced:
        note(f"it took the place of {replaced}")
    if made.left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in sorted(made.left_out.items()))
        asked_for = any(mark in made.left_out for mark in MARKS)
        note(f"left out: {reasons}{'; --with NAME takes them along' if asked_for else ''}")


def _source(store: Store, record: RunRecord, arm: str) -> Source:
    episodes = store.episodes(run=record.id, arm=arm)
    if not episodes:
        arms = sorted({b.arm for b in store.branches(record.id) if b.arm})
        raise UnknownNameError.of("arm", arm, arms)
    ours = {e.id for e in episodes}
    critiques = [c for c in store.critiques(run=record.id) if ours.issuperset(c.episodes)]
    used = {x.lesson for e in episodes for g in e.guidance.values() for x in g.lines}
    return Source(
        episodes=episodes,
        critiques=critiques,
        goals=_goals(record),
        barred=frozenset(n for n in used if _is_barred(store, n)),
    )


def _is_barred(store: Store, name: str) -> bool:
    lesson = store.lesson(name)
    return lesson is None or lesson.status in (Status.REVOKED, Status.PURGED)


def _goals(record: RunRecord) -> dict[str, str]:
    """What the instances asked for, which the task says and no episode repeats."""
    config = record.config
    if "task" not in config:
        raise ConfigurationError(f"{record.id} played no task: there is nothing to export rows of")
    task = load_task(
        str(config["task"]),
        task_seed=int(str(config.get("task_seed") or 0)),
        trust_code=bool(config.get("trust_code")),
        untrusted=bool(config.get("untrusted")),
    )
    return asyncio.run(RunPlan.from_config(config, task)).goals

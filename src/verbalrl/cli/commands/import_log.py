"""What `verbalrl import` does with a message log: episodes that `learn` learns from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ...exports import Belief, Taken, read_log, take_log
from ...records import SERVE
from ...store import Store
from ..options import command
from ..output import emit_json, note, plural
from ..reading import opened_new

_SCOPE = "agent"
"""As `vrl.serve` names a scope that nobody names."""


def import_log(
    folder: Path, lines: Iterable[str], scope: str | None, belief: Belief, *, as_json: bool
) -> None:
    """Import a log into the store in `folder`, made where there is none, and tell what became."""
    with opened_new(folder) as store:
        done = take_log(store, read_log(lines), scope or _served(store), belief)
        waiting = store.all_served(("pending",), scope=done.scope, limit=1)
    if as_json:
        emit_json(_summary(done))
        return
    click.echo(
        f"{done.scope}: {plural(done.added, 'new episode')}, {done.known:,} there already, "
        f"{done.refused.total():,} refused; {done.judged:,} say what became of them"
    )
    for why, count in done.refused.most_common():
        first = next((r.line for r in done.lines if r.why == why), None)
        where = "" if first is None else f", first line {first}"
        note(f"refused ({count}{where}): {why}")
    if waiting:
        learn = command("learn", "--scope", done.scope, store=folder)
        note(f"`{learn}` learns from what waits; give --model P:NAME where serving named none")


def _served(store: Store) -> str:
    """The scope that was served last."""
    sessions = (run.task for run in reversed(store.runs()) if run.method == SERVE)
    return next(sessions, _SCOPE)


def _summary(done: Taken) -> dict[str, object]:
    return {
        "scope": done.scope,
        "run": done.run,
        "added": done.added,
        "unchanged": done.known,
        "with_outcome": done.judged,
        "refused": dict(done.refused),
        "first_refused": [{"line": r.line, "why": r.why} for r in done.lines],
    }

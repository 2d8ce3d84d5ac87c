"""`verbalrl verify`, `rebuild` and `memory audit`: whether a store is sound, and of any use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from ...memory.health import audit as audit_all
from ...memory.health import verify as verify_all
from ..app import FAILED
from ..options import json_option, reader, store_option, verbose_option
from ..output import emit_json, heading, note, plural, say
from ..reading import branch_of, check_scope, opened


@click.command()
@reader
@click.pass_context
def verify(context: click.Context, store: Path, as_json: bool) -> None:
    """Check a store against its updates.

    The tables of lessons, the file, and the digests that runs ended with.
    The exit code is 1 when something is not as it should be.
    """
    with opened(store) as kept:
        found = verify_all(kept)
    if as_json:
        listed = [f._asdict() for f in found.findings]
        emit_json({**found._asdict(), "findings": listed, "ok": not listed})
    else:
        click.echo(
            f"{plural(found.lessons, 'lesson')} in {plural(found.scopes, 'scope')} replayed, "
            f"{plural(found.digests, 'digest')} compared: "
            f"{plural(len(found.findings), 'fault')}"
        )
        for finding in found.findings:
            say(f"{finding.where}: {finding.what}", indent=2)
        for line in found.notes:
            note(line)
        if found.findings:
            note("`verbalrl rebuild` makes the tables of lessons anew from the updates")
    context.exit(FAILED if found.findings else 0)


@click.command()
@store_option
@json_option
@verbose_option
def rebuild(store: Path, as_json: bool) -> None:
    """Make the tables of lessons anew.

    From the updates, which alone are the truth.
    """
    with opened(store) as kept:
        count = asyncio.run(kept.rebuild_lessons())
    if as_json:
        emit_json({"lessons": count})
        return
    click.echo(f"{plural(count, 'lesson')} made anew")


@click.group()
def memory() -> None:
    """Say what a memory is worth: audit."""


@memory.command()
@click.option("--scope", metavar="SCOPE", help="Only of this scope.")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@reader
def audit(scope: str | None, branch: str | None, store: Path, as_json: bool) -> None:
    """Count duplicates, lessons never used or learned again, conflicts, and scopes over budget."""
    with opened(store) as kept:
        chosen = branch_of(kept, branch, None).branch
        check_scope(kept, chosen, scope)
        found = audit_all(kept, chosen, scope)
    if as_json:
        emit_json({"branch": chosen, **found._asdict()})
        return
    heading(f"{plural(found.lessons, 'live lesson')} on branch {chosen}: {_list(found.by_status)}")
    rows: tuple[tuple[str, Any], ...] = (
        ("say what another one says", _percent(found.duplicates)),
        ("were in no prompt yet", _percent(found.never_used)),
        ("were learned from a prompt that said it", _percent(found.loops)),
        ("of behaviors and beliefs say when they apply", _percent(found.usable_when)),
        ("conflicts", found.conflicts),
        ("wait in quarantine", found.waiting),
        ("scopes do not fit into one prompt", len(found.over_budget)),
    )
    for what, figure in rows:
        say(f"{figure:>6}  {what}", indent=2)
    for name, tokens in found.over_budget.items():
        say(f"{name}: {tokens:,} tokens", indent=10)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"

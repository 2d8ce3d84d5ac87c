"""`verbalrl export` and `verbalrl import`: lessons as lines of JSON."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TextIO

import click

from ...errors import ConfigurationError
from ...memory import export_lines, import_lessons, read_lines
from ..options import command, json_option, reader, store_option, verbose_option
from ..output import emit_json, note, plural
from ..reading import branch_of, check_scope, opened

_WRITES = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl"]),
    default="jsonl",
    show_default=True,
    help="One JSON object a line.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write here. [stdout]",
)
@click.option("--scope", metavar="SCOPE", help="Only of this scope.")
@click.option("--branch", metavar="BRANCH", help="Of this branch. [main, else the latest run's]")
@reader
def export(
    form: str,
    output: Path | None,
    scope: str | None,
    branch: str | None,
    store: Path,
    as_json: bool,
) -> None:
    """Write lessons as lines of JSON.

    The live ones of a branch, one line each, to FILE or to stdout.
    """
    with opened(store) as kept:
        chosen = branch_of(kept, branch, None).branch
        check_scope(kept, chosen, scope)
        lines = export_lines(kept.current_lessons(chosen, scope=scope))
    if output is None and as_json:
        raise ConfigurationError("the lines are JSON already; --json tells what was written to -o")
    if output is None:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    # What agents were told is nobody else's business.
    with os.fdopen(os.open(output, _WRITES, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    if as_json:
        emit_json({"branch": chosen, "format": form, "lessons": len(lines), "file": str(output)})
        return
    click.echo(f"{plural(len(lines), 'lesson')} of branch {chosen} → {output}")


@click.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--branch", metavar="BRANCH", default="main", show_default=True, help="Onto this.")
@store_option
@json_option
@verbose_option
def import_(file: TextIO, branch: str, store: Path, as_json: bool) -> None:
    """Read lessons into quarantine.

    From FILE (`-`: stdin), whatever it says of their status.

    No prompt carries them until you approve them. All lines are read before the first is stored.
    """
    try:
        lines = read_lines(iter(file))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file.name} is no UTF-8 text ({error.reason})") from error
    with opened(store) as kept:
        done = asyncio.run(import_lessons(kept, lines, kept.branch(branch).id))
    if as_json:
        emit_json({"branch": branch, **done._asdict()})
        return
    click.echo(
        f"{branch}: {plural(done.added, 'lesson')} in quarantine, {done.unchanged} there already, "
        f"{len(done.refused)} refused"
    )
    for why in done.refused:
        note(f"refused: {why}")
    if done.added:
        listed = command("behaviors", "--branch", branch, "--status", "quarantined", store=store)
        note(f"no prompt carries them until you approve them; see {listed}")

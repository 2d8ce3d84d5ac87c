"""`verbalrl data check`: whether a data file can be used, and what of it cannot. Opens no store."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import click

from ...errors import ConfigurationError, DataError
from ...tasks.datasets.load import KINDS, check_data, path_of, read_dataset
from ...tasks.datasets.math import PLAIN
from ...tasks.datasets.rows import Dataset
from ...tasks.questions import Questions
from ..options import json_option, verbose_option
from ..output import emit_json, say

OWN = "questions"
"""The kind of a jsonl of the user's own."""


@click.group()
def data() -> None:
    """See whether a data file can be used: check."""


@data.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "kind",
    type=click.Choice([*KINDS, OWN]),
    help="What FILE is; by default what most of its rows look like.",
)
@json_option
@verbose_option
def check(file: Path, kind: str | None, as_json: bool) -> None:
    """Say which rows of FILE can be used, and why the others cannot.

    FILE is a .json list or JSON lines, packed with gzip or not, or a csv of daily
    prices; Spider and BIRD are folders, prices may be one. KIND:FILE, as runs name it, will do.
    """
    file, kind = _named(file, kind)
    found = _read(file, kind)
    # Options of a reference follow a question mark, so a path of your own .jsonl is its reference.
    ref = str(file) if found.kind == OWN else f"{found.kind}:{file}"
    if as_json:
        reasons = Counter(item.reason for item in found.rejected)
        emit_json(
            {
                "file": str(file),
                "kind": found.kind,
                "layout": found.layout,
                "usable": len(found.rows),
                "rejected": len(found.rejected),
                "reasons": dict(sorted(reasons.items())),
                "notes": list(found.notes),
                "task": ref,
            }
        )
        return
    for line in found.lines(file.name):
        say(line)
    # Whole, so that it can be copied.
    click.echo(f"run it as: verbalrl run {shlex.quote(ref)} --model P:NAME")


def _named(file: Path, kind: str | None) -> tuple[Path, str | None]:
    """The path and the kind of a FILE that may be the reference of its task."""
    named, colon, place = str(file).partition(":")
    if not colon or named not in KINDS or file.exists():
        return file, kind
    if kind not in (None, named):
        raise ConfigurationError(f"{named}: and --as {kind} are two kinds; give one of them")
    path, mark, options = place.partition("?")
    if mark and not Path(place).exists():
        raise ConfigurationError(
            f"a file is checked without options; leave out ?{options}: "
            f"`verbalrl data check {named}:{path}`"
        )
    return path_of(named, place), named


def _read(file: Path, kind: str | None) -> Dataset[object]:
    if kind == OWN:
        return _own(file)
    if kind is not None:
        return read_dataset(kind, file)
    if file.suffix != ".jsonl":
        return check_data(file)
    try:
        found = check_data(file)
    except DataError as error:
        try:
            return _own(file)
        except DataError:
            # A file of one's own has fewer rules than the published ones; those are named.
            raise error from None
    # Rows of question and answer are a task as they are.
    return _own(file) if (found.kind, found.layout) == ("math", PLAIN) else found


def _own(file: Path) -> Dataset[object]:
    world = Questions(file)
    rows = [world.problem(s, i) for s in ("train", "test") for i in range(world.size(s) or 0)]
    return Dataset(
        OWN, "question and answer", tuple(rows), world.rejected, (world.notes[1], *world.doubts)
    )

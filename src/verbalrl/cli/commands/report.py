"""`verbalrl report`: a run as one file for whoever did not run it."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import ConfigurationError
from ...result.plots import need_matplotlib
from ...view.report import check_place, report_html
from ...view.rows import read_run
from ..options import json_option, store_option, verbose_option
from ..output import emit_json
from ..reading import find_run, opened


@click.command()
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@store_option
@json_option
@verbose_option
def report(run: str | None, output: Path, store: Path, as_json: bool) -> None:
    """Write a run as one HTML file.

    RUN is its id, or the start of it; the latest run when none is named. The file needs no network
    and no other file: curves, differences, tokens, lessons with where they come from and which
    prompts had them, failures, and the settings that reproduce it.
    """
    need_matplotlib()
    check_place(output)
    with opened(store) as kept:
        rows = read_run(kept, find_run(kept, run).id)
    if not rows.episodes:
        raise ConfigurationError(f"run {rows.record.id} has no episodes yet; nothing to report")
    html = report_html(rows)
    try:
        output.write_text(html, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{output}: cannot be written ({error.strerror}); name another file"
        ) from error
    if as_json:
        emit_json({"run": rows.record.id, "file": str(output), "bytes": len(html.encode())})
        return
    click.echo(f"{output}: run {rows.record.id}, {len(html.encode()) / 1e6:.1f} MB")

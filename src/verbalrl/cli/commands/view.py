"""`verbalrl view`: the page, for this machine."""

from __future__ import annotations

import importlib
import webbrowser
from pathlib import Path

import click

from ...view.extras import need
from ..options import store_option, verbose_option
from ..output import note
from ..reading import opened


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port. [any that is free]")
@click.option("--open", "opens", is_flag=True, help="Open a browser too.")
@store_option
@verbose_option
def view(port: int, opens: bool, store: Path) -> None:
    """Look at a store in a browser; review lessons.

    Serves 127.0.0.1 alone, to whoever has the address that it prints: the token in it is made anew
    each time. Ctrl-C ends it.
    """
    need("view", "the page", "starlette", "uvicorn", "matplotlib")
    # Found by name: what the extra brings is imported where the command runs, and nowhere else.
    serve = importlib.import_module("verbalrl.view.page.serve").serve

    def ready(address: str) -> None:
        click.echo(address)
        note("Ctrl-C ends it; the address holds a token, keep it to yourself")
        if opens:
            webbrowser.open(address)

    with opened(store) as kept:
        serve(kept, port, ready)

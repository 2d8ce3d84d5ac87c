"""`verbalrl mcp`: the lessons of a store for agents that speak the Model Context Protocol."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...mcp import run_stdio
from ...store import open_store
from ..options import store_option, verbose_option
from ..output import note


@click.command()
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Only of this scope; may be repeated. [all there are]",
)
@click.option("--allow-write", is_flag=True, help="Offer the tools that record and propose, too.")
@store_option
@verbose_option
def mcp(scopes: tuple[str, ...], allow_write: bool, store: Path) -> None:
    """Give lessons to agents that speak MCP.

    An agent's host starts it and talks to it by stdin and stdout. The tools recall, list_lessons
    and explain read the branch main. With --allow-write there are record_outcome and
    propose_critique: what they take is untrusted, and no prompt carries what is learned from it
    before you have approved it. Needs the extra verbalrl[mcp].
    """
    with open_store(store, create=allow_write and bool(scopes)) as kept:
        if sys.stdin.isatty():
            note(
                "speaks MCP on stdin and stdout, so it is for a host of agents to start; ^C ends it"
            )
        run_stdio(kept, scopes, allow_write=allow_write)

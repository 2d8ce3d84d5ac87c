"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = ".verbalrl"


class Folder(click.Path):
    """A folder that need not be there yet."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; an empty text would be the working directory, which nobody means by it."""
        if value == "":
            self.fail("an empty text names no folder", param, ctx)
        return super().convert(value, param, ctx)


def store_option(command: F) -> F:
    """`--store DIR`."""
    return click.option(
        "--store",
        type=Folder(),
        envvar="VERBALRL_STORE",
        default=DEFAULT_STORE,
        metavar="DIR",
        help="Folder of the store. [$VERBALRL_STORE, else ./.verbalrl]",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON alone on stdout.")(
        command
    )


def verbose_option(command: F) -> F:
    """`--verbose`; it configures logging when it is read, so commands never see it."""
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=lambda ctx, _param, value: _listen(ctx) if value else None,
        help="Log events to stderr.",
    )(command)


def branch_options(of_run: str) -> Callable[[F], F]:
    """`--branch B` or `--run RUN`, of which it reads `of_run`."""

    def decorate(command: F) -> F:
        command = click.option("--run", metavar="RUN", help=f"Of this run: {of_run}.")(command)
        return click.option(
            "--branch", metavar="BRANCH", help="Of this branch: main, or RUN/ARM/SEED."
        )(command)

    return decorate


SHOWN = 100
"""Rows that a list prints for a person who names no limit."""


def paging(sorts: Iterable[str], default: str, what: str = "Order.") -> Callable[[F], F]:
    """`--sort`, `--limit` and `--offset`, which `cut` reads."""

    def decorate(command: F) -> F:
        command = click.option(
            "--offset",
            type=click.IntRange(min=0),
            default=0,
            metavar="N",
            help="Leave out N first.",
        )(command)
        command = click.option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"At most N rows. [{SHOWN}; all with --json]",
        )(command)
        return click.option(
            "--sort", type=click.Choice(list(sorts)), default=default, show_default=True, help=what
        )(command)

    return decorate


def limit_of(asked: Mapping[str, Any], as_json: bool) -> int | None:
    """How many rows a list gives: all, where a program reads them and names no limit."""
    limit: int | None = asked["limit"]
    return SHOWN if limit is None and not as_json else limit


def more_rows(shown: int, total: int, offset: int) -> str:
    """How to see the rest; empty where nothing is left."""
    if offset + shown >= total:
        return ""
    last = offset + shown
    return (
        f"rows {offset + 1:,} to {last:,} of {total:,}; --offset {last} goes on, --limit N shows N"
    )


def reader(command: F) -> F:
    """The options of everything that reads a store."""
    return store_option(json_option(verbose_option(command)))


def _listen(context: click.Context) -> None:
    """Send our events to stderr until the command ends. Nothing else configures logging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("verbalrl")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)

    def stop() -> None:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    context.call_on_close(stop)


# click before 8.3 knows no type argument here.
class Span(click.ParamType):  # type: ignore[type-arg]
    """`N` (the first N instances) or `A:B` (a half-open range of indices)."""

    name = "N | A:B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, int]:
        """An integer, or the two ends."""
        if isinstance(value, int | tuple):
            return value
        found = re.fullmatch(r"(?:(\d{1,18}):)?(\d{1,18})", value.strip(), re.ASCII)
        if found is None:
            if pair := re.fullmatch(r"[(\[]?\s*(\d+)\s*[,:-]\s*(\d+)\s*[)\]]?", value.strip()):
                self.fail(f"write the range {value[:40]} as {pair[1]}:{pair[2]}", param, ctx)
            self.fail(f"{value[:40]!r} is neither a number nor a range such as 8:24", param, ctx)
        start, stop = found.groups()
        if int(stop) <= int(start or 0):
            self.fail(f"{value!r} holds no instance", param, ctx)
        return int(stop) if start is None else (int(start), int(stop))


class Names(click.ParamType):  # type: ignore[type-arg]
    """Names separated by commas."""

    name = "A,B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names in their order."""
        if isinstance(value, tuple):
            return value
        names = tuple(n.strip() for n in value.split(",") if n.strip())
        if not names:
            self.fail("no name given", param, ctx)
        for name in names:
            if names.count(name) > 1:
                self.fail(f"{name!r} is named twice", param, ctx)
        return names


def settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`("window=2", "gate=none")` → `{"window": 2, "gate": "none"}`.

    A value that is JSON is taken as such, anything else as text.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigurationError(f"--set {pair!r}: expected NAME=VALUE")
        if key.strip() in found:
            raise ConfigurationError(f"--set {pair!r}: {key.strip()!r} is given twice")
        try:
            found[key.strip()] = json.loads(value)
        except ValueError:
            found[key.strip()] = value
    return found


def command(name: str, *arguments: str, store: Path) -> str:
    """A command line that can be pasted into the shell from which we were called."""
    place = () if str(store) == DEFAULT_STORE else ("--store", str(store))
    return shlex.join((_program(Path(sys.argv[0])), name, *arguments, *place))


def _program(called: Path) -> str:
    """`verbalrl`, or the path of it where the shell would not find this one by its name."""
    found = shutil.which("verbalrl")
    if called.name != "verbalrl" or (found and called.exists() and called.samefile(found)):
        return "verbalrl"
    return str(called)

"""The options that bound what a run may spend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import ConfigurationError
from ..models import Budget, load_prices

F = TypeVar("F", bound=Callable[..., Any])

_LARGER = {"tokens": ("--max-tokens", "N"), "cost_usd": ("--max-cost", "USD")}


def budget_options(command: F) -> F:
    """`--max-tokens`, `--max-cost`, `--max-seconds`, `--max-output`, `--prices`."""
    positive = click.FloatRange(min=0, min_open=True)
    for decorate in (
        click.option(
            "--prices",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="TOML or JSON: per model, USD per million tokens.",
        ),
        click.option(
            "--max-output",
            type=click.IntRange(min=1),
            metavar="N",
            help="Tokens that one reply may have. [8192 where tokens or cost are bounded]",
        ),
        click.option(
            "--max-seconds",
            type=positive,
            metavar="S",
            help="Begin nothing new after this time; what is under way ends.",
        ),
        click.option(
            "--max-cost", type=positive, metavar="USD", help="Of the whole run; needs --prices."
        ),
        click.option(
            "--max-tokens", type=click.IntRange(min=1), metavar="N", help="Of the whole run."
        ),
    ):
        command = decorate(command)
    return command


def budget_of(options: Mapping[str, Any], before: Budget | None = None) -> Budget:
    """The budget that `options` give; those left out are as `before`, but for the seconds."""
    given = {
        "tokens": options["max_tokens"],
        "cost_usd": options["max_cost"],
        "max_output": options["max_output"],
        "prices": None if options["prices"] is None else load_prices(options["prices"]),
    }
    kept = before.max_output if before is not None else None
    if kept is not None and given["max_output"] not in (None, kept):
        raise ConfigurationError(f"the output cap of a run stays as it is: {kept} tokens")
    changes = {name: value for name, value in given.items() if value is not None}
    return (before or Budget()).replace(**changes, seconds=options["max_seconds"])


def larger(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """The option that lets a run go on which its budget stopped."""
    budget = figures.get("budget")
    short = budget.get("exhausted") if isinstance(budget, Mapping) else None
    return _LARGER.get(str(short), ())

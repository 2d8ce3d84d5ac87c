"""What models cost: a table that the user gives, and exact sums.

Money is counted in whole picodollars (10⁻¹² USD), so that sums are exact and no cap is missed by
a rounding error. Simulated models and persons cost nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ..errors import DataError, check_kind, wanted
from ..records import Record, Usage
from .base import Model

PICO = 10**12
"""Picodollars in a dollar."""
_PER_TOKEN = 10**6
"""Picodollars per token in a dollar per million tokens."""
_FREE = frozenset({"person"})


class Price(Record):
    """USD per million tokens of one model."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cache_read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """None: as input."""
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """None: as input."""

    def pico(self, usage: Usage) -> int:
        """What `usage` costs, in picodollars."""
        return (
            usage.input * _rate(self.input)
            + usage.cache_read * _rate(self._or_input(self.cache_read))
            + usage.cache_write * _rate(self._or_input(self.cache_write))
            + usage.output * _rate(self.output)
        )

    def most(self, read: int, written: int) -> int:
        """The most that `read` input and `written` output tokens can cost, in picodollars."""
        dearest = max(self.input, self._or_input(self.cache_read), self._or_input(self.cache_write))
        return read * _rate(dearest) + written * _rate(self.output)

    def _or_input(self, price: float | None) -> float:
        return self.input if price is None else price


FREE = Price(input=0, output=0)


class Prices(Record):
    """Prices by model name, with its provider (`openai:NAME`) or without."""

    models: dict[str, Price] = {}

    def of(self, name: str) -> Price | None:
        """The price of the model `name`; the full name goes before the bare one."""
        return self.models.get(name) or self.models.get(name.partition(":")[2])


def price_of(model: Model, prices: Prices | None) -> Price | None:
    """The price of `model`; None when none is known."""
    if model.simulated or model.name in _FREE:
        return FREE
    return prices.of(model.name) if prices is not None else None


def load_prices(path: Path | str) -> Prices:
    """The prices in a TOML or JSON file: a table per model, USD per million tokens.

        ["openai:NAME"]
        input = 1.25
        output = 10.0
        cache_read = 0.125

    Where a provider charges by tiers, write the dearest: a bound on cost counts on it.

    Raises:
        DataError: It cannot be read, or is no such table.
    """
    check_kind(path, (str, PathLike), "load_prices takes a file, such as 'prices.toml'")
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise DataError(f"prices {file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        raise DataError(f"prices {file}: not {kind}: {error}") from error
    return Prices(models=_read(table, file))


def _read(table: Any, file: Path) -> dict[str, Price]:
    if not isinstance(table, Mapping) or not table:
        raise DataError(f"prices {file}: write a table per model, with input and output")
    found = {}
    for name, given in table.items():
        try:
            found[str(name)] = Price.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, (name, *first["loc"])))
            raise DataError(
                f"prices {file}: {where}: {wanted(first)}; prices are USD per million tokens of "
                "input, output, cache_read, cache_write (quote a name that holds a colon or a dot)"
            ) from error
    return found


def _rate(price: float) -> int:
    return round(price * _PER_TOKEN)

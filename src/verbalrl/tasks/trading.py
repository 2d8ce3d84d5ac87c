"""`trading` and `portfolio`: buy, hold or sell, a decision a day, on markets that are drawn.

What can be learned is the rule by which news, filings or the way of the price foretell the next
move; with `rule=none` there is none, and nothing can be learned.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, cast

from pydantic import Field, JsonValue

from ..records import Instance, Record, Split
from . import desk, market, simulated, trading_measures, weights
from .base import Environment, Policy, Problem
from .desk import Desk, Terms, Weigh, plainly
from .draws import pick
from .market import Market, Series
from .simulated import WARM_UP, Rule, Wire, rule_of
from .tables import read_table
from .weights import mean_variance

_KINDS = ("news", "filing", "momentum")
_WINDOW = 60
"""Days of the past from which portfolio weights are estimated."""
GOAL = (
    "Decide after the close of each day: buy is to be long until the next close, sell to be "
    "short, hold to stay out. Earn what you can in {days} days; trading takes {cost:.2%} of what "
    "is bought or sold."
)
SEVERAL = (
    "Decide after the close of each day on each of {names}: buy is to be long until the next "
    "close, sell to be short, hold to stay out; how much of each follows from the past. Earn what "
    "you can in {days} days; trading takes {cost:.2%} of what is bought or sold."
)


def goal(names: tuple[str, ...], days: int, cost: float) -> str:
    """What the agent is asked to do."""
    text = GOAL if len(names) == 1 else SEVERAL
    return text.format(days=days, cost=cost, names=", ".join(names))


def by_mean_variance(market: Market, day: int, directions: Any) -> tuple[float, ...]:
    """Mean-variance weights in `directions` from the last 60 daily returns up to `day`."""
    return mean_variance(past_returns(market, day), directions)


def past_returns(market: Market, day: int) -> Any:
    """The last 60 daily returns up to the close of `day` as an array (days, assets)."""
    import numpy as np

    return np.array([asset.moves(day, _WINDOW) for asset in market.assets], dtype=float).T


class Trading(Record):
    """All periods of one market under one rule."""

    wire: Wire
    task_seed: int = 0
    horizon: int = Field(default=20, ge=2, le=504)
    rule: Literal["news", "filing", "momentum", "drawn", "none"] = "news"
    strength: float = Field(default=0.012, ge=0, le=0.1)
    cost: float = Field(default=0.001, ge=0, lt=0.1)
    share: float = Field(default=0.5, gt=0, le=1)

    version: ClassVar[str] = "trading-v1"
    judged_by: ClassVar[tuple[ModuleType, ...]] = (
        desk,
        market,
        simulated,
        trading_measures,
        weights,
    )

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Trading:
        """The world of a task folder, with the sentences of its `market.toml`."""
        wire = read_table(folder / "market.toml", Wire)
        return cls.model_validate({**args, "wire": wire, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """A decision a day."""
        return self.horizon

    @property
    def least_steps(self) -> int:
        """No day is left out."""
        return self.horizon

    @property
    def count(self) -> int:
        """How many assets there are."""
        return 1

    def planted(self) -> Rule:
        """The rule that holds in every period, hidden from the agent."""
        key = (self.version, "rule", self.task_seed)
        kind = pick(_KINDS, *key, "kind") if self.rule == "drawn" else self.rule
        return rule_of(self.wire, cast("simulated.Kind", kind), self.strength, *key)

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Period number `index`."""
        key = (self.version, self.task_seed, split, index)
        drawn = simulated.simulated(
            self.wire, self.planted(), split, (self.count, self.horizon), *key
        )
        data: dict[str, JsonValue] = {
            "days": list(drawn.days),
            "assets": [_stored(asset) for asset in drawn.assets],
        }
        return Problem(goal(drawn.names, self.horizon, self.cost), data)

    def environment(self, instance: Instance, /) -> Environment:
        """One period."""
        return self.desk(instance)

    def desk(self, instance: Instance) -> Desk:
        """The desk on which `instance` is traded."""
        terms = Terms(self.cost, self.share, self._weigh())
        return Desk(_market(instance), WARM_UP, WARM_UP + self.horizon, terms)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows every close."""
        return self.desk(instance).oracle()

    def _weigh(self) -> Weigh:
        return plainly


class Portfolio(Trading):
    """The same for several assets; how much of each is decided by mean-variance."""

    assets: int = Field(default=3, ge=2, le=4)
    version: ClassVar[str] = "portfolio-v1"

    @property
    def count(self) -> int:
        """How many assets there are."""
        return self.assets

    @property
    def inline(self) -> bool:
        """Weights take most of a millisecond."""
        return False

    def _weigh(self) -> Weigh:
        return by_mean_variance


def _stored(asset: Series) -> JsonValue:
    return {
        "name": asset.name,
        "closes": list(asset.closes),
        "news": [list(items) for items in asset.news],
        "filings": list(asset.filings),
    }


def _market(instance: Instance) -> Market:
    data = cast("dict[str, Any]", instance.data)
    series = (
        Series(
            a["name"],
            tuple(map(float, a["closes"])),
            tuple(tuple(items) for items in a["news"]),
            tuple(a["filings"]),
        )
        for a in data["assets"]
    )
    return Market(tuple(data["days"]), tuple(series))

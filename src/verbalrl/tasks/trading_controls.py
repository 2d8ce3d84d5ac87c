"""Policies that trade without learning, to be compared with: each knows the past and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from ..errors import ConfigurationError, UnknownNameError
from ..records import Action, Instance, Situation
from .base import Policy, Task
from .desk import Desk, decision, weights_text
from .draws import pick
from .market import Market
from .trading import past_returns
from .weights import long_only, minimum_variance

Rule = Callable[[Market, int, int], str]
"""From a market, its first day of decision and a day to the text of the decision."""


@runtime_checkable
class Traded(Protocol):
    """A world whose instances are traded on a desk."""

    def desk(self, instance: Instance) -> Desk:
        """The desk on which `instance` is traded."""
        ...


def bought(market: Market, first: int, day: int) -> tuple[float, ...]:
    """What equal purchases on `first` have become by `day` as shares of the capital."""
    grown = [asset.closes[day] / asset.closes[first] for asset in market.assets]
    return tuple(value / sum(grown) for value in grown)


def _buy_and_hold(market: Market, first: int, day: int) -> str:
    if len(market.assets) == 1:
        return decision(market.names, (1,))
    return weights_text(market.names, bought(market, first, day))


def _momentum(market: Market, _first: int, day: int) -> str:
    changes = [asset.momentum(day) or 0.0 for asset in market.assets]
    return decision(market.names, [(change > 0) - (change < 0) for change in changes])


def _equal_weight(market: Market, _first: int, _day: int) -> str:
    count = len(market.assets)
    return weights_text(market.names, [1 / count] * count)


def _mean_variance(market: Market, _first: int, day: int) -> str:
    return weights_text(market.names, long_only(past_returns(market, day)))


def _minimum_variance(market: Market, _first: int, day: int) -> str:
    return weights_text(market.names, minimum_variance(past_returns(market, day)))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "buy-and-hold": _buy_and_hold,
        "equal-weight": _equal_weight,
        "mean-variance": _mean_variance,
        "minimum-variance": _minimum_variance,
        "momentum": _momentum,
    }
)
"""How each control decides. Buy-and-hold never trades again, equal weight does so every day."""

CONTROLS = (*RULES, "random")


def _random(seed: int, name: str) -> Rule:
    def rule(market: Market, _first: int, day: int) -> str:
        # Drawn per asset: many assets list no actions that could be chosen among.
        drawn = [pick((1, 0, -1), "random", seed, name, day, asset) for asset in market.names]
        return decision(market.names, drawn)

    return rule


def rule_of(name: str, instance: Instance, seed: int = 0) -> Rule:
    """How the control `name` decides on `instance`; `seed` is that of `random`.

    Raises:
        UnknownNameError: There is no such control.
    """
    if name not in CONTROLS:
        raise UnknownNameError.of("control", name, CONTROLS)
    return RULES.get(name) or _random(seed, instance.id)


def control(name: str, task: Task, instance: Instance, seed: int = 0) -> Policy:
    """The control `name` on `instance` of a task that is traded; `seed` is that of `random`.

    Raises:
        UnknownNameError: There is no such control.
        ConfigurationError: The task is not traded.
    """
    rule = rule_of(name, instance, seed)
    world = getattr(task, "world", None)
    if not isinstance(world, Traded):
        raise ConfigurationError(f"task {task.id} is not traded; take trading-v1 or prices:FILE")
    desk = world.desk(instance)

    def act(situation: Situation) -> Action:
        return Action(text=rule(desk.market, desk.first, desk.first + len(situation.history)))

    return act

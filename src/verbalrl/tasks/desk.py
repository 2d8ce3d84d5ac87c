"""The trading desk: one period of a market in play, a decision a day.

A decision is taken after the close of a day and earns what the price does until the next close.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..ids import normalised
from ..records import Action, Observation, StepResult
from .base import Policy, follow
from .market import ROLES, Market, described, drifted, foresight, told, traded

DIRECTIONS = {"buy": 1, "hold": 0, "sell": -1}
_WORDS = {direction: word for word, direction in DIRECTIONS.items()}
_STANCES = {1: "long", 0: "out", -1: "short"}
_MOST_LISTED = 3
"""Assets up to which every combination of decisions is listed."""
_OVER = Observation(text="The period is over.", actions=())
_LEAST = 1e-9

Weigh = Callable[[Market, int, Sequence[int]], tuple[float, ...]]
"""From a market, a day and a direction for each asset to signed shares of the capital."""


def plainly(market: Market, day: int, directions: Sequence[int]) -> tuple[float, ...]:
    """Equal shares in the given directions; for one asset all of the capital."""
    del market, day
    chosen = sum(map(abs, directions))
    return tuple(d / chosen if chosen else 0.0 for d in directions)


@dataclass(frozen=True)
class Terms:
    """What holds at a desk."""

    cost: float
    """What trading takes, as a share of what is bought or sold."""
    share: float
    """Success: this share of the log growth that foresight would have earned."""
    weigh: Weigh = plainly


class Desk:
    """One period from `first` to `last` (excluded); nothing here depends on chance."""

    def __init__(
        self,
        market: Market,
        first: int,
        last: int,
        terms: Terms,
        describe: Callable[[Market, int], str] = described,
    ) -> None:
        self.market, self.first, self.last, self.terms = market, first, last, terms
        self._describe = describe
        self._actions = actions(market.names)
        self._nothing = (0.0,) * len(market.assets)
        self._day = first
        self._held: tuple[float, ...] = self._nothing
        self._weighted: tuple[float, ...] = self._nothing
        self._log = 0.0

    @property
    def weighted(self) -> tuple[float, ...]:
        """The signed shares of the capital that were decided last."""
        return self._weighted

    def reset(self, seed: int, /) -> Observation:
        """The first day, with all capital in cash."""
        self._day, self._log = self.first, 0.0
        self._held = self._weighted = self._nothing
        return self._observation()

    def step(self, action: Action, /) -> StepResult:
        """Hold what was decided until the next close and hear what it brought."""
        if self._day >= self.last:
            return StepResult(observation=_OVER, terminated=True, success=False)
        weights = self._weights(action.text)
        said = "" if weights is not None else "That is no decision, so you stayed out. "
        weights = weights or self._nothing
        moves = self.market.next_moves(self._day)
        volume = traded(weights, self._held)
        gain = math.fsum(w * r for w, r in zip(weights, moves, strict=True))
        result = max(gain - self.terms.cost * volume, -1.0)
        self._log += math.log1p(result) if result > -1 else -math.inf
        self._held, self._weighted = drifted(weights, moves), weights
        self._day += 1
        over = self._day >= self.last or result <= -1
        success = over and self._enough()
        if over:
            self._day = self.last
        ending = ("", " The period is over, a success.")[success]
        if over and not success:
            ending = " The period is over, a failure: too little was earned."
        return StepResult(
            observation=_OVER if over else self._observation(),
            feedback=said + self._outcome(weights, moves, result) + ending,
            reward=result,
            components={"traded": volume},
            terminated=over,
            success=success,
        )

    def preview(self, role: str, step: int) -> Observation:
        """What `role` sees before decision number `step`, from 1; no decision influences it.

        Raises:
            ValueError: There is no such role or step.
        """
        if role not in ROLES:
            raise ValueError(f"no role {role!r}; there are {', '.join(ROLES)}")
        if not 1 <= step <= self.last - self.first:
            raise ValueError(f"no step {step}; there are {self.last - self.first}")
        said = described(self.market, self.first + step - 1, (role,))
        return Observation(text=said or "Nothing is known.")

    @property
    def roles(self) -> tuple[str, ...]:
        """Whom `preview` shows something on any day."""
        return told(self.market, self.first, self.last)

    def left(self, roles: Sequence[str]) -> Observation:
        """The present observation without what `roles` are shown."""
        if self._day >= self.last:
            return _OVER
        return self._observation(tuple(role for role in ROLES if role not in roles))

    def oracle(self) -> Policy:
        """Knows every close, and takes the asset that earns most."""
        _, path = foresight(self.market, self.first, self.last, self.terms.cost)
        return follow(*(decision(self.market.names, directions) for directions in path))

    def _enough(self) -> bool:
        best, _ = foresight(self.market, self.first, self.last, self.terms.cost)
        return self._log >= self.terms.share * best - _LEAST

    def _weights(self, text: str) -> tuple[float, ...] | None:
        names = self.market.names
        given = stated_weights(text, names)
        if given is not None:
            return given
        directions = read_decision(text, names)
        if directions is None:
            return None
        return self.terms.weigh(self.market, self._day, directions)

    def _observation(self, roles: tuple[str, ...] | None = None) -> Observation:
        """What is seen of the day: all, or the account and what `roles` see."""
        number, count = self._day - self.first + 1, self.last - self.first
        seen = self._describe if roles is None else lambda m, day: described(m, day, roles)
        held = ""
        if number > 1:
            held = f"You were {self._stance()}."
        said = (f"Day {number} of {count}.", seen(self.market, self._day), held)
        return Observation(text="\n".join(filter(None, said)), actions=self._actions)

    def _stance(self) -> str:
        signs = [(w > _LEAST) - (w < -_LEAST) for w in self._weighted]
        if len(signs) == 1:
            return _STANCES[signs[0]]
        said = [f"{_STANCES[s]} {n}" for s, n in zip(signs, self.market.names, strict=True) if s]
        return ", ".join(said) or "out"

    def _outcome(self, weights: Sequence[float], moves: Sequence[float], result: float) -> str:
        parts = []
        for name, weight, move in zip(self.market.names, weights, moves, strict=True):
            went = f"went {'up' if move >= 0 else 'down'} {abs(move):.1%}"
            who = "The price" if len(moves) == 1 else name
            parts.append(f"{who} {went} while you were {_sized(weight, len(moves))}")
        so_far = math.expm1(self._log)
        kind = "a good day" if result > 0 else "a bad day" if result < 0 else "an idle day"
        return f"{'; '.join(parts)}: {kind}, {result:+.1%} after costs; so far {so_far:+.1%}."


def _sized(weight: float, assets: int) -> str:
    if abs(weight) <= _LEAST:
        return _STANCES[0]
    stance = _STANCES[1 if weight > 0 else -1]
    return stance if assets == 1 else f"{stance} with {abs(weight):.0%}"


def actions(names: Sequence[str]) -> tuple[str, ...] | None:
    """Every decision on the assets, for up to three of them; None where there are more."""
    if len(names) > _MOST_LISTED:
        return None
    choices = itertools.product(DIRECTIONS.values(), repeat=len(names))
    return tuple(decision(names, directions) for directions in choices)


def decision(names: Sequence[str], directions: Sequence[int]) -> str:
    """The text that decides `directions`: `buy`, or `buy AAA, sell BBB` for several assets."""
    if len(names) == 1:
        return _WORDS[directions[0]]
    pairs = zip(names, directions, strict=True)
    return ", ".join(f"{_WORDS[direction]} {name}" for name, direction in pairs)


def read_decision(text: str, names: Sequence[str]) -> tuple[int, ...] | None:
    """The directions that `text` decides, one per asset; None where it is no decision.

    Assets may come in any order; those not named are not held. None where one is named twice.
    """
    said = normalised(text)
    if len(names) == 1:
        word = said.removesuffix(normalised(names[0])).strip()
        return (DIRECTIONS[word],) if word in DIRECTIONS else None
    known = {normalised(name): place for place, name in enumerate(names)}
    found: dict[int, int] = {}
    for part in re.split(r"\s*[,;]\s*", said):
        word, _, name = part.partition(" ")
        if word not in DIRECTIONS or name not in known or known[name] in found:
            return None
        found[known[name]] = DIRECTIONS[word]
    return tuple(found.get(place, 0) for place in range(len(names)))


def weights_text(names: Sequence[str], weights: Sequence[float]) -> str:
    """The text that holds exactly `weights`."""
    pairs = zip(names, weights, strict=True)
    return "weights " + ", ".join(f"{name} {weight!r}" for name, weight in pairs)


def stated_weights(text: str, names: Sequence[str]) -> tuple[float, ...] | None:
    """The weights of `weights AAA 0.5, BBB -0.25`; None where `text` is none or goes beyond 1."""
    said = normalised(text)
    if not said.startswith("weights "):
        return None
    known = {normalised(name): place for place, name in enumerate(names)}
    found = [0.0] * len(names)
    for part in said.removeprefix("weights ").split(","):
        name, _, number = part.strip().rpartition(" ")
        if name not in known or not re.fullmatch(r"[+-]?\d*\.?\d+(e[+-]?\d+)?", number):
            return None
        found[known[name]] = float(number)
    return tuple(found) if math.fsum(map(abs, found)) <= 1 + _LEAST else None

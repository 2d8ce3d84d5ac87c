"""Markets that are drawn: prices that switch between regimes, news and filings around them.

What the news of a day speak of, what was filed last, or which way the price has gone may foretell
the next move; which of them does, and which way, is the rule of a task. The sentences stand in
`market.toml` of the task folder.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..ids import coin
from ..records import Record, Split
from .draws import pick, sample, shuffled
from .market import MOMENTUM_DAYS, Market, Series, trend
from .tables import sentence

Kind = Literal["news", "filing", "momentum", "none"]
WARM_UP = 20
"""Days before the first decision."""
_FILING_DAYS = 5
_STAY = 0.95
"""The chance that a regime goes on for another day."""
_NORMAL = NormalDist()
_LEAST = 1e-12


class Regime(NamedTuple):
    """How prices move for a while: log returns a day."""

    drift: float
    spread: float


REGIMES = (Regime(0.0005, 0.006), Regime(-0.0005, 0.008), Regime(0.0, 0.012))


class Sentences(Record):
    """The sentences of one split; braces name a filling."""

    news: tuple[str, ...] = Field(min_length=1)
    filings: tuple[str, ...] = Field(min_length=1)


class Wire(Record):
    """The contents of `market.toml`."""

    names: tuple[str, ...] = Field(min_length=4)
    topics: tuple[str, ...] = Field(min_length=2)
    """What news speak of."""
    papers: tuple[str, ...] = Field(min_length=2)
    """What filings speak of."""
    fill: dict[str, tuple[str, ...]]
    train: Sentences
    test: Sentences

    @model_validator(mode="after")
    def _even(self) -> Self:
        if len(self.topics) % 2 or len(self.papers) % 2:
            raise ValueError("topics and papers must be even in number: half foretell a rise")
        return self


class Rule(NamedTuple):
    """What foretells the next move, and which way."""

    kind: Kind
    rising: frozenset[str]
    """Topics of news or filings before a rise; the others come before a fall."""
    follows: bool
    """For momentum: whether the price goes on as it went."""
    strength: float
    """The size of the move that is foretold, as a log return."""

    def sign(self, topic: str, paper: str, said: str) -> int:
        """1 before a rise, -1 before a fall, 0 where the rule says nothing."""
        if self.kind == "momentum":
            way = 1 if said.startswith("climbed") else -1 if said.startswith("sank") else 0
            return way if self.follows else -way
        if self.kind == "none":
            return 0
        return 1 if (topic if self.kind == "news" else paper) in self.rising else -1


def rule_of(wire: Wire, kind: Kind, strength: float, *key: object) -> Rule:
    """The rule of `kind` whose direction `key` draws; of the topics half foretell a rise."""
    listed = wire.papers if kind == "filing" else wire.topics
    rising = shuffled(listed, *key, "rising", kind)[: len(listed) // 2]
    return Rule(kind, frozenset(rising), coin(*key, "follows") < 0.5, strength)


def simulated(wire: Wire, rule: Rule, split: Split, size: tuple[int, int], *key: object) -> Market:
    """A market of `size` (assets, days) after the warm-up, drawn by `key`."""
    assets, days = size
    count = WARM_UP + days + 1
    names = sample(wire.names, assets, *key, "names")
    labels = tuple(str(day - WARM_UP + 1) for day in range(count))
    series = (_series(wire, rule, split, name, count, *key, name) for name in names)
    return Market(labels, tuple(series))


def _series(wire: Wire, rule: Rule, split: Split, name: str, count: int, *key: object) -> Series:
    sentences = wire.train if split == "train" else wire.test
    closes = [round(20 + 180 * coin(*key, "start"), 2)]
    news, filings = [], []
    regime, paper = pick(range(len(REGIMES)), *key, "regime"), ""
    for day in range(count):
        own = (*key, day)
        topic = pick(wire.topics, *own, "topic")
        fill = {word: pick(words, *own, word) for word, words in wire.fill.items()}
        fill |= {"name": name, "topic": topic}
        news.append((sentence(pick(sentences.news, *own, "news"), fill),))
        filed = ""
        if day % _FILING_DAYS == 0:
            paper = pick(wire.papers, *own, "paper")
            filed = sentence(pick(sentences.filings, *own, "filing"), {**fill, "paper": paper})
        filings.append(filed)
        if coin(*own, "stay") > _STAY:
            regime = pick(range(len(REGIMES)), *own, "regime")
        if day < count - 1:
            sign = rule.sign(topic, paper, _said(closes))
            closes.append(_next(closes[-1], REGIMES[regime], sign * rule.strength, *own))
    return Series(name, tuple(closes), tuple(news), tuple(filings))


def _said(closes: list[float]) -> str:
    past = len(closes) > MOMENTUM_DAYS
    return trend(closes[-1] / closes[-1 - MOMENTUM_DAYS] - 1 if past else None)


def _next(close: float, regime: Regime, foretold: float, *key: object) -> float:
    noise = _NORMAL.inv_cdf(max(coin(*key, "noise"), _LEAST))
    moved = close * math.exp(regime.drift + foretold + regime.spread * noise)
    # A price in cents is the same on every machine.
    return max(round(moved, 2), 0.01)

"""Two runs of one task side by side. Pure, but for the one function that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..records import RunRecord, Split, Status
from ..stats import DIFFERENCES, Interval, differences, intervals, shared_mean, sign_flip
from ..store import Store
from ..text import plural
from .rows import check_measured, figures_of
from .tables import Cell, Table
from .trading import RETURN, ReturnPair, return_pairs
from .wording import figure, odds, rule, setting, span

_RATE = 2
"""Digits of a rate, as in the tables of a run."""
_METHOD = "settings."
"""So begin the settings of the method itself, some of which the run repeats."""
_KEPT = 64
"""Pairs of runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a comparison needs of one run."""

    record: RunRecord
    figures: Mapping[str, Any]
    texts: tuple[str, ...]
    """Of usable lessons of the arm `learned`, first seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPair:
    """One arm in both runs."""

    arm: str
    one: float | None
    """Over all instances of the run, as are its figures; so is the other."""
    other: float | None
    shared: tuple[float, float] | None
    """Both over the instances and seeds that both have; None where they share none."""
    difference: float | None
    """Other minus one, paired by instance and seed; None where they share none."""
    low: float | None
    high: float | None
    p: float | None
    """How often chance makes a difference as large."""
    n: int
    tokens: tuple[int | None, int | None]
    """None of a run that does not have the arm."""

    @property
    def shown(self) -> tuple[float | None, float | None]:
        """What stands beside the difference: the means that it is of, where there is one."""
        return self.shared or (self.one, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    one: RunRecord
    other: RunRecord
    arms: tuple[ArmPair, ...]
    returns: tuple[ReturnPair, ...]
    """What they earned, on a task that is traded."""
    settings: tuple[tuple[str, str, str], ...]
    """(name, in one, in the other) of what differs."""
    both: tuple[str, ...]
    """Texts of lessons that both learned."""
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]


def read_side(store: Store, run: str) -> Side:
    """The run whose id begins with `run`.

    Raises `UnknownNameError`, and `ConfigurationError` for what was recorded while serving.
    """
    record = store.run(run)
    check_measured(record)
    # The figures that a run ended with need no episodes.
    episodes = () if record.result else store.episodes(run=record.id, steps=False)
    figures = figures_of(store, record, episodes)
    branches = [b for b in store.branches(record.id) if b.arm == "learned"]
    said = store.said(branches[0].id, (Status.ACTIVE, Status.PROVISIONAL)) if branches else ()
    return Side(
        record=record,
        figures=figures,
        texts=tuple(dict.fromkeys(map(rule, said))),
    )


def compare(store: Store, one: Side, other: Side, kept: Kept | None = None) -> Comparison:
    """`one` and `other` by arm, setting and lesson.

    Args:
        store: Where both are.
        one: The first.
        other: What the first is taken from.
        kept: What has been compared before.

    Raises:
        ConfigurationError: They are of different tasks, or one is simulated and the other is not.
    """
    check_alike(one.record, other.record)
    texts = [dict.fromkeys(side.texts) for side in (one, other)]
    return Comparison(
        one=one.record,
        other=other.record,
        arms=(kept or Kept()).pairs(store, one, other),
        returns=return_pairs(one.figures, other.figures),
        settings=differing(one.record.config, other.record.config),
        both=tuple(t for t in texts[0] if t in texts[1]),
        only_one=tuple(t for t in texts[0] if t not in texts[1]),
        only_other=tuple(t for t in texts[1] if t not in texts[0]),
    )


def check_alike(one: RunRecord, other: RunRecord) -> None:
    """Raise `ConfigurationError` where figures of the two must not stand side by side."""
    if one.task != other.task:
        raise ConfigurationError(
            f"{one.id} is of {one.task}, {other.id} of {other.task}; compare two of one task"
        )
    if one.simulated != other.simulated:
        fake = one.id if one.simulated else other.id
        raise ConfigurationError(
            f"run {fake} is simulated and the other is not; compare two of a kind"
        )


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The settings that differ, with both values; what is told twice in a configuration once."""
    flat = [dict(_flat(config)) for config in (one, other)]
    pairs = {
        name: (flat[0].get(name, "–"), flat[1].get(name, "–"))
        for name in sorted(flat[0].keys() | flat[1].keys())
    }
    return tuple(
        (name, *pair)
        for name, pair in pairs.items()
        if pair[0] != pair[1]
        and not (name.startswith(_METHOD) and pairs.get(name.removeprefix(_METHOD)) == pair)
    )


def arms_table(found: Comparison) -> Table:
    """The arms of both runs."""
    rows: list[tuple[Cell, ...]] = [
        (
            pair.arm,
            *(figure(value, digits=_RATE) for value in pair.shown),
            figure(pair.difference, signed=True, digits=_RATE),
            span((pair.low, pair.high), signed=True, digits=_RATE),
            odds(pair.p),
            pair.n,
            *pair.tokens,
        )
        for pair in found.arms
    ]
    heads = (
        "arm",
        "first",
        "second",
        "difference",
        "95 %",
        "p",
        "paired",
        "tokens",
        "tokens 2",
    )
    return Table(
        name="comparison",
        caption="Success by arm, over what both have",
        heads=heads,
        rows=tuple(rows),
    )


def whole(found: Comparison) -> tuple[str, ...]:
    """A line for each arm of which the runs have more than they share: what all of that is."""
    told: list[tuple[ArmPair | ReturnPair, str, str]] = [
        *((pair, "solved", "instance") for pair in found.arms),
        *((pair, "earned", "period") for pair in found.returns),
    ]
    return tuple(
        f"{pair.arm}: over all of its own the first run {did} {_said(pair.one, did)}, the second"
        f" {_said(pair.other, did)}; the table is over {plural(pair.n, f'shared {what}')}"
        for pair, did, what in told
        if pair.shared is not None
        and [_said(value, did) for value in pair.shared]
        != [_said(value, did) for value in (pair.one, pair.other)]
    )


def _said(value: float | None, did: str) -> str:
    earned = did == "earned"
    return figure(value, signed=earned, digits=RETURN if earned else _RATE)


def settings_table(found: Comparison) -> Table:
    """The settings that differ."""
    return Table(
        name="settings",
        caption="Settings that differ",
        heads=("setting", "first", "second"),
        rows=found.settings,
    )


class Kept:
    """The arms of the pairs of runs compared last: what has ended stays as it is."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[object, tuple[ArmPair, ...]]] = {}

    def pairs(self, store: Store, one: Side, other: Side) -> tuple[ArmPair, ...]:
        """The arms of either, side by side."""
        records = (one.record, other.record)
        # A run that is tried again ends with other figures, which hold digests of its episodes.
        ends = [(r.status, r.result) for r in records]
        key = (one.record.id, other.record.id)
        if key in self._found and self._found[key][0] == ends:
            return self._found[key][1]
        found = arm_pairs(store, one, other)
        if all(r.status == "done" and r.result for r in records):
            self._found[key] = (ends, found)
            while len(self._found) > _KEPT:
                self._found.pop(next(iter(self._found)), None)
        return found

    def clear(self) -> None:
        """Forget all."""
        self._found.clear()


def arm_pairs(store: Store, one: Side, other: Side) -> tuple[ArmPair, ...]:
    """The arms of either, side by side."""
    solved = [_solved(store, side) for side in (one, other)]
    arms = tuple(dict.fromkeys((*one.figures["arms"], *other.figures["arms"])))
    both = [(solved[1].get(arm), solved[0].get(arm)) for arm in arms]
    first = [None if ours is None or theirs is None else shared_mean(theirs, ours)
             for ours, theirs in both]  # fmt: skip
    apart = [[] if ours is None or theirs is None else differences(ours, theirs)
             for ours, theirs in both]  # fmt: skip
    sides = [[side.figures["arms"].get(arm) for side in (one, other)] for arm in arms]
    return tuple(map(_arm, arms, sides, first, apart, intervals(apart, DIFFERENCES)))


def _arm(
    arm: str,
    sides: Sequence[Mapping[str, Any] | None],
    first: float | None,
    means: Sequence[float],
    found: Interval | None,
) -> ArmPair:
    chance = sign_flip(means)
    low, high = (None, None) if found is None else found.pair or (None, None)
    return ArmPair(
        arm=arm,
        one=sides[0]["success_rate"] if sides[0] else None,
        other=sides[1]["success_rate"] if sides[1] else None,
        shared=None
        if first is None or found is None
        else (round(first, 4), round(first + found.mean, 4)),
        difference=None if found is None else round(found.mean, 4),
        low=low,
        high=high,
        p=None if chance is None else round(chance, 4),
        n=0 if found is None else found.n,
        tokens=(_tokens(sides[0]), _tokens(sides[1])),
    )


def _solved(store: Store, side: Side) -> dict[str, dict[tuple[str, int], float]]:
    """By arm with trials, what was solved after its last one, on the split that is reported."""
    split: Split = "test" if side.figures["split"]["reported"] == "test" else "train"
    trials = {arm: len(of["success_by_trial"]) for arm, of in side.figures["arms"].items()}
    run = side.record.id
    return {arm: store.solved(run, arm, split, k) for arm, k in trials.items() if k}


def _tokens(arm: Mapping[str, Any] | None) -> int | None:
    if arm is None:
        return None
    return sum(int(t["input"] + t["cached"] + t["output"]) for t in arm["tokens"].values())


def _flat(config: Mapping[str, Any], lead: str = "") -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += _flat(value, f"{lead}{key}.")
        else:
            found.append((f"{lead}{key}", setting(value)))
    return found

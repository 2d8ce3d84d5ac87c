"""`prices:FILE` and `prices:FOLDER`: the trading task on prices and news of the user's own.

The first days are for training, later ones for the test: time is never shuffled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from ...errors import ConfigurationError, DataError
from ...ids import sha256_json
from ...records import Instance, Origin, Split
from ..base import Card, Environment, Policy, Problem, WorldTask
from ..desk import Desk, Terms, plainly
from ..market import Market, Series
from ..questions import TRAIN_SHARE
from ..trading import by_mean_variance, goal
from .quotes import Quotes, Reading, read_quotes
from .rows import Dataset

KIND = "prices"
_ENDS = (".csv", ".json", ".csv.gz", ".json.gz")
_DAY = r"(\d{4}-\d\d-\d\d)?"
_SPAN = re.compile(rf"{_DAY}\.\.{_DAY}|0?\.\d+")
_SPLITS: tuple[Split, Split] = ("train", "test")


class Settings(Reading):
    """What may follow `prices:PATH` after a question mark."""

    horizon: int = Field(default=20, ge=2)
    """Days of a period; more than there are: all of a split in one."""
    cost: float = Field(default=0.001, ge=0, lt=0.1)
    share: float = Field(default=0.05, gt=0, le=1)
    train: str = ""
    """The days to learn from, such as 2022-01-03..2022-10-04, or their share, such as 0.6.

    A span may leave out either end. Empty: all before the test, or 70 % of the days.
    """
    test: str = ""
    """The days of the test, such as 2022-10-05..2023-06-10; empty: all after those of training."""


_WANTED = {
    "horizon": "a whole number of days, at least 2",
    "cost": "a share from 0 to below 0.1, such as 0.001",
    "share": "a share above 0 and at most 1",
    "price": "adjusted or close",
    "max_gap": "a whole number of days, at least 1",
}


class PriceDay(NamedTuple):
    """One day of all assets, in the order of `names`."""

    day: str
    names: tuple[str, ...]
    closes: tuple[float, ...]
    news: tuple[tuple[str, ...], ...]
    filings: tuple[str, ...]


def is_prices(path: Path) -> bool:
    """Whether `path` is a csv, or a folder with one."""
    return path.name.endswith((".csv", ".csv.gz")) or (path.is_dir() and any(path.glob("*.csv")))


def read_prices(path: Path, how: Reading | None = None) -> Dataset[PriceDay]:
    """The days of a file, or of all files of a folder, which must have the same ones.

    Raises:
        DataError: A file cannot be used, or two do not go together.
    """
    how, today = how or Reading(), date.today()
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(_ENDS))
        if len(files) < 2:
            raise DataError(f"{path}: {len(files)} price files; a folder needs two or more")
    found = [read_quotes(file, how, today) for file in files]
    for file, quotes in zip(files[1:], found[1:], strict=True):
        _check_pair(found[0], quotes, file)
    names = tuple(quotes.name for quotes in found)
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two files are of the same ticker: {', '.join(sorted(names))}")
    first = found[0]
    days = tuple(
        PriceDay(
            str(day),
            names,
            tuple(quotes.closes[n] for quotes in found),
            tuple(quotes.news[n] for quotes in found),
            tuple(quotes.filings[n] for quotes in found),
        )
        for n, day in enumerate(first.days)
    )
    layout = f"{first.layout}, {', '.join(names)}, {first.basis}"
    notes = [f"{days[0].day} to {days[-1].day}"]
    for file, quotes in zip(files, found, strict=True):
        place = f"{file.name}: " if len(files) > 1 else ""
        notes += [f"{place}{note}" for note in quotes.notes]
    if any(any(day.news) for day in days):
        notes.append(f"days without news: {sum(not any(day.news) for day in days)}")
    return Dataset(KIND, layout, days, (), tuple(notes))


def _check_pair(one: Quotes, other: Quotes, file: Path) -> None:
    if one.basis != other.basis:
        raise DataError(
            f"{file}: {other.basis}, but {one.name} has {one.basis}: adjusted and unadjusted "
            "prices must not be mixed; take all files from one source"
        )
    if one.currency != other.currency:
        raise DataError(
            f"{file}: 2 currencies: {other.currency or 'none named'} here, "
            f"{one.currency or 'none named'} for {one.name}; convert them first"
        )
    apart = sorted(set(one.days) ^ set(other.days))
    if apart:
        lacks = other.name if apart[0] in set(one.days) else one.name
        raise DataError(f"{file}: {one.name} and {other.name} differ: {lacks} lacks {apart[0]}")


class PriceWorld:
    """The periods of a market that really was."""

    def __init__(self, days: Sequence[PriceDay], settings: Settings) -> None:
        names = days[0].names
        series = (
            Series(
                name,
                tuple(day.closes[n] for day in days),
                tuple(day.news[n] for day in days),
                tuple(day.filings[n] for day in days),
            )
            for n, name in enumerate(names)
        )
        self.market = Market(tuple(day.day for day in days), tuple(series))
        weigh = plainly if len(names) == 1 else by_mean_variance
        self._terms = Terms(settings.cost, settings.share, weigh)
        self.spans = spans_of(self.market.days, settings)
        self._periods: dict[Split, tuple[tuple[int, int], ...]] = {
            split: periods(*span, settings.horizon) for split, span in self.spans.items()
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Which days are for what."""
        days = self.market.days
        told = [f"{name} {days[a]} to {days[b]}" for name, (a, b) in self.spans.items()]
        return (", ".join(told),)

    @property
    def max_steps(self) -> int:
        """The days of the longest period."""
        return max(last - first for found in self._periods.values() for first, last in found)

    @property
    def least_steps(self) -> int:
        """The days of the shortest period."""
        return min(last - first for found in self._periods.values() for first, last in found)

    @property
    def inline(self) -> bool:
        """Weights of several assets take most of a millisecond."""
        return len(self.market.assets) == 1

    def size(self, split: Split, /) -> int | None:
        """The periods of `split`."""
        return len(self._periods[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Period number `index` of `split`, named by its first day."""
        first, last = self._periods[split][index]
        asked = goal(self.market.names, last - first, self._terms.cost)
        data: dict[str, JsonValue] = {"first": first, "last": last}
        return Problem(asked, data, name=self.market.days[first])

    def environment(self, instance: Instance, /) -> Environment:
        """One period."""
        return self.desk(instance)

    def desk(self, instance: Instance) -> Desk:
        """The desk on which `instance` is traded."""
        first, last = instance.data["first"], instance.data["last"]
        if not isinstance(first, int) or not isinstance(last, int):
            raise DataError("prices: the instance names no days")
        return Desk(self.market, first, last, self._terms)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows every close."""
        return self.desk(instance).oracle()


def spans_of(days: Sequence[str], settings: Settings) -> dict[Split, tuple[int, int]]:
    """The first and last day of each split by place; the last one ends what was held before it.

    Raises:
        DataError: A span is none, or has no two days in the file, or the test does not follow the
            training.
    """
    last = len(days) - 1
    for name, said in (("train", settings.train), ("test", settings.test)):
        if said and not _SPAN.fullmatch(said):
            raise DataError(
                f"{name}={said}: give days such as 2022-01-03..2022-10-04, or for train their "
                "share, such as 0.6"
            )
    if _is_share(settings.test):
        raise DataError(f"test={settings.test}: name days, or give the share as train=")
    test = _places(days, "test", settings.test) if settings.test else None
    if settings.train and not _is_share(settings.train):
        train = _places(days, "train", settings.train)
    else:
        whole = last if test is None else test[0]
        share = float(settings.train) if settings.train else TRAIN_SHARE if test is None else 1.0
        train = (0, int(whole * share))
    test = test or (train[1], last)
    if test[0] < train[1]:
        raise DataError(
            f"test begins on {days[test[0]]}, before training ends on {days[train[1]]}: "
            "what is learned would know the test; let it follow"
        )
    for name, (first, end) in (("train", train), ("test", test)):
        if end <= first:
            raise DataError(f"{name}: no two days from {days[first]} on; give it more of the file")
    return {"train": train, "test": test}


def _is_share(text: str) -> bool:
    return bool(text) and ".." not in text


def _places(days: Sequence[str], name: str, span: str) -> tuple[int, int]:
    begin, _, end = span.partition("..")
    inside = [n for n, day in enumerate(days) if begin <= day and (not end or day <= end)]
    if not inside:
        raise DataError(f"{name}={span}: no day of the file, which has {days[0]} to {days[-1]}")
    return inside[0], inside[-1]


def periods(start: int, stop: int, days: int) -> tuple[tuple[int, int], ...]:
    """`start` to `stop` in periods of `days`; a rest of one day is left out."""
    found = ((first, min(first + days, stop)) for first in range(start, stop, days))
    return tuple((first, last) for first, last in found if last - first > 1)


def load_prices(
    path: Path, options: Mapping[str, Any], query: str, *, untrusted: bool = False
) -> WorldTask:
    """The task on the prices of `path`.

    Raises:
        ConfigurationError: An option cannot work.
        DataError: The file cannot be used.
    """
    try:
        given = {k: str(v) if k in ("ticker", *_SPLITS) else v for k, v in options.items()}
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_unfit(error)}") from error
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    data = read_prices(path, settings)
    try:
        world = PriceWorld(data.rows, settings)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    sizes = {split: world.size(split) or 0 for split in _SPLITS}
    suffix = f"?{query}" if query else ""
    used = settings.model_dump(mode="json")
    card = Card(
        id=f"{KIND}-{path.name.split('.')[0].lower()}{suffix}",
        summary=f"Trading on the prices of {path.name}.",
        learns="both",
        observations=Origin.UNTRUSTED if untrusted else Origin.TASK,
        max_steps=world.max_steps,
        inline=world.inline,
        default_train=max(sizes["train"], 1),
        default_instances=max(sum(sizes.values()), 1),
        ref=f"{KIND}:{path.resolve()}{suffix}",
        notes=(*data.lines(path.name), *world.notes),
        behaviour=sha256_json([used, [_plain(day) for day in data.rows]]),
    )
    return WorldTask(card, world)


def _unfit(error: ValidationError) -> str:
    """The first option that cannot be read: its name, its value, and what to give."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    return f"{name}={str(first['input'])[:40]}: give {_WANTED.get(name, first['msg'])}"


def _plain(day: PriceDay) -> JsonValue:
    news: JsonValue = [list(items) for items in day.news]
    return [day.day, list(day.names), list(day.closes), news, list(day.filings)]

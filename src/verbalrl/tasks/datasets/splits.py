"""How rows without a split of their own are divided: 70 to 30 by a hash of the id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...ids import coin
from ...records import Split
from ..questions import TRAIN_SHARE

T = TypeVar("T")


def by_hash(rows: Sequence[T], name: Callable[[T], str]) -> dict[Split, tuple[T, ...]]:
    """`rows` by split, in their order; of two rows or more neither side stays empty."""
    drawn = {name(row): coin("split", name(row)) for row in rows}
    low, high = min(drawn.values(), default=0.0), max(drawn.values(), default=0.0)
    below = min(max(TRAIN_SHARE, low + 1e-12), high) if len(drawn) > 1 else 1.0
    train = tuple(row for row in rows if drawn[name(row)] < below)
    test = tuple(row for row in rows if drawn[name(row)] >= below)
    return {"train": train, "test": test}

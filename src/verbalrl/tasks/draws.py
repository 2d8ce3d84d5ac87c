"""Draws for generated instances: pure functions of a key, equal on every machine and Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ..ids import coin

T = TypeVar("T")


def below(n: int, *key: Any) -> int:
    """A whole number from 0 to `n` - 1 that depends on `key` alone."""
    return int(coin(*key) * n)


def pick(items: Sequence[T], *key: Any) -> T:
    """One of `items`, each equally likely over keys."""
    return items[below(len(items), *key)]


def sample(items: Sequence[T], count: int, *key: Any) -> tuple[T, ...]:
    """`count` different places of `items` in drawn order (Fisher and Yates)."""
    rest = list(items)
    for at in range(count):
        other = at + below(len(rest) - at, *key, at)
        rest[at], rest[other] = rest[other], rest[at]
    return tuple(rest[:count])


def shuffled(items: Sequence[T], *key: Any) -> tuple[T, ...]:
    """`items` in drawn order."""
    return sample(items, len(items), *key)


def dealt(items: Sequence[T], index: int, *key: Any) -> T:
    """Item number `index` of an endless row in which every run of len(items) holds each once."""
    block, place = divmod(index, len(items))
    return shuffled(items, *key, block)[place]

"""What is made of a step once and used at every later step, for as long as the step lives.

An episode shows its agent the same step records again and again; they are told apart by identity,
because to hash or compare records would cost more than what is remembered here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import ref

from ..records import Step

V = TypeVar("V")


class PerStep(Generic[V]):
    """Values by step and what came after it; forgotten with the step."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[ref[Step], object, V]] = {}

    def get(self, step: Step, after: object, make: Callable[[], V]) -> V:
        """What `make` gave for `step` and `after`, made anew where either is another object."""
        identity = id(step)
        found = self._kept.get(identity)
        if found is not None and found[0]() is step and found[1] is after:
            return found[2]
        value = make()
        # The step may end in any thread; taking one key out of a dict is safe there.
        gone = ref(step, lambda _: self._kept.pop(identity, None))
        self._kept[identity] = (gone, after, value)
        return value

    def __len__(self) -> int:
        return len(self._kept)

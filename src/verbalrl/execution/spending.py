"""What `learned` spends, instance by instance, so that another arm can spend as much."""

from __future__ import annotations

from collections import Counter

from ..lanes import Place
from ..methods import BEST_OF_N, LEARNED
from ..records import InstanceView, LaneKey, Usage
from .plan import RunPlan

Spent = tuple[int, str]
"""(seed, instance)."""


class Spending:
    """Tokens of the arm `learned`: all roles, calls of critic and curator too."""

    def __init__(self, plan: RunPlan) -> None:
        self._wanted = BEST_OF_N in plan.arms
        self._read = frozenset(i.id for i in plan.read)
        self._tokens: Counter[Spent] = Counter()
        self._common: Counter[int] = Counter()
        """By seed, what served all."""

    def count(self, place: Place, usage: Usage) -> None:
        """Count what a piece of work cost; rows of an earlier session count alike."""
        if self._wanted and place.lane.arm == LEARNED:
            view = place.view
            instance = view.instance.id if isinstance(view, InstanceView) else ""
            seed = place.lane.seed
            if instance in self._read:
                self._tokens[seed, instance] += usage.total
            else:
                self._common[seed] += usage.total

    def allowance(self, lane: LaneKey, instance: str) -> int | None:
        """What was spent on `instance`, and its share of what served all that are read.

        A method that learns shared lessons pays for them on other instances: on those it is read
        on, each bears an equal part.
        """
        if lane.arm != BEST_OF_N:
            return None
        share = self._common[lane.seed] // max(1, len(self._read))
        return self._tokens[lane.seed, instance] + share

"""UCB1 (Auer et al. 2002) among the options of rounds: what each has shown, and which come next.

Pure functions of closed rounds, so that a resumed run chooses alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..records import ClosedRound


class Arm(NamedTuple):
    """What one option has shown."""

    uses: int
    successes: int

    @property
    def mean(self) -> float:
        """The share of uses that succeeded; 0 without any."""
        return self.successes / self.uses if self.uses else 0.0


def statistics(names: Iterable[str], rounds: Sequence[ClosedRound]) -> dict[str, Arm]:
    """What each option has shown in closed rounds that learn; unknown outcomes do not count."""
    arms = {name: Arm(0, 0) for name in names}
    for closed in rounds:
        if closed.opened.evaluate:
            continue
        for e in closed.episodes:
            option = closed.opened.options.get(e.instance, "")
            if e.purpose == "attempt" and e.success is not None and option in arms:
                uses, successes = arms[option]
                arms[option] = Arm(uses + 1, successes + e.success)
    return arms


def choose(arms: dict[str, Arm], count: int, explore: float) -> tuple[str, ...]:
    """The next `count` options: each by UCB1, those before it counted as uses without an outcome.

    Options without a use come first; ties go to the earlier one.
    """
    uses = {name: arm.uses for name, arm in arms.items()}

    def index(name: str) -> float:
        if not uses[name]:
            return math.inf
        bonus = math.sqrt(2 * math.log(sum(uses.values())) / uses[name])
        return arms[name].mean + explore * bonus

    chosen = []
    for _ in range(count):
        best = max(uses, key=index)
        uses[best] += 1
        chosen.append(best)
    return tuple(chosen)

"""What a team's manager found of use in its analysts' reports, as each of them may be told.

The way back down of FinCon (Yu et al. 2024, arXiv 2407.06567, section 3): the manager alone knows
what its decisions brought; between episodes every analyst hears what its own reports were worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from ..records import Episode


class Standing(NamedTuple):
    """How one analyst's reports fared."""

    counted: int
    """Decisions for which its report was decisive or useful, as the manager said."""
    judged: int
    """Decisions after which the manager credited any report."""
    earned: float | None
    """The sum of the rewards of those that it counted for; None where none was given."""
    otherwise: float | None
    """The same of the other judged decisions."""


def standings(episodes: Iterable[Episode]) -> dict[str, Standing]:
    """By role, how its reports fared in `episodes`, without steps where nothing was credited."""
    found: dict[str, tuple[list[float | None], list[float | None]]] = {}
    for episode in episodes:
        for step in episode.trajectory.steps:
            if not step.action.credits:
                continue
            counted = {c.report for c in step.action.credits if c.worth != "useless"}
            for n, report in enumerate(step.reports, 1):
                found.setdefault(report.role, ([], []))[n not in counted].append(step.reward)
    return {
        role: Standing(len(those), len(those) + len(others), _sum(those), _sum(others))
        for role, (those, others) in found.items()
    }


def standing_text(standing: Standing, *, percent: bool = False) -> str:
    """`standing` in a sentence for the analyst; `percent`: rewards are returns."""
    said = f"Your reports counted in {standing.counted} of {standing.judged} decisions"
    parts = [
        f"{where} {_shown(amount, percent)}"
        for where, amount in (
            ("in these the team earned", standing.earned),
            ("in the others", standing.otherwise),
        )
        if amount is not None
    ]
    return f"{said}; {', '.join(parts)}." if parts else f"{said}."


def credited(episodes: Iterable[Episode], *, percent: bool = False) -> dict[str, str]:
    """By role, what its analyst is to be told after `episodes`; without roles never judged."""
    return {r: standing_text(s, percent=percent) for r, s in standings(episodes).items()}


def _sum(rewards: list[float | None]) -> float | None:
    known = [reward for reward in rewards if reward is not None]
    return math.fsum(known) if known else None


def _shown(amount: float, percent: bool) -> str:
    return f"{amount * 100:+.1f} %" if percent else f"{amount:+.4g}"

"""How often a lesson was in a prompt. A prompt is what one role is asked at one step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .keeping import Carried


class Borne(NamedTuple):
    """An episode for whose prompts a lesson was considered."""

    episode: str
    run: str
    instance: str
    trial: int
    version: int
    outcome: str
    """`injected` where any prompt had it, else why it was left out first."""
    probability: float
    prompts: int
    """Those that had it; of an episode that left it out, those that did not."""
    simulated: bool
    """Whether it is of a run with a simulated model, whose figures say nothing of real ones."""
    success: bool | None


def borne(carried: Iterable[Carried]) -> tuple[Borne, ...]:
    """The uses of one lesson by episode, in their order.

    What was selected once for an episode stands in the prompts of all its steps.
    """
    found: dict[str, list[Carried]] = {}
    for use in carried:
        found.setdefault(use.episode, []).append(use)
    return tuple(map(_episode, found.values()))


def _episode(uses: list[Carried]) -> Borne:
    first = next((use for use in uses if use.outcome == "injected"), uses[0])
    alike = [use for use in uses if (use.outcome == "injected") == (first.outcome == "injected")]
    asked = {(use.role, use.step): 1 if use.step else max(1, use.steps) for use in alike}
    return Borne(
        episode=first.episode,
        run=first.run,
        instance=first.instance,
        trial=first.trial,
        version=first.version,
        outcome=first.outcome,
        probability=first.probability,
        prompts=sum(asked.values()),
        simulated=first.simulated,
        success=first.success,
    )

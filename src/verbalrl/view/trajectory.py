"""An attempt step by step, with what critics say of each step. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..records import Cause, Critique, Episode, Use


def citations(
    episode: Episode, critiques: Iterable[Critique]
) -> dict[int, tuple[tuple[str, Cause], ...]]:
    """(critique, cause) by the number of the step that they cite.

    A critique that read several attempts cites by trial, or by episode where trials do not tell
    them apart.
    """
    found: dict[int, list[tuple[str, Cause]]] = {}
    for critique in critiques:
        for cause in critique.causes:
            meant = cause.trial == episode.trial if cause.episode is None else None
            if meant or cause.episode == episode.id:
                found.setdefault(cause.step, []).append((critique.id, cause))
    return {step: tuple(causes) for step, causes in found.items()}


def alike(uses: Iterable[Use]) -> tuple[tuple[Use, ...], ...]:
    """What is selected step by step is mostly the same again: the uses that say the same."""
    found: dict[tuple[object, ...], list[Use]] = {}
    for use in uses:
        key = (use.lesson, use.version, use.outcome, use.block, use.probability)
        found.setdefault(key, []).append(use)
    return tuple(map(tuple, found.values()))


def steps_of(uses: tuple[Use, ...], episode: Episode) -> int:
    """For how many steps uses that say the same held; what was selected once held for all."""
    if uses[0].step:
        return len({use.step for use in uses})
    return max(1, len(episode.trajectory.steps))

"""An attempt step by step, with what critics say of each step. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..records import Cause, Critique, Episode


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

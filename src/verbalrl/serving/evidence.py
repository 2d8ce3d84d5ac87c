"""What stands behind the lessons of a scope: earlier critiques, and whose source was revoked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..critics import OPERATOR
from ..curators import sourced
from ..errors import UnknownNameError
from ..records import Critique, Episode, Evidence, Origin
from ..store import Store
from .decisions import outline, with_feedback
from .settings import ServeRules

SHOWN = 48
"""Earlier critiques that a curation may show again, at most."""


class Behind:
    """Critiques of one level of trust that were curated before, with their episodes."""

    def __init__(
        self, store: Store, level: Origin, new: Collection[str], rules: ServeRules
    ) -> None:
        self._store, self._level, self._new, self._rules = store, level, new, rules
        self.episodes: dict[str, Episode] = {}
        """By id, as the critics of this level see them."""

    def read(self, cited: Iterable[str]) -> tuple[Critique, ...]:
        """Of the critiques `cited`, the last ones that may be shown again."""
        names = [n for n in dict.fromkeys(cited) if n not in self._new]
        found = [c for n in names[-SHOWN:] if (c := self._critique(n)) is not None]
        return tuple(sorted(found, key=lambda c: (c.instance, c.episodes, c.id)))

    def _critique(self, name: str) -> Critique | None:
        critique = self._store.critique(name)
        if critique is None or critique.trust is not self._level:
            return None
        episodes = [self._episode(e, critique) for e in critique.episodes]
        if any(e is None for e in episodes):
            return None
        self.episodes |= {e.id: e for e in episodes if e is not None}
        return critique

    def _episode(self, name: str, critique: Critique) -> Episode | None:
        """The episode as the critic saw it; None for what was not served, or is erased."""
        episode = self._store.episode(name)
        try:
            served = self._store.served(name)
        except UnknownNameError:
            return None
        if episode is None or not episode.trajectory.steps:
            return None
        # What came later has a critique to come, and which of it is here already is chance.
        said = [f for f in self._store.feedback(name) if f.seq <= served.consumed]
        if critique.template == OPERATOR:
            return outline(episode, said, self._rules)
        return with_feedback(episode, said, served.source, self._rules)


def barred(
    store: Store,
    critiques: Iterable[Critique],
    episodes: Mapping[str, Episode],
    observations: Origin,
) -> frozenset[str]:
    """Those of `critiques` that stem from what a person has revoked."""
    bar = store.barred()
    if not bar:
        return frozenset()
    found = set()
    for critique in critiques:
        bare = Evidence(
            critique=critique.id,
            episode=critique.episodes[-1],
            instance=critique.instance,
            trial=critique.trial,
        )
        behind = sourced(bare, critique, episodes, observations)
        if bar.hits(behind) or any(e in bar.episodes for e in critique.episodes):
            found.add(critique.id)
    return frozenset(found)

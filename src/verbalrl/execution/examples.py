"""Attempts of closed rounds as examples: of each instance one, those of the nearest tasks first.

Which they are depends on closed rounds and the situation alone, so a resumed run finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..ids import seed_from
from ..memory import Recaller
from ..memory.pool import Shelf
from ..memory.recaller import Asker
from ..records import (
    Episode,
    EpisodeSpec,
    GuidanceSpec,
    LaneKey,
    Lesson,
    LessonBody,
    LessonKind,
    Origin,
    Status,
)
from ..store import Store

_NEAR_ROUNDS = 8
"""Shelves kept: of so many arms, seeds and rounds that are under way."""


@dataclass(frozen=True, slots=True)
class _Kept:
    episodes: Mapping[str, Episode]
    shelf: Shelf


@dataclass(slots=True)
class Examples:
    """Finds examples; what it keeps only saves reading the rows again."""

    _kept: dict[tuple[str, int, str], _Kept] = field(default_factory=dict)

    async def nearest(
        self,
        wanted: GuidanceSpec,
        spec: EpisodeSpec,
        lane: LaneKey,
        situation: str,
        *,
        store: Store,
        goals: Mapping[str, str],
        memory: Recaller,
        asker: Asker,
    ) -> tuple[Episode, ...]:
        """At most `wanted.examples` attempts, that of the nearest task first.

        A success at the very instance is left out: it would give the answer away.
        """
        kept = self._at(wanted, spec, lane, store, goals)
        if not kept.episodes:
            return ()
        ranking = await memory.ranking(kept.shelf, situation, asker)
        order = sorted(
            range(len(ranking.items)),
            key=lambda n: (-float(ranking.scores[n]), ranking.items[n].content),
        )
        if wanted.mispaired:
            order.sort(
                key=lambda n: seed_from("mispaired", spec.instance, ranking.items[n].content)
            )
        found = [kept.episodes[ranking.items[n].lesson.id] for n in order]
        barred = store.barred().episodes
        own = spec.instance if wanted.examples_of == "success" else None
        free = [e for e in found if e.instance != own and e.id not in barred]
        return tuple(free[: wanted.examples])

    def _at(
        self,
        wanted: GuidanceSpec,
        spec: EpisodeSpec,
        lane: LaneKey,
        store: Store,
        goals: Mapping[str, str],
    ) -> _Kept:
        key = (lane.branch, spec.round, wanted.examples_of)
        if key not in self._kept:
            if len(self._kept) >= _NEAR_ROUNDS:
                del self._kept[next(iter(self._kept))]
            rows = store.episodes(run=lane.run, arm=lane.arm, seed=lane.seed, purpose="attempt")
            closed = [e for e in rows if e.spec.split == "train" and e.spec.round < spec.round]
            self._kept[key] = _shelved(_chosen(closed, wanted.examples_of), goals)
        return self._kept[key]


def _chosen(episodes: Iterable[Episode], of: str) -> list[Episode]:
    """Of each instance its shortest success, or its last failure."""
    found: dict[str, Episode] = {}
    for e in sorted(episodes, key=lambda e: (e.instance, e.trial)):
        if (
            e.status != "finished"
            or not e.trajectory.steps
            or (e.success is True) != (of == "success")
        ):
            continue
        known = found.get(e.instance)
        shorter = known is None or len(e.trajectory.steps) < len(known.trajectory.steps)
        if shorter or of == "failure":
            found[e.instance] = e
    return list(found.values())


def _shelved(episodes: Iterable[Episode], goals: Mapping[str, str]) -> _Kept:
    by_id = {e.id: e for e in episodes}
    return _Kept(by_id, Shelf.of([_entry(e, goals) for e in by_id.values()], GuidanceSpec()))


def _entry(episode: Episode, goals: Mapping[str, str]) -> Lesson:
    """What of an attempt is compared with a situation: its goal, and what was seen first."""
    seen = episode.trajectory.steps[0].observation.text
    text = f"{goals.get(episode.instance, '')}\n{seen}"
    # The instance keeps two tasks in equal words apart.
    body = LessonBody(
        kind=LessonKind.EXEMPLAR, when=text, audience=episode.instance, instruction=""
    )
    return Lesson(id=episode.id, scope="", body=body, status=Status.ACTIVE, trust=Origin.TASK)

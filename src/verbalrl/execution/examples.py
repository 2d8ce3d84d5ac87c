"""Attempts of closed rounds as examples: of each instance one, those of the nearest tasks first.

Which they are depends on closed rounds and the situation alone, so a resumed run finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


@dataclass(slots=True)
class Examples:
    """Finds examples; what it keeps only saves reading the rows again."""

    _kept: dict[tuple[str, int, str], Shelf] = field(default_factory=dict)
    """Tasks in words, under the ids of the attempts at them."""

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
        shelf = self._at(wanted, spec, lane, store, goals)
        if not shelf.items:
            return ()
        if wanted.mispaired:
            items = sorted(
                shelf.items, key=lambda x: seed_from("mispaired", spec.instance, x.content)
            )
        else:
            ranking = await memory.ranking(shelf, situation, asker)
            by_score = sorted(
                zip(ranking.scores.tolist(), ranking.items, strict=True),
                key=lambda pair: (-pair[0], pair[1].content),
            )
            items = [item for _, item in by_score]
        found: list[Episode] = []
        for name in (item.lesson.id for item in items):
            if len(found) == wanted.examples:
                break
            episode = store.episode(name)
            own = episode is not None and episode.instance == spec.instance
            gives_away = own and wanted.examples_of == "success"
            if episode is not None and not gives_away and name not in store.barred().episodes:
                found.append(episode)
        return tuple(found)

    def _at(
        self,
        wanted: GuidanceSpec,
        spec: EpisodeSpec,
        lane: LaneKey,
        store: Store,
        goals: Mapping[str, str],
    ) -> Shelf:
        key = (lane.branch, spec.round, wanted.examples_of)
        if key not in self._kept:
            if len(self._kept) >= _NEAR_ROUNDS:
                del self._kept[next(iter(self._kept))]
            rows = store.episodes(
                run=lane.run, arm=lane.arm, seed=lane.seed, purpose="attempt", steps=False
            )
            closed = [e for e in rows if e.spec.split == "train" and e.spec.round < spec.round]
            chosen = _chosen(closed, wanted.examples_of, store)
            entries = [_entry(e, goals) for e in chosen]
            self._kept[key] = Shelf.of(entries, GuidanceSpec())
        return self._kept[key]


def _chosen(bare: Iterable[Episode], of: str, store: Store) -> Iterator[Episode]:
    """Of each instance its shortest success, or its last failure; one at a time is read whole."""
    by_instance: dict[str, list[str]] = {}
    for e in sorted(bare, key=lambda e: (e.instance, e.trial)):
        if e.status == "finished" and (e.success is True) == (of == "success"):
            by_instance.setdefault(e.instance, []).append(e.id)
    for names in by_instance.values():
        whole = (store.episode(name) for name in reversed(names))
        acted = [e for e in whole if e is not None and e.trajectory.steps]
        if acted and of == "success":
            yield min(acted[::-1], key=lambda e: len(e.trajectory.steps))
        elif acted:
            yield acted[0]


def _entry(episode: Episode, goals: Mapping[str, str]) -> Lesson:
    """What of an attempt is compared with a situation: its goal, and what was seen first."""
    seen = episode.trajectory.steps[0].observation.text
    text = f"{goals.get(episode.instance, '')}\n{seen}"
    # The instance keeps two tasks in equal words apart.
    body = LessonBody(
        kind=LessonKind.EXEMPLAR, when=text, audience=episode.instance, instruction=""
    )
    return Lesson(id=episode.id, scope="", body=body, status=Status.ACTIVE, trust=Origin.TASK)

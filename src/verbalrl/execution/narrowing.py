"""Shared lessons of which a method wants a part only: of the same topic, or the nearest."""

from __future__ import annotations

from collections.abc import Sequence

from ..memory.recaller import Asker
from ..records import EpisodeSpec, GuidanceSpec, Lesson
from .kit import Kit


async def narrowed(
    kit: Kit,
    lessons: Sequence[Lesson],
    wanted: GuidanceSpec,
    spec: EpisodeSpec,
    situation: str,
    asker: Asker,
) -> Sequence[Lesson]:
    """Those of `lessons` that `wanted.retrieval` lets through; conditions are tested afterwards."""
    if wanted.retrieval == "all" or wanted.source != "recall":
        return lessons
    if wanted.retrieval == "topic":
        topic = kit.topics.get(spec.instance, "")
        return tuple(x for x in lessons if topic and topic in _topics(kit, x))
    shelf = kit.memory.pool(lessons, (), wanted).shared
    if len(shelf.items) <= wanted.most:
        return lessons
    ranking = await kit.memory.ranking(shelf, situation, asker)
    order = sorted(
        range(len(ranking.items)),
        key=lambda n: (-float(ranking.scores[n]), ranking.items[n].content),
    )
    near = {ranking.items[n].lesson.id for n in order[: wanted.most]}
    return tuple(x for x in lessons if x.id in near)


def _topics(kit: Kit, lesson: Lesson) -> set[str]:
    """Of the instances that it was drawn from; those of other runs are not known here."""
    return {kit.topics.get(e.instance, "") for e in lesson.evidence}

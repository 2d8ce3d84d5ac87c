"""Lessons whose conditions and instructions are paired anew: what `shuffled` shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..records import Lesson, Origin

_KEPT = 16
"""Views of so many arms, seeds and rounds are under way at once, at most."""


def mispaired(lessons: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """The usable ones of `lessons`, each with the instruction of the next in the order of content.

    Every lesson gets the instruction of another one, whatever the order they came in. Where all
    say the same there is nothing to pair anew, and none is shown.
    """
    ordered = sorted((x for x in lessons if x.usable), key=lambda x: (x.body.content, x.id))
    said = Counter(x.instruction for x in ordered)
    if len(said) < 2:
        return ()
    by_instruction = sorted(ordered, key=lambda x: x.instruction)
    most = max(said.values())
    # A turn by the longest run of equal instructions gives nobody his own, where that can be.
    turned = by_instruction[most:] + by_instruction[:most]
    pairs = zip(by_instruction, turned, strict=True)
    return tuple(_with(x, other) for x, other in pairs if other.instruction != x.instruction)


def _with(lesson: Lesson, other: Lesson) -> Lesson:
    body = lesson.body.replace(instruction=other.instruction, name="")
    return lesson.replace(body=body, trust=Origin.minimum((lesson.trust, other.trust)))


class Mispairs:
    """Keeps what it made of the lessons of views, which all prompts of a round share."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Sequence[Lesson], tuple[Lesson, ...]]] = {}

    def of(self, lessons: Sequence[Lesson]) -> tuple[Lesson, ...]:
        """`mispaired` lessons; the same object for as long as `lessons` are the same."""
        found = self._made.get(id(lessons))
        if found is None:
            if len(self._made) >= _KEPT:
                del self._made[next(iter(self._made))]
            # The lessons are kept with it, so that their id cannot come to mean others.
            found = self._made[id(lessons)] = (lessons, mispaired(lessons))
        return found[1]

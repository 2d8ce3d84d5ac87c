"""The coin of the gate `measured`: which lessons on trial one prompt is to do without. Pure.

What a lesson does is seen by withholding it at random. The coin is a hash of seed, instance, trial
and content, so that no clock, no order and no name of a run decides. Only lessons whose condition
holds are tossed for: the others would not have been there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..ids import coin
from ..records import Guidance, GuidanceSpec, Lesson, LessonKind, Status
from .applies import fits

Draw = tuple[int, str, int]
"""Seed, instance and trial of the episode."""


class Toss(NamedTuple):
    """What the coin decided for one prompt."""

    spec: GuidanceSpec
    """What is asked for, with the lessons forced out that the coin withholds."""
    eligible: frozenset[str]
    """The lessons that were tossed for."""

    def recorded(self, guidance: Guidance) -> Guidance:
        """`guidance` with the probability of all that were tossed for, in or out."""
        if not self.eligible:
            return guidance
        chance = self.spec.chance
        uses = tuple(
            use.replace(probability=chance) if use.lesson in self.eligible else use
            for use in guidance.uses
        )
        return guidance.replace(uses=uses)


def toss(
    lessons: Iterable[Lesson],
    spec: GuidanceSpec,
    situation: str,
    draw: Draw,
    judged: Mapping[str, bool] = {},
) -> Toss:
    """Toss for the shared lessons on trial that `spec` may recall in this situation."""
    if spec.chance >= 1.0 or spec.source != "recall":
        return Toss(spec, frozenset())
    named = {*spec.force_in, *spec.force_out}
    tossed = [x for x in lessons if x.id not in named and _on_trial(x)]
    tossed = [x for x in tossed if fits(x, situation, judged)]
    out = tuple(x.id for x in tossed if _falls(x, draw) >= spec.chance)
    asked = spec.replace(force_out=(*spec.force_out, *out)) if out else spec
    return Toss(asked, frozenset(x.id for x in tossed))


def _on_trial(lesson: Lesson) -> bool:
    return lesson.status is Status.PROVISIONAL and lesson.kind is not LessonKind.REFLECTION


def _falls(lesson: Lesson, draw: Draw) -> float:
    seed, instance, trial = draw
    return coin("trial", seed, instance, trial, lesson.body.content)

"""The coin of the gate `measured`: which lessons on trial one prompt is to do without. Pure.

What a lesson does is seen by withholding it at random. The coin is a hash of seed, instance, trial
and content, so that no clock, no order and no name of a run decides. Only lessons whose condition
holds are tossed for: the others would not have been there anyway.

Under test are the provisional ones, and of the active ones a few per revision, chosen by a hash:
what helped once may not help for ever. What a person wrote or approved is in every prompt that it
fits; only a person retires it. Those under test stand in the volatile block while they are tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..ids import coin
from ..records import Guidance, GuidanceSpec, Lesson, LessonKind, Origin, Status
from .applies import fits

AUDITED = 2
"""Active lessons that are tested again at one revision."""

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
    revision: int | None = None,
) -> Toss:
    """Toss for the shared lessons under test that `spec` may recall in this situation.

    Active ones are tested at a `revision`; None: none of them is.
    """
    if spec.chance >= 1.0 or spec.source != "recall":
        return Toss(spec, frozenset())
    named = {*spec.force_in, *spec.force_out}
    shared = [x for x in lessons if x.id not in named and x.kind is not LessonKind.REFLECTION]
    again = audited(shared, revision)
    tossed = [x for x in shared if x.status is Status.PROVISIONAL or x.id in again]
    tossed = [x for x in tossed if fits(x, situation, judged)]
    out = tuple(x.id for x in tossed if _falls(x, draw) >= spec.chance)
    # In the stable block, one that comes and goes would break the prefix that prompts share.
    inside = tuple(x.id for x in tossed if x.id in again and x.id not in out)
    asked = spec
    if out or inside:
        asked = spec.replace(force_out=(*spec.force_out, *out), force_in=(*spec.force_in, *inside))
    return Toss(asked, frozenset(x.id for x in tossed))


def audited(lessons: Iterable[Lesson], revision: int | None) -> frozenset[str]:
    """The ids of the active lessons that are tested again at `revision`."""
    if revision is None:
        return frozenset()
    # What a person wrote or approved only a person retires: to withhold it would decide nothing.
    active = [x for x in lessons if x.status is Status.ACTIVE and x.trust is not Origin.OPERATOR]
    drawn = sorted(active, key=lambda x: coin("audit", revision, x.body.content))
    return frozenset(x.id for x in drawn[:AUDITED])


def _falls(lesson: Lesson, draw: Draw) -> float:
    seed, instance, trial = draw
    return coin("trial", seed, instance, trial, lesson.body.content)

"""The coin of the gate `measured`: which lessons on trial one prompt is to do without. Pure.

What a lesson does is seen by withholding it at random. The coin is a hash of seed, instance, trial
and content, so that no clock, no order and no name of a run decides. Only lessons whose condition
holds are tossed for: the others would not have been there anyway.

Under test are the provisional ones, and of the active ones a few per revision, chosen by a hash:
what helped once may not help for ever. Those stand in the volatile block while they are tested, as
far as there is room; untrusted ones compete as ever, since they may fill a part of a prompt only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..ids import coin
from ..records import Guidance, GuidanceSpec, Lesson, LessonKind, Origin, Status, Use
from .applies import fits
from .pool import Item, Room, asked

AUDITED = 2
"""Active lessons that are tested again at one revision, at most; and at most one in `_OF`."""
_OF = 10

Draw = tuple[int, str, int]
"""Seed, instance and trial of the episode."""


class Toss(NamedTuple):
    """What the coin decided for one prompt."""

    spec: GuidanceSpec
    """What is asked for, with the lessons forced out that the coin withholds."""
    eligible: frozenset[str]
    """The lessons that were tossed for."""
    let_in: tuple[Lesson, ...] = ()
    """Those of them that the coin let in."""

    def recorded(self, guidance: Guidance) -> Guidance:
        """`guidance` with the probability of all that were tossed for, in or out.

        Of what the coin let in and no room was left for, guidance names the best only. All are
        recorded: with them alone on one side, what is let in would be compared by how well it fits.
        """
        if not self.eligible:
            return guidance
        chance = self.spec.chance
        uses = [
            use.replace(probability=chance) if use.lesson in self.eligible else use
            for use in guidance.uses
        ]
        named = {use.lesson for use in uses}
        for lesson in self.let_in if uses else ():
            if lesson.id not in named:
                uses.append(_left_out(lesson, uses[-1], chance))
        return guidance.replace(uses=tuple(uses))


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
    wanted = (x for x in lessons if x.id not in named and asked(x, spec))
    shared = [x for x in wanted if x.kind is not LessonKind.REFLECTION]
    again = audited(shared, revision)
    tossed = [x for x in shared if x.status is Status.PROVISIONAL or x.id in again]
    tossed = [x for x in tossed if fits(x, situation, judged)]
    out = tuple(x.id for x in tossed if _falls(x, draw) >= spec.chance)
    # In the stable block, one that comes and goes would break the prefix that prompts share.
    let_in = tuple(x for x in tossed if x.id not in out)
    inside = _apart((x for x in let_in if x.id in again), Room(spec.budget))
    changed = spec
    if out or inside:
        forced = (*spec.force_in, *inside)
        changed = spec.replace(force_out=(*spec.force_out, *out), force_in=forced)
    return Toss(changed, frozenset(x.id for x in tossed), let_in)


def audited(lessons: Iterable[Lesson], revision: int | None) -> frozenset[str]:
    """The ids of the active lessons that are tested again at `revision`."""
    if revision is None:
        return frozenset()
    # Nothing that is seen retires what a person vouches for, so that is never left out.
    active = [x for x in lessons if x.status is Status.ACTIVE and x.trust is not Origin.OPERATOR]
    drawn = sorted(active, key=lambda x: coin("audit", revision, x.body.content))
    return frozenset(x.id for x in drawn[: min(AUDITED, len(active) // _OF)])


def _apart(tested: Iterable[Lesson], room: Room) -> tuple[str, ...]:
    """Those that go in whatever else does; what is forced in would pass by the bounds of `room`."""
    trusted = (x for x in tested if x.trust is not Origin.UNTRUSTED)
    return tuple(x.id for x in trusted if room.offer(Item.of(x)) == "injected")


def _left_out(lesson: Lesson, before: Use, chance: float) -> Use:
    """That there was no room for `lesson`, recorded after `before`."""
    return Use(
        lesson=lesson.id,
        version=lesson.version,
        content=lesson.body.content,
        rank=before.rank + 1,
        outcome="budget",
        probability=chance,
        step=before.step,
        role=before.role,
    )


def _falls(lesson: Lesson, draw: Draw) -> float:
    seed, instance, trial = draw
    return coin("trial", seed, instance, trial, lesson.body.content)

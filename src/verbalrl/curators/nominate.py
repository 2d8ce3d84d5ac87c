"""Which pairs of texts a curator is asked about: similarity nominates, and decides nothing.

A pair that was decided to stay is remembered by the contents of its two texts; it comes up again
only when one of them changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from ..ids import key_id
from ..records import Lesson, LessonBody, MemoryUpdate, Operation
from .desk import Desk
from .nearness import NEAR, nearness, opposed
from .schema import NominationView, OperationReply

MOST, MOST_EACH = 24, 3
"""Pairs that one call is asked about, and of one proposal."""


def nominate(
    proposals: Mapping[int, OperationReply], lessons: Mapping[int, Lesson]
) -> tuple[NominationView, ...]:
    """Pairs of a proposed new text and a lesson, then pairs of lessons, each the nearest first."""
    found: list[tuple[float, NominationView]] = []
    for n, op in proposals.items():
        if op.op == "add" and op.instruction.strip():
            near = sorted(_near(op, lessons), reverse=True)[:MOST_EACH]
            found += [
                (score, NominationView(proposal=n, lessons=(at,), opposed=opposed(op, lessons[at])))
                for score, at in near
            ]
    for (n, one), (m, other) in combinations(lessons.items(), 2):
        if not decided(one, other) and (score := nearness(one, other)) >= NEAR:
            view = NominationView(lessons=(n, m), opposed=opposed(one, other))
            found.append((score, view))
    ranked = sorted(found, key=lambda pair: (not pair[1].proposal, -pair[0]))
    return tuple(view for _, view in ranked[:MOST])


def _near(op: OperationReply, lessons: Mapping[int, Lesson]) -> list[tuple[float, int]]:
    scored = ((nearness(op, lesson), n) for n, lesson in lessons.items() if n not in op.lessons)
    return [(score, n) for score, n in scored if score >= NEAR]


def pair_key(one: LessonBody, other: LessonBody) -> str:
    """The key under which a decision on two texts is remembered, in either order."""
    return key_id("pair", *sorted((one.content, other.content)))


def decided(one: Lesson, other: Lesson) -> bool:
    """True when it was decided that these two texts both stay."""
    return bool(one.beside or other.beside) and pair_key(one.body, other.body) in (
        *one.beside,
        *other.beside,
    )


def flags(updates: Sequence[MemoryUpdate], desk: Desk) -> tuple[list[MemoryUpdate], list[str]]:
    """What marks new texts that contradict a lesson, and notes on all near pairs left undecided."""
    touched = {name for u in updates for name in (u.lesson, *u.parents)}
    asked = {u.lesson for u in updates if u.op is Operation.KEEP_BOTH}
    marked: list[MemoryUpdate] = []
    noted: list[str] = []
    for made in updates:
        new = made.op in (Operation.ADD, Operation.SUPERSEDE) and made.lesson not in asked
        if not new or made.body is None:
            continue
        near = _nearest(made.body, (x for x in desk.lessons.values() if x.id not in touched))
        if near is None:
            continue
        against = opposed(made.body, near.body)
        word = "contradicts" if against else "is near"
        noted.append(f"pair: {made.lesson} {word} {near.id}; nobody decided, both stay")
        if against:
            marked.append(
                MemoryUpdate(
                    op=Operation.KEEP_BOTH,
                    lesson=made.lesson,
                    parents=(near.id,),
                    trust=made.trust,
                    reason="near in words, of another polarity; nobody decided",
                )
            )
    return marked, noted


def _nearest(body: LessonBody, lessons: Iterable[Lesson]) -> Lesson | None:
    scored = [(nearness(body, x.body), x) for x in lessons]
    near = [pair for pair in scored if pair[0] >= NEAR]
    return max(near, key=lambda pair: pair[0])[1] if near else None

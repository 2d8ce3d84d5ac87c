"""From records and operations to what a curator is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..records import Critique, Lesson, bound_of_step
from .evidence import Item
from .schema import LessonView, OperationReply, OperationView, StepView


def lesson_view(alias: int, lesson: Lesson) -> LessonView:
    """A lesson of the list under its number."""
    return LessonView(
        alias=alias,
        name=lesson.name,
        when=lesson.when,
        when_not=lesson.when_not,
        instruction=lesson.instruction,
        support=lesson.votes.get("support", 0),
        against=lesson.votes.get("against", 0),
        aspect=lesson.body.aspect,
    )


def operation_view(alias: int, op: OperationReply) -> OperationView:
    """What a group proposed, under its number."""
    return OperationView(
        alias=alias,
        op=op.op,
        lessons=op.lessons,
        evidence=op.evidence,
        name=op.name,
        when=op.when,
        when_not=op.when_not,
        instruction=op.instruction,
        reason=op.reason,
        aspect=str(getattr(op, "aspect", "")),
    )


def groups_of(
    critiques: Sequence[str], evidence: Mapping[int, Item], size: int
) -> list[dict[int, Item]]:
    """The evidence of `critiques` cut after each `size` of them, by number; no group is empty."""
    groups = []
    for start in range(0, len(critiques), size):
        names = set(critiques[start : start + size])
        groups.append({n: x for n, x in evidence.items() if x.critique.id in names})
    return [group for group in groups if group]


def directions_of(critiques: Iterable[Critique]) -> tuple[str, ...]:
    """In which direction `critiques` of steps say that beliefs should change."""
    said = (critique.refinement for critique in critiques if critique.by_step)
    return tuple(dict.fromkeys(filter(None, said)))


def step_view(lines: int, overlap: float | None) -> StepView | None:
    """How far an edit of `lines` lines may go; None: as far as it likes."""
    most = bound_of_step(lines, overlap)
    if most is None or overlap is None:
        return None
    agreed = round(100 * overlap)
    return StepView(agreed=agreed, change=100 - agreed, lines=most)

"""The gate `measured`: what becomes of lessons by what withholding them has shown. Pure.

What is shown to help becomes active, what is shown to harm is retired, and so is what has been
tried often and helps nobody, since every prompt pays for it. What has a person's trust, because one
wrote it anew or approved it, only a person retires: of such a lesson the lists say that it harms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..effects import Effect, in_words
from ..records import Lesson, LessonKind, MemoryUpdate, Operation, Origin, Status
from ..store.tried import SEPARATOR
from ..store.trust import too_far


def by_content(effects: Mapping[str, Effect]) -> dict[str, dict[str, Effect]]:
    """Effects by the content of a lesson and the role that read it."""
    found: dict[str, dict[str, Effect]] = {}
    for name, effect in effects.items():
        content, _, role = name.partition(SEPARATOR)
        found.setdefault(content, {})[role] = effect
    return found


def decisions(lessons: Iterable[Lesson], effects: Mapping[str, Effect]) -> tuple[MemoryUpdate, ...]:
    """The updates that `effects`, by content and role, ask for, in the order of the lessons."""
    known = by_content(effects)
    made = (_decide(x, known.get(x.body.content, {})) for x in lessons if x.usable)
    return tuple(update for update in made if update is not None)


def _decide(lesson: Lesson, by_role: Mapping[str, Effect]) -> MemoryUpdate | None:
    if lesson.kind is LessonKind.REFLECTION:
        return None
    findings = {effect.finding: (role, effect) for role, effect in sorted(by_role.items())}
    provisional = lesson.status is Status.PROVISIONAL
    if "harms" in findings:
        return _update(lesson, Operation.RETIRE, Status.RETIRED, *findings["harms"])
    if "helps" in findings:
        up = provisional
        return (
            _update(lesson, Operation.ACTIVATE, Status.ACTIVE, *findings["helps"]) if up else None
        )
    if provisional and by_role and set(findings) == {"idle"}:
        return _update(lesson, Operation.RETIRE, Status.RETIRED, *findings["idle"])
    return None


def _update(
    lesson: Lesson, operation: Operation, status: Status, role: str, effect: Effect
) -> MemoryUpdate | None:
    if lesson.trust is Origin.OPERATOR:
        return None
    for_whom = "" if role == "actor" else f" for {role}"
    update = MemoryUpdate(
        op=operation,
        lesson=lesson.id,
        status=status,
        trust=lesson.trust,
        reason=f"measured{for_whom}: {in_words(effect)}",
    )
    return None if too_far(update, lesson, status) else update

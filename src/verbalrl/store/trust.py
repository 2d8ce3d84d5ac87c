"""How far a change may go for the trust of its text: pure rules that `reduce` holds updates to.

Three ways lead up: a person, corroboration, and the gate of a trusted text. Everything else stays
where it is or falls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from ..records import (
    Evidence,
    Lesson,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)

LIVE = (Status.QUARANTINED, Status.PROVISIONAL, Status.ACTIVE)
"""Statuses from which a lesson can still change, the lowest first."""

ENTRY: Mapping[Origin, tuple[Status, ...]] = {
    Origin.OPERATOR: (Status.ACTIVE, Status.PROVISIONAL, Status.QUARANTINED),
    Origin.TASK: (Status.PROVISIONAL, Status.ACTIVE, Status.QUARANTINED),
    Origin.UNTRUSTED: (Status.QUARANTINED,),
}
"""The statuses that a new lesson may enter by the trust of its text, the usual one first.
Reflections are free: they serve their own instance and branch only."""

REWRITES = (Operation.REVISE, Operation.MERGE, Operation.SUPERSEDE)
_WEAKENS = (Operation.RETIRE, Operation.SUSPEND, Operation.REVOKE, Operation.PURGE)


def corroboration(lesson: Lesson) -> tuple[Evidence, ...]:
    """Two pieces of evidence that confirm what an untrusted lesson says now; empty without.

    They stem from episodes of different instances and from different named sources, their critiques
    say the lesson themselves, and their verdicts agree with a reward that the agent did not supply.
    """
    content = lesson.body.content
    sound = [e for e in lesson.evidence if e.sound and e.sources and e.says == content]
    for one, other in combinations(sound, 2):
        apart = one.episode != other.episode and one.instance != other.instance
        if apart and not set(one.sources) & set(other.sources):
            return (one, other)
    return ()


def vote_of(evidence: Evidence, lesson: Lesson) -> str:
    """The name of the votes among which an episode that stands behind `lesson` is counted."""
    less_trusted = evidence.origin is Origin.UNTRUSTED and lesson.trust is not Origin.UNTRUSTED
    return "support_untrusted" if less_trusted else "support"


def trust_of(update: MemoryUpdate) -> Origin:
    """The trust of an update's text; one that names none is untrusted."""
    return update.trust or Origin.UNTRUSTED


def ceiling(update: MemoryUpdate, old: Lesson, parents: Iterable[Lesson]) -> Status:
    """The highest status that a live lesson may have after a rewriting.

    It stands no higher than the least of the texts that it was made from, and new words of
    untrusted text wait in quarantine, whatever the old ones had earned.
    """
    statuses, trusts = [old.status], [trust_of(update), old.trust]
    if update.body is None or old.kind is LessonKind.REFLECTION:
        return old.status
    if update.op is Operation.MERGE:
        merged = list(parents)
        statuses += [p.status for p in merged]
        trusts += [p.trust for p in merged]
    a_persons = trust_of(update) is Origin.OPERATOR
    untrusted = Origin.minimum(tuple(trusts)) is Origin.UNTRUSTED
    if untrusted and not a_persons and update.body.content != old.body.content:
        statuses.append(Status.QUARANTINED)
    return min(statuses, key=LIVE.index)


def too_far(update: MemoryUpdate, old: Lesson, status: Status) -> str:
    """Why `update` may not leave the lesson `old` in `status`; empty when it may."""
    asking, free = trust_of(update), old.kind is LessonKind.REFLECTION
    if update.op in _WEAKENS and not free and asking.rank < old.trust.rank:
        return f"{asking} text may not change {old.trust} {old.id}"
    if asking is Origin.OPERATOR:
        return ""
    if update.op is Operation.RESTORE and not free:
        trust = Origin.minimum((asking, old.trust))
        return "" if status in ENTRY[trust] else f"{trust} text may not come back as {status}"
    if update.op is Operation.ACTIVATE:
        return _unearned(old, status)
    return ""


def _unearned(old: Lesson, status: Status) -> str:
    """Why a lesson may not rise to `status` without a person."""
    if old.status is Status.ACTIVE:
        return "it is active already; only a person may vouch for it"
    if old.trust is not Origin.UNTRUSTED:
        return "" if old.status is Status.PROVISIONAL else "only a person may end its quarantine"
    if old.status is Status.QUARANTINED and status is Status.ACTIVE:
        return "it leaves quarantine as provisional"
    if old.body == LessonBody(kind=old.kind):
        return ""  # it was purged since, and this is its history
    return "" if corroboration(old) else "no two named sources confirm it"

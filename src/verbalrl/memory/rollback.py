"""Going back to an earlier revision of a scope: a new revision of inverse updates.

Texts and statuses go back; votes and evidence stay, they are facts. What was revoked since stays
revoked, and a lesson that lost support to a revocation keeps the text it has now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .. import markup
from ..errors import ConfigurationError
from ..records import Lesson, LessonBody, MemoryUpdate, Operation, Origin, Status
from ..store import LIVE, Store
from .changing import check_over, commits_of, leased

_OVER = (Status.REVOKED, Status.PURGED)


class Difference(NamedTuple):
    """A lesson at two revisions of its scope."""

    lesson: str
    before: Lesson | None
    """None where it was not there yet."""
    after: Lesson | None

    def _repr_html_(self) -> str:
        rows = [_shown(name, lesson) for name, lesson in (("-", self.before), ("+", self.after))]
        heads = ("", "status", "trust", "when", "not when", "instruction")
        return markup.table(self.lesson, heads, rows)


class RolledBack(NamedTuple):
    """What a rollback did."""

    revision: int
    """The new one."""
    changed: tuple[Difference, ...]
    kept: tuple[str, ...]
    """Lessons that a revocation since then keeps as they are."""


def differences(before: Iterable[Lesson], after: Iterable[Lesson]) -> tuple[Difference, ...]:
    """The lessons whose text, status or trust differs, in the order of `after`."""
    old, new = {x.id: x for x in before}, {x.id: x for x in after}
    pairs = [Difference(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new))]
    return tuple(p for p in pairs if _face(p.before) != _face(p.after))


def inverse(
    then: Iterable[Lesson], now: Iterable[Lesson], revoked: frozenset[str], revision: int
) -> tuple[tuple[MemoryUpdate, ...], tuple[str, ...]]:
    """The updates that bring `now` back to `then`, and the lessons that must stay as they are.

    `revoked`: lessons that a revocation has touched since.
    """
    was = {x.id: x for x in then}
    away: list[MemoryUpdate] = []
    back: list[MemoryUpdate] = []
    kept: list[str] = []
    lessons = list(now)
    fixed = {x.id for x in lessons if x.id in revoked or x.status in _OVER}
    taken = {x.body.content for x in lessons if x.id in fixed and x.status in LIVE}
    for lesson in lessons:
        old = was.get(lesson.id)
        wanted = None if old is None or old.status not in LIVE else old
        if lesson.id in fixed or (wanted is not None and wanted.body.content in taken):
            if _face(old) != _face(lesson):
                kept.append(lesson.id)
        elif wanted is None:
            if lesson.status in LIVE:
                away.append(_update(Operation.RETIRE, lesson, old, revision, Status.RETIRED))
        else:
            back += _returned(lesson, wanted, revision)
    return (*away, *back), tuple(kept)


async def rollback(store: Store, branch: str, scope: str, revision: int) -> RolledBack:
    """Bring `scope` of `branch` back to what it was at `revision`, as a new revision.

    Raises:
        ConfigurationError: There is no such revision, or the branch's run can be resumed.
        LeaseError: The lessons of the branch are being changed by somebody else.
    """
    check_over(store, branch)
    with leased(store, [branch], "rollback") as fences:
        newest = store.revision(branch, scope)
        check_revision(branch, scope, revision, newest)
        then = store.lessons(branch, scope, revision=revision)
        now = store.lessons(branch, scope)
        since = frozenset(
            u.lesson for r, u in store.updates(branch, scope) if r > revision and u.revokes
        )
        updates, kept = inverse(then, now, since, revision)
        made = commits_of(store, "rollback", {(branch, scope): updates})
        await store.put_commits(made, fences)
    after = store.lessons(branch, scope)
    return RolledBack(store.revision(branch, scope), differences(now, after), kept)


def check_revision(branch: str, scope: str, revision: int, newest: int) -> None:
    """Raise `ConfigurationError` unless the scope has had that revision."""
    if not 0 <= revision <= newest:
        raise ConfigurationError(
            f"scope {scope} of branch {branch} has no revision {revision}, the newest is {newest}"
        )


def _shown(mark: str, lesson: Lesson | None) -> tuple[object, ...]:
    if lesson is None:
        return (mark, "not there", None, None, None, None)
    body = lesson.body
    state = (lesson.status.value, lesson.trust.value)
    return (mark, *state, body.when, body.when_not, body.instruction)


def _face(lesson: Lesson | None) -> tuple[LessonBody, Status, Origin] | None:
    return None if lesson is None else (lesson.body, lesson.status, lesson.trust)


def _returned(lesson: Lesson, wanted: Lesson, revision: int) -> list[MemoryUpdate]:
    """A lesson with the text and the status that it had."""
    found: list[MemoryUpdate] = []
    status = lesson.status
    if status not in LIVE:
        found.append(_update(Operation.RESTORE, lesson, wanted, revision, wanted.status))
        status = wanted.status
    if lesson.body != wanted.body:
        revised = _update(Operation.REVISE, lesson, wanted, revision, status)
        found.append(revised.replace(body=wanted.body))
    if status is not wanted.status:
        rises = LIVE.index(wanted.status) > LIVE.index(status)
        op = Operation.ACTIVATE if rises else Operation.SUSPEND
        found.append(_update(op, lesson, wanted, revision, wanted.status))
    if not found and status is Status.ACTIVE and lesson.trust.rank > wanted.trust.rank:
        # It was vouched for since, and is no more; what changes otherwise takes its trust along.
        found.append(_update(Operation.ACTIVATE, lesson, wanted, revision, wanted.status))
    return found


def _update(
    op: Operation, lesson: Lesson, then: Lesson | None, revision: int, status: Status
) -> MemoryUpdate:
    return MemoryUpdate(
        op=op,
        lesson=lesson.id,
        status=status,
        trust=Origin.OPERATOR,
        reason=f"back to revision {revision}",
        undoes=revision,
        snapshot=then,
    )

"""How updates make lessons: pure functions and two tables.

`reduce` is the only place where a lesson changes. The lessons table of a store is what it makes of
the updates table; every prefix of the updates is a memory that once was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from ..errors import StorageError
from ..ids import key_id
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
from .trust import ENTRY, LIVE, REWRITES, ceiling, too_far, trust_of

_STAYS: Mapping[Status | None, tuple[Status | None, ...]] = {s: (s,) for s in LIVE}
_FALLS: Mapping[Status | None, tuple[Status | None, ...]] = {
    s: (s, *LIVE[:n][::-1]) for n, s in enumerate(LIVE)
}

TRANSITIONS: Mapping[Operation, Mapping[Status | None, tuple[Status | None, ...]]] = {
    Operation.ADD: {None: LIVE},
    Operation.REVISE: _FALLS,
    Operation.MERGE: {None: LIVE, **_FALLS},
    Operation.SUPERSEDE: {None: LIVE, **_FALLS},
    Operation.SUPPORT: _STAYS,
    Operation.VOTE: {s: (s,) for s in (*LIVE, Status.RETIRED, Status.SUPERSEDED)},
    Operation.ACTIVATE: {
        Status.QUARANTINED: (Status.ACTIVE, Status.PROVISIONAL),
        Status.PROVISIONAL: (Status.ACTIVE,),
        Status.ACTIVE: (Status.ACTIVE,),  # a person vouches for what is in use
    },
    Operation.SUSPEND: {
        Status.PROVISIONAL: (Status.QUARANTINED,),
        Status.ACTIVE: (Status.QUARANTINED, Status.PROVISIONAL),
    },
    Operation.RETIRE: {s: (Status.RETIRED,) for s in LIVE},
    Operation.REVOKE: {s: (Status.REVOKED,) for s in (*LIVE, Status.RETIRED, Status.SUPERSEDED)},
    Operation.RESTORE: {s: LIVE for s in (Status.RETIRED, Status.SUPERSEDED)},
    Operation.PURGE: {s: (Status.PURGED,) for s in Status if s is not Status.PURGED},
    Operation.KEEP_BOTH: _STAYS,
    Operation.REJECT: {None: (None,), **{s: (s,) for s in Status}},
}
"""From the status of the lesson named by an update (None: there is none) to the statuses that the
operation may leave it in. The first is taken when the update names none; where an update makes or
restores a lesson, its trust decides instead, and where it rewrites one, what the text was made
from. How far an update may go for the trust of its text `store.trust` says."""

PARENTS: Mapping[Operation, Mapping[Status, Status]] = {
    Operation.MERGE: {s: Status.SUPERSEDED for s in LIVE},
    Operation.SUPERSEDE: {s: Status.SUPERSEDED for s in LIVE},
}
"""What becomes of the lessons whose place the named lesson takes."""

MAKES = (Operation.ADD, Operation.MERGE, Operation.SUPERSEDE, Operation.RESTORE)
"""What may put another live text beside those that are there."""


def reduce(
    lessons: Iterable[Lesson],
    updates: Iterable[MemoryUpdate],
    revision: int,
    scope: str = "",
) -> tuple[Lesson, ...]:
    """The lessons of `scope` after the updates of `revision`, in the order (born, position).

    Raises `StorageError` on the first update that the tables do not allow; nothing is changed then.
    An update without a trust counts as untrusted. `scope` is for lessons that the updates make.
    """
    before = {lesson.id: lesson for lesson in sorted(lessons, key=_order)}
    return tuple(reduced(before, updates, revision, scope).state.values())


class Reduced(NamedTuple):
    """What updates make of the lessons of a scope."""

    state: dict[str, Lesson]
    """All of them by id, in the order (born, position)."""
    changes: dict[str, Lesson | None]
    """What those that differ were before, by id; None for new ones."""


def reduced(
    before: Mapping[str, Lesson], updates: Iterable[MemoryUpdate], revision: int, scope: str
) -> Reduced:
    """What `reduce` gives of lessons that are in order; what stays the same costs next to nothing.

    So that one lesson more in a scope of thousands is not a walk over all of them.
    """
    state, named = dict(before), dict[str, Lesson | None]()
    for position, update in enumerate(updates):
        apply(state, update, scope, (revision, position))
        for name in (update.lesson, *update.parents):
            named[name] = before.get(name)
    # Whether it is there at all: an update may refuse one, or name no more than another.
    changes = {name: old for name, old in named.items() if name in state and state[name] is not old}
    return Reduced(_in_order(state, len(before)), changes)


def _in_order(state: dict[str, Lesson], known: int) -> dict[str, Lesson]:
    """`state` sorted: what is new stands behind the `known` ones, and mostly belongs there."""
    # Nothing is kept of the places: what a large commit keeps, the garbage collector walks through.
    behind: tuple[int, int, str] | None = None
    for lesson in islice(reversed(state.values()), len(state) - known + 1):
        place = _order(lesson)
        if behind is not None and place > behind:
            return {lesson.id: lesson for lesson in sorted(state.values(), key=_order)}
        behind = place
    return state


def lesson_id(branch: str, scope: str, body: LessonBody, commit: str) -> str:
    """The id of a lesson that a commit makes, from what it said when it was made."""
    return key_id("le", branch, scope, body.kind, body.content, commit)


def clashes(lessons: Iterable[Lesson]) -> frozenset[tuple[str, ...]]:
    """The ids of live lessons that say the same, one group for each text; a scope has none."""
    first: dict[str, str] = {}
    same: dict[str, list[str]] = {}
    for lesson in lessons:
        if lesson.status in LIVE:
            content = lesson.body.content
            one = first.setdefault(content, lesson.id)
            if one is not lesson.id:
                same.setdefault(content, [one]).append(lesson.id)
    return frozenset(map(tuple, same.values()))


def is_copy(update: MemoryUpdate) -> bool:
    """Whether an update brings a lesson over as it is, under its own id, from the parent branch."""
    return (
        update.snapshot is not None
        and update.op is Operation.ADD
        and update.snapshot.id == update.lesson
    )


def _order(lesson: Lesson) -> tuple[int, int, str]:
    return (lesson.born, lesson.position, lesson.id)


def apply(state: dict[str, Lesson], update: MemoryUpdate, scope: str, at: tuple[int, int]) -> None:
    """Change `state`, lessons by id, as `update` says; `at` is (revision, position in it)."""
    old = state.get(update.lesson)
    if is_copy(update) and update.snapshot is not None:
        if old is not None:
            raise _refused(update, "it is there already")
        state[update.lesson] = update.snapshot
        return
    parents = _parents(state, update)
    status = _target(update, old, parents)
    if update.op is Operation.REJECT or status is None:
        return
    if old is None:
        new = _made(update, parents, (scope, *at), status)
    else:
        new = _changed(state, update, old, parents, at[0]).model_copy(update={"status": status})
    _guard_trust(update, new, (*parents, *((old,) if old else ())))
    state[new.id] = new
    for parent in parents:
        gone = {"status": PARENTS[update.op][parent.status], "successor": new.id}
        state[parent.id] = parent.model_copy(update=gone)


def _target(update: MemoryUpdate, old: Lesson | None, parents: tuple[Lesson, ...]) -> Status | None:
    """The status that the named lesson is in afterwards."""
    before = None if old is None else old.status
    allowed = TRANSITIONS[update.op].get(before)
    if allowed is None:
        state = "there is no such lesson" if old is None else f"the lesson is {before}"
        if old is not None and None in TRANSITIONS[update.op] and len(TRANSITIONS[update.op]) == 1:
            state = f"it is there already, {before}"
        raise _refused(update, state)
    status = update.status or _usual(update, old, parents, allowed)
    if status not in allowed:
        raise _refused(update, f"it may not become {status} from {before or 'nothing'}")
    if old is None and update.body is not None and update.body.kind is not LessonKind.REFLECTION:
        trust = _joint_trust(update, parents)
        if status is not None and status not in ENTRY[trust]:
            raise _refused(update, f"{trust} text may not enter as {status}")
    if old is not None and status is not None:
        if why := too_far(update, old, status):
            raise _refused(update, why)
        if update.op in REWRITES and _above(status, ceiling(update, old, parents)):
            raise _refused(update, f"new words may not stand as {status}")
    return status


def _above(status: Status, limit: Status) -> bool:
    return LIVE.index(status) > LIVE.index(limit)


def _usual(
    update: MemoryUpdate,
    old: Lesson | None,
    parents: tuple[Lesson, ...],
    allowed: tuple[Status | None, ...],
) -> Status | None:
    if old is None and update.op in MAKES:
        entry = ENTRY[_joint_trust(update, parents)]
        # A new text for old ones stands no higher than the least of them.
        least = min((p.status for p in parents), key=LIVE.index, default=entry[0])
        return least if least in entry else entry[0]
    if old is not None and update.op is Operation.RESTORE:
        return ENTRY[Origin.minimum((trust_of(update), old.trust))][0]
    if old is not None and update.op in REWRITES:
        return ceiling(update, old, parents)
    return allowed[0]


def _parents(state: Mapping[str, Lesson], update: MemoryUpdate) -> tuple[Lesson, ...]:
    rules = PARENTS.get(update.op)
    if rules is None:
        return ()
    found = []
    for name in dict.fromkeys(update.parents):
        parent = state.get(name)
        if parent is None or name == update.lesson:
            raise _refused(update, f"{name} cannot be its parent")
        if parent.status not in rules:
            raise _refused(update, f"its parent {name} is {parent.status}")
        found.append(parent)
    if not found:
        raise _refused(update, "it names no parents")
    return tuple(found)


def _guard_trust(update: MemoryUpdate, new: Lesson, touched: tuple[Lesson, ...]) -> None:
    """Less trusted text may support a more trusted lesson, and change nothing of it."""
    if update.op not in REWRITES:
        return
    # A person who goes back to an earlier text takes its trust along, and has changed nothing else.
    made_of = () if update.undoes is not None else (new.trust,)
    trust = Origin.minimum((trust_of(update), *made_of))
    for lesson in touched:
        if lesson.trust.rank > trust.rank:
            raise _refused(update, f"{trust} text may not change {lesson.trust} {lesson.id}")


def _made(
    update: MemoryUpdate, parents: tuple[Lesson, ...], at: tuple[str, int, int], status: Status
) -> Lesson:
    if update.body is None:
        raise _refused(update, "it has no text")
    merged = parents if update.op is Operation.MERGE else ()
    scope, born, position = at
    return Lesson(
        id=update.lesson,
        scope=scope,
        body=update.body,
        status=status,
        trust=_joint_trust(update, parents),
        born=born,
        position=position,
        critique=_kept_by(update, update.body, None),
        kept_at=born,
        votes=_sum(*(p.votes for p in merged), update.votes),
        evidence=_union(*(p.evidence for p in merged), update.evidence),
        confidence=update.confidence,
    )


def _changed(
    state: Mapping[str, Lesson],
    update: MemoryUpdate,
    old: Lesson,
    parents: tuple[Lesson, ...],
    revision: int,
) -> Lesson:
    if update.op is Operation.PURGE:
        return _purged(old)
    merged = parents if update.op is Operation.MERGE else ()
    changes: dict[str, Any] = {
        "votes": _sum(old.votes, *(p.votes for p in merged), update.votes),
        "evidence": tuple(
            e
            for e in _union(old.evidence, *(p.evidence for p in merged), update.evidence)
            if e not in update.without
        ),
    }
    if update.confidence is not None:
        changes["confidence"] = update.confidence
    if update.op in REWRITES:
        changes |= _rewritten(update, old, merged)
    elif update.op is Operation.SUPPORT:
        if not update.votes:
            changes["votes"] = _sum(old.votes, {"support": 1})
        changes["kept_at"] = revision
        changes["critique"] = _kept_by(update, old.body, old.critique)
    elif update.op is Operation.RESTORE:
        changes["successor"] = None
    elif update.op is Operation.ACTIVATE and _approves(update):
        changes["trust"] = Origin.OPERATOR
    elif update.op is Operation.KEEP_BOTH:
        changes["conflict_with"] = _conflict(state, update)
        added = (update.beside,) if update.beside else ()
        changes["beside"] = tuple(dict.fromkeys((*old.beside, *added)))
    if update.undoes is not None and update.snapshot is not None:
        changes["trust"] = Origin.minimum((changes.get("trust", old.trust), update.snapshot.trust))
    return old.model_copy(update=changes)


def _approves(update: MemoryUpdate) -> bool:
    # Whoever approves a text vouches for it: less trusted text may only support it from then on.
    restores = update.undoes is not None or update.revokes
    approved = not restores and update.status is not Status.PROVISIONAL
    return update.trust is Origin.OPERATOR and approved


def _rewritten(update: MemoryUpdate, old: Lesson, merged: tuple[Lesson, ...]) -> dict[str, Any]:
    if update.body is None:
        if update.op is Operation.REVISE:
            raise _refused(update, "it has no text")
        return {}
    if update.body.kind is not old.kind:
        raise _refused(update, f"a {old.kind} cannot become a {update.body.kind}")
    trusts = (old.trust, trust_of(update), *(p.trust for p in merged))
    return {"body": update.body, "version": old.version + 1, "trust": Origin.minimum(trusts)}


def _conflict(state: Mapping[str, Lesson], update: MemoryUpdate) -> str | None:
    other = update.parents[0] if update.parents else None
    if other is not None and (other not in state or other == update.lesson):
        raise _refused(update, f"{other} cannot be what it conflicts with")
    return other


def _purged(lesson: Lesson) -> Lesson:
    return Lesson(
        id=lesson.id,
        scope=lesson.scope,
        body=LessonBody(kind=lesson.kind),
        status=Status.PURGED,
        trust=lesson.trust,
        version=lesson.version,
        born=lesson.born,
        position=lesson.position,
        kept_at=lesson.kept_at,
        successor=lesson.successor,
    )


def _joint_trust(update: MemoryUpdate, parents: tuple[Lesson, ...]) -> Origin:
    """The trust of a new text: a merged one has something of each of its parents."""
    if not parents or update.op is not Operation.MERGE:
        return trust_of(update)
    return Origin.minimum((trust_of(update), *(p.trust for p in parents)))


def _kept_by(update: MemoryUpdate, body: LessonBody, before: str | None) -> str | None:
    if not update.critiques or body.kind is not LessonKind.REFLECTION:
        return before
    return update.critiques[-1]


def _sum(*votes: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counted in votes:
        for name, count in counted.items():
            total[name] = total.get(name, 0) + count
    return total


def _union(*evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    # Most lessons of a large commit have one piece, or none.
    found = [pieces for pieces in evidence if pieces]
    if len(found) == 1 and len(found[0]) == 1:
        return found[0]
    return tuple(dict.fromkeys(chain(*found)))


def _refused(update: MemoryUpdate, why: str) -> StorageError:
    return StorageError(f"{update.op} of lesson {update.lesson} is refused: {why}")

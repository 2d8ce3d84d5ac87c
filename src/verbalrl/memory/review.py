"""What a person decides about single lessons: to approve or to retire them.

The store's table of transitions says what may become of a lesson; a person's word is an update
like any other, with the operator as its origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..errors import ConfigurationError
from ..ids import key_id
from ..records import Commit, Lesson, MemoryUpdate, Operation, Origin, Status
from ..store import TRANSITIONS, Store
from .changing import Home, check_over, find, leased

Verdict = Literal["approve", "retire"]

_MEANS: dict[Verdict, tuple[Operation, Status]] = {
    "approve": (Operation.ACTIVATE, Status.ACTIVE),
    "retire": (Operation.RETIRE, Status.RETIRED),
}


class Reviewed(NamedTuple):
    """What became of one lesson."""

    branch: str
    before: Status
    held: Origin
    """The trust that it had."""
    lesson: Lesson
    """As it is now."""


def decide(lesson: Lesson, verdict: Verdict) -> MemoryUpdate | None:
    """The update that `verdict` makes of `lesson`; None where it is so already.

    What is active without a person's trust, as after an edit, gets that by being approved.

    Raises:
        ConfigurationError: The table of transitions does not allow it.
    """
    operation, status = _MEANS[verdict]
    vouched = verdict == "retire" or lesson.trust is Origin.OPERATOR
    if lesson.status is status and vouched:
        return None
    if status not in TRANSITIONS[operation].get(lesson.status, ()):
        raise ConfigurationError(
            f"lesson {lesson.id} is {lesson.status} and cannot become {status} any more"
        )
    reason = f"{verdict}d by a person"
    return MemoryUpdate(
        op=operation, lesson=lesson.id, status=status, trust=Origin.OPERATOR, reason=reason
    )


async def review(
    store: Store, lessons: Sequence[str], verdict: Verdict, *, branch: str | None = None
) -> tuple[Reviewed, ...]:
    """Approve or retire `lessons` on `branch`, by default the one that lists name.

    All are looked at before the first is changed, and change together.

    Raises:
        UnknownNameError: There is no such lesson on the branch.
        ConfigurationError: A lesson may not change so, or its run may still be resumed.
        LeaseError: The lessons of the branch are being changed by somebody else.
    """
    chosen: dict[Home, list[Lesson]] = {}
    homes: set[str] = set()
    with store.snapshot():
        for name in dict.fromkeys(lessons):
            home, found = find(store, name, branch)
            decide(found, verdict)
            if home not in homes:
                check_over(store, home)
                homes.add(home)
            chosen.setdefault((home, found.scope), []).append(found)
    with leased(store, {home for home, _ in chosen}, verdict) as fences:
        made = [_commit(store, home, before, verdict) for home, before in chosen.items()]
        await store.put_commits([commit for commit in made if commit.updates], fences)
    return tuple(
        Reviewed(branch, lesson.status, lesson.trust, now[lesson.id])
        for (branch, scope), before in chosen.items()
        for now in [{x.id: x for x in store.current_lessons(branch, scope=scope)}]
        for lesson in before
    )


def _commit(store: Store, home: Home, before: Sequence[Lesson], verdict: Verdict) -> Commit:
    branch, scope = home
    base = store.revision(branch, scope)
    updates = tuple(u for u in (decide(lesson, verdict) for lesson in before) if u is not None)
    identity = key_id("op", verdict, branch, scope, base, [u.lesson for u in updates])
    return Commit(id=identity, branch=branch, scope=scope, base=base, updates=updates)

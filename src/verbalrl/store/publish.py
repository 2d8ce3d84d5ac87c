"""How lessons of one branch come to another: the only thing that crosses branches."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigurationError
from ..ids import key_id
from ..records import Commit, Evidence, Lesson, LessonKind, MemoryUpdate, Operation, Origin, Status
from . import commits
from .lessons import Cache, lessons, revision, scopes, updates
from .reduce import is_copy, lesson_id
from .trust import LIVE

ADDED, MERGED, UNCHANGED, REFUSED = "added", "merged", "unchanged", "refused"


class _Equal(NamedTuple):
    """A lesson of the target that says what one of the source says."""

    id: str
    status: Status
    trust: Origin
    evidence: tuple[Evidence, ...]


@dataclass(slots=True)
class _Target:
    """The lessons of one scope of the target, as they will be."""

    commit: str
    branch: str
    live: dict[tuple[LessonKind, str], _Equal]
    barred: frozenset[tuple[LessonKind, str]]
    made: list[MemoryUpdate] = field(default_factory=list)


def publish(
    connection: sqlite3.Connection,
    cache: Cache,
    folder: Path,
    source: str,
    to: str,
    *,
    kinds: Collection[LessonKind],
    approve: bool,
    fence: int,
) -> dict[str, int]:
    """Copy the usable lessons of `source`, all scopes in one transaction; gives counts.

    `added`: kept beside what was there; `merged`: their support and evidence went to an equal
    lesson; `unchanged`: published before; `refused`: equal to a revoked lesson.
    """
    if source == to:
        raise ConfigurationError(f"branch {source} cannot be published to itself; name another")
    counts = dict.fromkeys((ADDED, MERGED, UNCHANGED, REFUSED), 0)
    for scope in scopes(connection, source):
        base = revision(connection, to, scope)
        here = lessons(connection, cache, source, scope, keep=False)
        there = lessons(connection, cache, to, scope, keep=False)
        stands_at = revision(connection, source, scope)
        commit = key_id("pu", source, stands_at, to, base, scope, sorted(kinds), approve)
        target = _target(commit, to, there)
        reason = f"published from {source}"
        own = [u for _, u in updates(connection, source, scope)]
        given = _given(own, here, frozenset(lesson.id for lesson in there))
        given |= _got((u for _, u in updates(connection, to, scope)), reason)
        for lesson in sorted(here, key=_age):
            if lesson.usable and lesson.kind in kinds:
                counts[_place(target, lesson, given.get(lesson.id), reason, approve)] += 1
        if target.made:
            made = Commit(id=commit, branch=to, scope=scope, base=base, updates=tuple(target.made))
            commits.put(connection, cache, folder, made, fence)
    return counts


def _age(lesson: Lesson) -> tuple[int, int, int]:
    """Oldest first: what is copied in one commit is told apart by its place there."""
    kept = lesson.kept_at if lesson.kind is LessonKind.REFLECTION else lesson.born
    return (kept, lesson.born, lesson.position)


def _target(commit: str, branch: str, there: Iterable[Lesson]) -> _Target:
    live: dict[tuple[LessonKind, str], _Equal] = {}
    barred = set()
    for lesson in there:
        key = (lesson.kind, lesson.body.content)
        if lesson.status in LIVE:
            live.setdefault(key, _Equal(lesson.id, lesson.status, lesson.trust, lesson.evidence))
        elif lesson.status is Status.REVOKED:
            barred.add(key)
    return _Target(commit, branch, live, frozenset(barred))


def _given(
    own: list[MemoryUpdate], here: Iterable[Lesson], shared: frozenset[str]
) -> dict[str, Lesson]:
    """Lessons that the source has from the target, as they were when it got them."""
    copies = [u.snapshot for u in own if is_copy(u) and u.snapshot is not None]
    return {lesson.id: lesson for lesson in (copies if own else here) if lesson.id in shared}


def _got(of_target: Iterable[MemoryUpdate], reason: str) -> dict[str, Lesson]:
    """Lessons that the target has from the source, as they were when it last got them."""
    published = [u.snapshot for u in of_target if u.reason == reason and u.snapshot is not None]
    return {lesson.id: lesson for lesson in published}


def _place(
    target: _Target, lesson: Lesson, earlier: Lesson | None, reason: str, approve: bool
) -> str:
    """Append what the lesson asks for to the updates; says which count it belongs to."""
    key = (lesson.kind, lesson.body.content)
    equal = target.live.get(key)
    if equal is None and key in target.barred:
        return REFUSED
    if equal is None:
        if earlier is not None and earlier.body.content == lesson.body.content:
            return UNCHANGED  # it was there, and has been retired or rewritten since
        _add(target, lesson, reason, approve)
        return ADDED
    identity, status, trust, counted = equal
    vouched = status is Status.ACTIVE and trust is Origin.OPERATOR
    activates = approve and not vouched
    known = earlier if earlier is not None and earlier.body.content == lesson.body.content else None
    evidence = tuple(e for e in lesson.evidence if known is None or e not in known.evidence)
    votes = _gained(lesson, known, _again(evidence, counted))
    if known is not None and not votes and not evidence and not activates:
        return UNCHANGED
    if known is None or votes or evidence:
        target.made.append(
            MemoryUpdate(
                op=Operation.SUPPORT,
                lesson=identity,
                votes=votes or {"support": 0},
                evidence=evidence,
                critiques=_critiques(lesson),
                trust=lesson.trust,
                reason=reason,
                snapshot=lesson,
            )
        )
    if activates:
        target.made.append(
            MemoryUpdate(
                op=Operation.ACTIVATE,
                lesson=identity,
                status=Status.ACTIVE,
                trust=Origin.OPERATOR,
                reason=f"approved when {reason}",
            )
        )
        target.live[key] = _Equal(identity, Status.ACTIVE, Origin.OPERATOR, (*counted, *evidence))
    return MERGED


def _add(target: _Target, lesson: Lesson, reason: str, approve: bool) -> None:
    status = Status.ACTIVE if approve else Status.QUARANTINED
    trust = Origin.OPERATOR if approve else lesson.trust
    identity = lesson_id(target.branch, lesson.scope, lesson.body, target.commit)
    target.live[lesson.kind, lesson.body.content] = _Equal(identity, status, trust, lesson.evidence)
    target.made.append(
        MemoryUpdate(
            op=Operation.ADD,
            lesson=identity,
            body=lesson.body,
            status=status,
            trust=trust,
            votes=lesson.votes,
            evidence=lesson.evidence,
            critiques=_critiques(lesson),
            confidence=lesson.confidence,
            reason=reason,
            snapshot=lesson,
        )
    )


def _critiques(lesson: Lesson) -> tuple[str, ...]:
    """The critique that a reflection is a line of: windows count them on every branch."""
    return () if lesson.critique is None else (lesson.critique,)


def _again(evidence: Iterable[Evidence], counted: Iterable[Evidence]) -> int:
    """How many episodes of `evidence` are on instances that count already, by the same lineage.

    Another run on the same instances is the same instances once more, not further support.
    """
    known = {(e.instance, e.sources) for e in counted}
    return len({e.episode for e in evidence if (e.instance, e.sources) in known})


def _gained(lesson: Lesson, earlier: Lesson | None, again: int) -> dict[str, int]:
    """Votes since then, without the support of as many episodes as count already."""
    before = earlier.votes if earlier is not None else {}
    gained = {name: count - before.get(name, 0) for name, count in lesson.votes.items()}
    if again and gained.get("support", 0) > 0:
        gained["support"] = max(0, gained["support"] - again)
    return {name: count for name, count in gained.items() if count}

"""What revoking makes of the lessons of one branch and scope: a pure decision over their lineage.

Whatever rests on what is revoked loses that support. A lesson without clean support falls; one
whose text was made under that influence goes back to the last text that was not; those whose place
a fallen lesson had taken come back. Nothing rises: each stands at most where it stood then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..records import (
    Evidence,
    Lesson,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..store import LIVE, corroboration
from .lineage import Memory, Target, Text, Track

_OVER = (Status.REVOKED, Status.PURGED)


@dataclass(slots=True)
class Revoked:
    """What becomes of one branch and scope."""

    updates: list[MemoryUpdate] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)
    """Lessons that are revoked."""
    reverted: list[str] = field(default_factory=list)
    """Lessons that go back to an earlier text."""
    lessened: list[str] = field(default_factory=list)
    """Lessons that lose a part of their support."""
    restored: list[str] = field(default_factory=list)
    """Lessons that come back in the place of fallen ones."""


def revocation(memory: Memory, target: Target, reason: str) -> Revoked:
    """The updates that take `target` out of `memory`."""
    made = _Making(memory, target, reason)
    for lesson in sorted(memory.lessons.values(), key=lambda x: (x.born, x.position, x.id)):
        if lesson.status not in _OVER:
            made.settle(lesson)
    for lesson in sorted(memory.lessons.values(), key=lambda x: (x.born, x.position, x.id)):
        made.bring_back(lesson)
    return made.found


class _Making:
    def __init__(self, memory: Memory, target: Target, reason: str) -> None:
        self.memory, self.target, self.reason = memory, target, reason
        self.found = Revoked()
        self.live = {
            lesson.body.content: lesson.id
            for lesson in memory.lessons.values()
            if lesson.status in LIVE
        }

    def settle(self, lesson: Lesson) -> None:
        """Append what becomes of a lesson that is not over yet."""
        track = self.memory.tracks[lesson.id]
        bad = self._bad(lesson, track)
        if not bad and not track.tainted:
            return
        rests = [e for e in lesson.evidence if e not in bad]
        if track.named or (lesson.evidence and not rests):
            self._fall(lesson)
        elif track.tainted:
            self._revert(lesson, track, bad)
        else:
            self._lessen(lesson, bad)

    def bring_back(self, lesson: Lesson) -> None:
        """Append the return of a lesson that only what falls now had put aside."""
        track = self.memory.tracks[lesson.id]
        if track.left is None or lesson.id in self.found.fallen:
            return
        replaced = lesson.status is Status.SUPERSEDED and self._end(lesson) in self.found.fallen
        retired = lesson.status is Status.RETIRED and track.retired_by_taint
        if not (replaced or retired) or track.tainted or lesson.body.content in self.live:
            return
        bare = self._bare(lesson, self._bad(lesson, track))
        status = self._earned(bare, track.left)
        self.live[lesson.body.content] = lesson.id
        self.found.restored.append(lesson.id)
        self._append(Operation.RESTORE, lesson, status=status)

    def _bad(self, lesson: Lesson, track: Track) -> tuple[Evidence, ...]:
        return tuple(e for e in lesson.evidence if self.target.hits(e) or e in track.gained)

    def _fall(self, lesson: Lesson) -> None:
        if self.live.get(lesson.body.content) == lesson.id:
            del self.live[lesson.body.content]
        self.found.fallen.append(lesson.id)
        self._append(Operation.REVOKE, lesson, status=Status.REVOKED)

    def _revert(self, lesson: Lesson, track: Track, bad: tuple[Evidence, ...]) -> None:
        clean = self._last_clean(track.texts)
        taken = clean is not None and self.live.get(clean.body.content, lesson.id) != lesson.id
        if clean is None or taken or lesson.status not in LIVE:
            self._fall(lesson)
            return
        bare = self._bare(lesson, bad).replace(body=clean.body)
        # What the taint itself took from it comes back; what anybody took since does not.
        only_tainted = all(t.entered is lesson.status for t in track.texts if t.tainted)
        highest = clean.status if only_tainted else lesson.status
        status = self._earned(bare, min(highest, clean.status, key=LIVE.index))
        now = min(lesson.status, status, key=LIVE.index)
        self.live.pop(lesson.body.content, None)
        self.live[clean.body.content] = lesson.id
        self.found.reverted.append(lesson.id)
        self._append(Operation.REVISE, lesson, body=clean.body, status=now, **_less(lesson, bad))
        if now is not status:
            self._append(Operation.ACTIVATE, lesson, status=status)

    def _lessen(self, lesson: Lesson, bad: tuple[Evidence, ...]) -> None:
        self.found.lessened.append(lesson.id)
        lost = _less(lesson, bad)
        if lesson.status in LIVE:
            status = self._earned(self._bare(lesson, bad), lesson.status)
            if status is not lesson.status:
                self._append(Operation.SUSPEND, lesson, status=status, **lost)
                return
        self._append(Operation.VOTE, lesson, **lost)

    def _earned(self, bare: Lesson, status: Status) -> Status:
        """`status`, or quarantine for untrusted text that is not confirmed any more."""
        shared = bare.kind is not LessonKind.REFLECTION
        if shared and bare.trust is Origin.UNTRUSTED and not corroboration(bare):
            return Status.QUARANTINED
        return status

    def _end(self, lesson: Lesson) -> str | None:
        """The lesson that stands at the end of those that took over from `lesson`, if it lived."""
        seen = {lesson.id}
        at = self.memory.lessons.get(lesson.successor or "")
        while at is not None and at.status is Status.SUPERSEDED and at.id not in seen:
            seen.add(at.id)
            at = self.memory.lessons.get(at.successor or "")
        return None if at is None or at.status not in LIVE else at.id

    @staticmethod
    def _bare(lesson: Lesson, bad: Iterable[Evidence]) -> Lesson:
        gone = set(bad)
        return lesson.replace(evidence=tuple(e for e in lesson.evidence if e not in gone))

    @staticmethod
    def _last_clean(texts: Iterable[Text]) -> Text | None:
        return next((t for t in reversed(list(texts)) if not t.tainted), None)

    def _append(self, op: Operation, lesson: Lesson, **changes: object) -> None:
        known = {
            "op": op,
            "lesson": lesson.id,
            "trust": Origin.OPERATOR,
            "reason": self.reason,
            "revokes": True,
        }
        self.found.updates.append(MemoryUpdate.model_validate(known | changes))


def _less(lesson: Lesson, bad: tuple[Evidence, ...]) -> dict[str, object]:
    """What a lesson loses with evidence: the evidence, and a support for each episode of it."""
    rests = {e.episode for e in lesson.evidence if e not in bad}
    lost = len({e.episode for e in bad} - rests)
    support = min(lost, lesson.votes.get("support", 0))
    return {"without": bad, "votes": {"support": -support} if support else {}}

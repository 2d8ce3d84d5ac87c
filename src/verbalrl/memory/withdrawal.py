"""What becomes of lessons when critiques are superseded by newer ones of the same episodes. Pure.

Nothing is barred: whoever is shown right again later may say the same once more. A lesson that
nothing else supports is retired; a text that only a superseded critique asked for goes back to the
one before it; what only such a critique had put aside comes back. Nothing rises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ..records import (
    Evidence,
    Lesson,
    LessonBody,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..store import LIVE, corroboration, vote_of

_OVER = (Status.REVOKED, Status.PURGED)


def withdrawal(
    lessons: Iterable[Lesson],
    history: Iterable[tuple[int, MemoryUpdate]],
    critiques: Collection[str],
    reason: str,
) -> tuple[MemoryUpdate, ...]:
    """The updates that take the evidence of `critiques` out of `lessons`.

    Args:
        lessons: All of a scope, as they are now.
        history: (revision, update) of the scope, in order.
        critiques: The ids of those that are superseded.
        reason: Recorded with each update.
    """
    gone = frozenset(critiques)
    there = list(lessons)
    if not any(e.critique in gone for lesson in there for e in lesson.evidence):
        return ()
    made = _Making(there, [update for _, update in history], gone, reason)
    for lesson in there:
        if lesson.status in LIVE:
            made.settle(lesson)
        elif lesson.status not in _OVER and (bad := made.bad(lesson)):
            made.lessen(lesson, bad)
    for lesson in there:
        made.bring_back(lesson)
    return tuple(made.updates)


class _Making:
    def __init__(
        self,
        lessons: Sequence[Lesson],
        history: Sequence[MemoryUpdate],
        gone: frozenset[str],
        reason: str,
    ) -> None:
        self.by_id = {lesson.id: lesson for lesson in lessons}
        self.by_lesson: dict[str, list[MemoryUpdate]] = {}
        for update in history:
            self.by_lesson.setdefault(update.lesson, []).append(update)
        self.gone, self.reason = gone, reason
        self.updates: list[MemoryUpdate] = []
        self.retired: set[str] = set()
        self.live = {x.body.content: x.id for x in lessons if x.status in LIVE}

    def bad(self, lesson: Lesson) -> tuple[Evidence, ...]:
        """The evidence that `lesson` loses."""
        return tuple(e for e in lesson.evidence if e.critique in self.gone)

    def settle(self, lesson: Lesson) -> None:
        """Append what becomes of a live lesson."""
        bad = self.bad(lesson)
        if not bad:
            return
        rests = [e for e in lesson.evidence if e.critique not in self.gone]
        if self._stands_alone(lesson, bad):
            self.lessen(lesson, bad)
        elif not rests or (lesson.trust is Origin.OPERATOR and not _of_operator(rests)):
            self.retired.add(lesson.id)
            self.live.pop(lesson.body.content, None)
            self._append(Operation.RETIRE, lesson, **_less(lesson, bad))
        elif (earlier := self._text_before(lesson)) is not None:
            self._revert(lesson, earlier, bad)
        else:
            self.lessen(lesson, bad)

    def lessen(self, lesson: Lesson, bad: tuple[Evidence, ...]) -> None:
        """Append the loss of evidence alone, and of what had been earned by it."""
        lost = _less(lesson, bad)
        status = self._earned(lesson, bad)
        if status is not lesson.status:
            self._append(Operation.SUSPEND, lesson, status=status, **lost)
        else:
            self._append(Operation.VOTE, lesson, **lost)

    def bring_back(self, lesson: Lesson) -> None:
        """Append the return of a lesson that only what is withdrawn had put aside."""
        replaced = lesson.status is Status.SUPERSEDED and lesson.successor in self.retired
        if not replaced and not self._retired_by_them(lesson):
            return
        rests = tuple(e for e in lesson.evidence if e.critique not in self.gone)
        if not rests or lesson.body.content in self.live:
            return
        bare = lesson.replace(evidence=rests)
        untrusted = lesson.trust is Origin.UNTRUSTED
        low = Status.PROVISIONAL if corroboration(bare) or not untrusted else Status.QUARANTINED
        self.live[lesson.body.content] = lesson.id
        self._append(Operation.RESTORE, lesson, status=low)

    def _stands_alone(self, lesson: Lesson, bad: Iterable[Evidence]) -> bool:
        """Whether a person vouches for the lesson, which untrusted text had only proposed."""
        return lesson.trust is Origin.OPERATOR and not _of_operator(bad)

    def _retired_by_them(self, lesson: Lesson) -> bool:
        if lesson.status is not Status.RETIRED:
            return False
        asked = [u for u in self.by_lesson.get(lesson.id, ()) if u.op is Operation.RETIRE]
        cited = {e.critique for e in asked[-1].evidence} if asked else set()
        return bool(cited) and cited <= self.gone

    def _text_before(self, lesson: Lesson) -> LessonBody | None:
        """The text that `lesson` had before one that only withdrawn critiques asked for."""
        updates = self.by_lesson.get(lesson.id, [])
        worded = [n for n, u in enumerate(updates) if u.body is not None]
        if len(worded) < 2:
            return None
        last, since = updates[worded[-1]], updates[worded[-1] + 1 :]
        cited = {e.critique for e in last.evidence}
        later = {e.critique for u in since for e in u.evidence}
        said = {e.critique for e in lesson.evidence if e.says == lesson.body.content}
        if last.op is not Operation.REVISE or not cited or not cited <= self.gone:
            return None
        if (later | said) - self.gone:
            return None
        earlier = updates[worded[-2]].body
        taken = earlier is not None and self.live.get(earlier.content, lesson.id) != lesson.id
        return None if taken else earlier

    def _revert(self, lesson: Lesson, body: LessonBody, bad: tuple[Evidence, ...]) -> None:
        self.live.pop(lesson.body.content, None)
        self.live[body.content] = lesson.id
        status = self._earned(lesson.replace(body=body), bad)
        self._append(Operation.REVISE, lesson, body=body, status=status, **_less(lesson, bad))

    def _earned(self, lesson: Lesson, bad: Iterable[Evidence]) -> Status:
        """Its status, or quarantine for untrusted text that is not confirmed any more."""
        lost = set(bad)
        bare = lesson.replace(evidence=tuple(e for e in lesson.evidence if e not in lost))
        untrusted = lesson.status in LIVE and lesson.trust is Origin.UNTRUSTED
        return Status.QUARANTINED if untrusted and not corroboration(bare) else lesson.status

    def _append(self, op: Operation, lesson: Lesson, **changes: object) -> None:
        known: Mapping[str, object] = {
            "op": op,
            "lesson": lesson.id,
            # The authority is that of the store itself: it takes away, and adds nothing.
            "trust": Origin.OPERATOR,
            "reason": self.reason,
            "revokes": True,
        }
        self.updates.append(MemoryUpdate.model_validate({**known, **changes}))


def _of_operator(evidence: Iterable[Evidence]) -> bool:
    return any(e.origin is not Origin.UNTRUSTED for e in evidence)


def _less(lesson: Lesson, bad: tuple[Evidence, ...]) -> dict[str, object]:
    """What a lesson loses: the evidence, and a vote for each episode that is in no other."""
    rests = {e.episode for e in lesson.evidence if e not in bad}
    lost = {e.episode: e for e in bad if e.episode not in rests}
    votes: dict[str, int] = {}
    for evidence in lost.values():
        name = vote_of(evidence, lesson)
        if lesson.votes.get(name, 0) + votes.get(name, 0) > 0:
            votes[name] = votes.get(name, 0) - 1
    return {"without": bad, "votes": votes}

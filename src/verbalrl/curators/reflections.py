"""Curation of one instance's reflections: pure, without a model.

The critic that wrote the new lines was shown the earlier ones and said which of them still hold.
That decides: new lines are added, kept ones move forward to the new critique, and shown ones that
it did not keep are retired, so that a contradicted line is gone from the next prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..records import (
    Commit,
    Critique,
    Episode,
    Evidence,
    Lesson,
    LessonBody,
    LessonKind,
    LessonProposal,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..store.reduce import lesson_id
from ..worth import no_advice
from .evidence import attempt_of, told_of
from .nearness import Told, restates
from .sources import saying, sourced


def curate_reflections(
    critique: Critique,
    lessons: Iterable[Lesson],
    *,
    episodes: Sequence[Episode],
    commit: str,
    branch: str,
    scope: str,
    base: int,
    observations: Origin = Origin.UNTRUSTED,
) -> Commit:
    """The commit that one critique makes of the reflections of its instance.

    Reflections are active at once, whatever gate the method has: they serve their own instance
    only, with the trust of their text. A critique that was not accepted is consumed, no more.

    Args:
        critique: Accepted, refused or failed.
        lessons: Of `scope` at the revision `base`, in any status.
        episodes: Those of the critique, in its order.
        commit: Its id.
        branch: Where the lessons live.
        scope: Of the instance.
        base: The revision that the updates are made against.
        observations: Who the task's observations come from, where their parts do not say.
    """
    bare = Commit(id=commit, branch=branch, scope=scope, base=base, critiques=(critique.id,))
    if critique.status != "accepted":
        return bare
    earlier = [x for x in lessons if x.scope == scope and x.kind is LessonKind.REFLECTION]
    by_content = {x.body.content: x for x in sorted(earlier, key=_precedence)}
    kept = {x.id for x in earlier if x.id in critique.keeps and x.usable}
    updates: list[MemoryUpdate] = []
    confirmed: dict[str, tuple[Evidence, ...]] = {name: () for name in sorted(kept)}
    rejected: list[str] = []
    done: set[str] = set()
    given = {e.id: e for e in episodes}
    told = dict.fromkeys(line for episode in episodes for line in told_of(episode))
    for proposal in critique.proposals:
        body = _body(proposal)
        place = _evidence(critique, proposal, episodes)
        rests_on = sourced(place, critique, given, observations)
        known = by_content.get(body.content)
        line, why = (known, "") if known is not None else _told_before(body, told, earlier)
        if line is not None and line.usable:
            said = saying(rests_on, critique, line.body)
            confirmed[line.id] = (*confirmed.get(line.id, ()), said)
        elif why and body.content not in done:
            rejected.append(f"add {body.instruction[:80]!r}: {why}")
        elif body.content not in done:
            said, name = saying(rests_on, critique, body), lesson_id(branch, scope, body, commit)
            made, refused = _new(known, body, critique, (said,), name)
            updates += made
            rejected += refused
        done.add(body.content)
    shown = [x for x in earlier if x.id in critique.shown and x.usable and x.id not in confirmed]
    kept_by = (sourced(_evidence(critique), critique, given, observations),)
    supports = [_supported(x, critique, new, kept_by) for x, new in confirmed.items()]
    retired = [_retired(x.id, critique) for x in sorted(shown, key=lambda x: (x.born, x.position))]
    return bare.replace(updates=(*supports, *retired, *updates), rejected=tuple(rejected))


def _told_before(
    body: LessonBody, told: Iterable[Told], earlier: Iterable[Lesson]
) -> tuple[Lesson | None, str]:
    """The line that a new text only says again, or why it is no line at all."""
    if why := no_advice(body.instruction, body.when):
        return None, f"it is {why}"
    same = next((line for line in told if restates(body, line)), None)
    if same is None:
        return None, ""
    line = next((x for x in earlier if x.id == same.lesson and x.usable), None)
    return line, "" if line else "restated guidance"


def _precedence(lesson: Lesson) -> int:
    """Which of several lessons with one text decides what becomes of it: the last in this order."""
    order = (Status.QUARANTINED, Status.REVOKED, Status.PROVISIONAL, Status.ACTIVE)
    return order.index(lesson.status) if lesson.status in order else -1


def _new(
    known: Lesson | None,
    body: LessonBody,
    critique: Critique,
    evidence: tuple[Evidence, ...],
    name: str,
) -> tuple[list[MemoryUpdate], list[str]]:
    """What a text makes that no usable line has: updates, or why there are none."""
    if known is not None and known.status in (Status.REVOKED, Status.PURGED):
        return [], [f"add {body.instruction[:80]!r}: this text was {known.status}"]
    if known is not None and known.status is Status.RETIRED:
        return _restored(known, critique, evidence), []
    added = _added(name, body, critique, evidence)
    if known is None or not _waits(known):
        return [added], []
    if known.trust.rank > critique.trust.rank:
        return [], [f"add {body.instruction[:80]!r}: this text waits in quarantine"]
    # It waits for a person elsewhere, but its own instance may have its line.
    return [added.replace(op=Operation.SUPERSEDE, parents=(known.id,))], []


def _waits(lesson: Lesson) -> bool:
    return lesson.status is Status.QUARANTINED


def _body(proposal: LessonProposal) -> LessonBody:
    return LessonBody(
        kind=LessonKind.REFLECTION,
        name=proposal.name,
        when=proposal.when,
        when_not=proposal.when_not,
        instruction=proposal.instruction,
    )


def _evidence(
    critique: Critique,
    proposal: LessonProposal | None = None,
    episodes: Sequence[Episode] = (),
) -> Evidence:
    trial, episode = critique.trial, critique.episodes[-1]
    if proposal is not None and (meant := attempt_of(proposal, episodes)):
        trial, episode = meant.trial, meant.id
    return Evidence(
        critique=critique.id,
        episode=episode,
        instance=critique.instance,
        trial=trial,
        step=proposal.step if proposal is not None else None,
    )


def _added(
    name: str, body: LessonBody, critique: Critique, evidence: tuple[Evidence, ...]
) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=name,
        body=body,
        status=Status.ACTIVE,
        trust=critique.trust,
        evidence=evidence,
        critiques=(critique.id,),
        votes={"support": 1},
        confidence=critique.confidence,
        prompt_sha=critique.prompt_sha,
    )


def _supported(
    name: str,
    critique: Critique,
    evidence: tuple[Evidence, ...],
    kept_by: tuple[Evidence, ...] = (),
) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.SUPPORT,
        lesson=name,
        trust=critique.trust,
        evidence=evidence or kept_by,
        critiques=(critique.id,),
        votes={"support": 1},
        reason="proposed again" if evidence else "not contradicted by the critic",
        prompt_sha=critique.prompt_sha,
    )


def _restored(
    lesson: Lesson, critique: Critique, evidence: tuple[Evidence, ...]
) -> list[MemoryUpdate]:
    restored = MemoryUpdate(
        op=Operation.RESTORE,
        lesson=lesson.id,
        status=Status.ACTIVE,
        trust=critique.trust,
        critiques=(critique.id,),
        reason="proposed again",
        prompt_sha=critique.prompt_sha,
    )
    return [restored, _supported(lesson.id, critique, evidence)]


def _retired(name: str, critique: Critique) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.RETIRE,
        lesson=name,
        trust=critique.trust,
        evidence=(_evidence(critique),),
        critiques=(critique.id,),
        votes={"against": 1},
        reason="the critic saw it contradicted",
        prompt_sha=critique.prompt_sha,
    )

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
    Status,
)
from ..store.reduce import lesson_id
from .evidence import attempt_of


def curate_reflections(
    critique: Critique,
    lessons: Iterable[Lesson],
    *,
    episodes: Sequence[Episode],
    commit: str,
    branch: str,
    scope: str,
    base: int,
) -> Commit:
    """The commit that one critique makes of the reflections of its instance.

    Reflections are active at once, whatever gate the method has: they serve their own instance
    only. The trust of the text is recorded with them. A critique that was not accepted is consumed
    and changes nothing.

    Args:
        critique: Accepted, refused or failed.
        lessons: Of `scope` at the revision `base`, in any status.
        episodes: Those of the critique, in its order.
        commit: Its id.
        branch: Where the lessons live.
        scope: Of the instance.
        base: The revision that the updates are made against.
    """
    bare = Commit(id=commit, branch=branch, scope=scope, base=base, critiques=(critique.id,))
    if critique.status != "accepted":
        return bare
    earlier = [x for x in lessons if x.scope == scope and x.kind is LessonKind.REFLECTION]
    by_content = {x.body.content: x for x in sorted(earlier, key=lambda x: x.usable)}
    kept = {x.id for x in earlier if x.id in critique.keeps and x.usable}
    updates: list[MemoryUpdate] = []
    confirmed: dict[str, tuple[Evidence, ...]] = {name: () for name in sorted(kept)}
    rejected: list[str] = []
    done: set[str] = set()
    for proposal in critique.proposals:
        body, evidence = _body(proposal), (_evidence(critique, proposal, episodes),)
        known = by_content.get(body.content)
        if known is not None and known.usable:
            confirmed[known.id] = (*confirmed.get(known.id, ()), *evidence)
        elif body.content in done:
            continue
        elif known is not None and known.status in (Status.REVOKED, Status.PURGED):
            rejected.append(f"add {body.instruction[:80]!r}: this text was {known.status}")
        elif known is not None and known.status is Status.RETIRED:
            updates += _restored(known, critique, evidence)
        else:
            updates.append(_added(lesson_id(branch, scope, body, commit), body, critique, evidence))
        done.add(body.content)
    shown = [x for x in earlier if x.id in critique.shown and x.usable and x.id not in confirmed]
    supports = [_supported(name, critique, found) for name, found in confirmed.items()]
    retired = [_retired(x.id, critique) for x in sorted(shown, key=lambda x: (x.born, x.position))]
    return bare.replace(updates=(*supports, *retired, *updates), rejected=tuple(rejected))


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


def _supported(name: str, critique: Critique, evidence: tuple[Evidence, ...]) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.SUPPORT,
        lesson=name,
        trust=critique.trust,
        evidence=evidence or (_evidence(critique),),
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

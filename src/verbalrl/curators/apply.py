"""From what a curator asks for to updates: pure, and the only place that decides what is allowed.

Every operation is settled or rejected with a reason; none is dropped silently. Lessons that no
operation names stay as they are: there is no way to write the list as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..records import (
    Evidence,
    Gate,
    Lesson,
    LessonBody,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..store import LIVE, corroboration, lesson_id
from .aspects import placed
from .desk import Desk, Progress, completed, counted, crowding, fault, has_words, removal
from .making import cited, counting, episodes, restated, shared, spared
from .nearness import Told
from .nominate import flags, pair_key
from .schema import OperationReply
from .sources import saying

_MAKING = (Operation.ADD, Operation.REVISE, Operation.MERGE)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the operations of one call."""

    updates: tuple[MemoryUpdate, ...]
    rejected: tuple[str, ...]
    accepted: tuple[OperationReply, ...] = ()
    """Those that led to an update, as they were asked for."""
    crowding: str = ""
    """What asking again may mend of a list that is full."""
    lacking: str = ""
    """What the curator failed with when it was asked once more; its first answer stands."""


def settle(operations: Sequence[OperationReply], desk: Desk) -> Settled:
    """The updates that `operations` make, in an order in which the cap counts what leaves first."""
    progress = Progress(count=len(counted(desk)), lost=desk.lost)
    rejected: dict[int, str] = {}
    accepted: dict[int, OperationReply] = {}
    given = [completed(op, desk) for op in operations]
    for n in sorted(range(len(given)), key=lambda n: _turn(given[n], n)):
        why = fault(given[n], desk, progress) or _put(given[n], desk, progress)
        if why:
            rejected[n] = f"{title(given[n])}: {why}"
        else:
            accepted[n] = operations[n]
    marked, noted = flags(progress.updates, desk)
    return Settled(
        (*progress.updates, *marked),
        (*(rejected[n] for n in sorted(rejected)), *noted),
        tuple(accepted[n] for n in sorted(accepted)),
        crowding(desk, progress),
    )


def entry(trust: Origin, gate: Gate) -> Status:
    """The status that a new shared lesson enters, by the trust of its text and the gate."""
    if trust is Origin.UNTRUSTED:
        return Status.QUARANTINED
    if trust is Origin.OPERATOR or gate == "none":
        return Status.ACTIVE
    return Status.PROVISIONAL


def confirmed(
    lessons: Iterable[Lesson], updates: Iterable[MemoryUpdate], gate: Gate
) -> tuple[MemoryUpdate, ...]:
    """What corroboration makes of `lessons`, which are as `updates` left them.

    Quarantined ones that two sources confirm become provisional, and active where the gate lets
    them through at once.
    """
    touched = {u.lesson for u in updates}
    found: list[MemoryUpdate] = []
    for lesson in lessons:
        pair = corroboration(lesson) if lesson.id in touched else ()
        if not pair or lesson.trust is not Origin.UNTRUSTED:
            continue
        if lesson.status is Status.QUARANTINED:
            found.append(_confirmed(lesson, Status.PROVISIONAL, pair))
        if gate == "none" and lesson.status in (Status.QUARANTINED, Status.PROVISIONAL):
            found.append(_confirmed(lesson, Status.ACTIVE, pair))
    return tuple(found)


def _confirmed(lesson: Lesson, status: Status, pair: Iterable[Evidence]) -> MemoryUpdate:
    names = " and ".join("+".join(e.sources) for e in pair)
    return MemoryUpdate(
        op=Operation.ACTIVATE,
        lesson=lesson.id,
        status=status,
        trust=Origin.UNTRUSTED,
        critiques=tuple(e.critique for e in pair),
        reason=f"confirmed by {names}",
    )


def _turn(op: OperationReply, n: int) -> tuple[int, int, int]:
    # Adds last, those with most evidence first: what the cap keeps out is the thinnest.
    last = op.op in ("add", "keep_both")
    return (int(last), -len(set(op.evidence)) if last else 0, n)


def _put(op: OperationReply, desk: Desk, progress: Progress) -> str:
    """Make the update of a faultless `op`; a reason where it turns out to say nothing new."""
    match op.op:
        case "support":
            return _support(desk.lessons[op.lessons[0]], op, desk, progress)
        case "retire":
            return _retire(desk.lessons[op.lessons[0]], op, desk, progress)
        case "add":
            return _add(op, desk, progress)
        case "keep_both":
            return _keep_both(op, desk, progress)
        case "reject":
            return _reject(op, desk, progress)
        case _:
            return _rewrite(op, desk, progress)


def _retire(lesson: Lesson, op: OperationReply, desk: Desk, progress: Progress) -> str:
    votes = {"against": episodes(cited(op, desk))}
    operation = Operation.RETIRE
    if desk.votes == "expel":
        full = len(counted(desk)) >= desk.max_lessons
        votes |= counting(lesson, -3 if full else -1, desk)
        if lesson.votes.get("count", 0) + votes["count"] > 0:
            operation = Operation.VOTE
    if operation is Operation.RETIRE:
        if why := removal([lesson], None, desk, progress):
            return why
        progress.count -= 1
    progress.changed[lesson.id] = "retire"
    progress.updates.append(_update(operation, lesson.id, op, desk, votes=votes))
    return ""


def _support(lesson: Lesson, op: OperationReply, desk: Desk, progress: Progress) -> str:
    fresh = _fresh([lesson.id], op, desk, progress)
    if not fresh:
        return "all of its evidence is counted already"
    less_trusted = desk.trust.rank < lesson.trust.rank
    name = f"support_{desk.trust.value}" if less_trusted else "support"
    update = _update(Operation.SUPPORT, lesson.id, op, desk)
    update = update.replace(votes={name: episodes(fresh), **counting(lesson, 1, desk)})
    fresh = _saying(lesson.body, fresh, desk)
    progress.updates.append(update.replace(evidence=fresh))
    return ""


def _fresh(
    names: Collection[str], op: OperationReply, desk: Desk, progress: Progress
) -> tuple[Evidence, ...]:
    """The cited evidence from episodes that none of the lessons `names` rested on before."""
    there = [x.evidence for x in desk.memory if x.id in names]
    earlier = [u.evidence for u in progress.updates if u.lesson in names]
    known = {e.episode for group in (*there, *earlier) for e in group}
    return tuple(e for e in cited(op, desk) if e.episode not in known)


def _add(op: OperationReply, desk: Desk, progress: Progress) -> str:
    body = _body(op, desk)
    if body.content in progress.made:
        _join(op, desk, progress, progress.made[body.content])
        return ""
    known = _same_content(body, desk, progress)
    if known is not None and progress.changed.get(known.id) == "restore":
        return _support(known, op, desk, progress)
    if known is not None and known.id in progress.changed:
        return f"another operation ({progress.changed[known.id]}) is about this text"
    if known is not None and (known.usable or known.status is Status.QUARANTINED):
        return _support(known, op, desk, progress)
    waits = [x for x in desk.memory if _waits(x, body)]
    if known is not None and (known.status is Status.REVOKED or not waits):
        return _again(known, op, desk, progress)
    if any(x.trust.rank > desk.trust.rank for x in waits):
        return f"this text waits in quarantine, and {desk.trust} text cannot take its place"
    if (told := restated(op, desk)) is not None:
        return _told_before(told, op, desk, progress)
    if progress.count >= desk.max_lessons:
        progress.crowded.append(title(op))
        return f"the list is full ({desk.max_lessons} lessons)"
    progress.count += 1
    name = lesson_id(desk.branch, desk.scope, body, desk.commit)
    progress.made[body.content] = len(progress.updates)
    votes = {"support": episodes(cited(op, desk)), **counting(None, 0, desk)}
    made = Operation.SUPERSEDE if waits else Operation.ADD
    update = _update(made, name, op, desk, votes=votes)
    progress.updates.append(
        update.replace(
            body=body,
            status=entry(desk.trust, desk.gate),
            evidence=_saying(body, update.evidence, desk),
            parents=tuple(x.id for x in waits),
        )
    )
    return ""


def _waits(lesson: Lesson, body: LessonBody) -> bool:
    """Whether `lesson` is this text in quarantine: a trusted one takes its place."""
    return lesson.status is Status.QUARANTINED and lesson.body.content == body.content


def _keep_both(op: OperationReply, desk: Desk, progress: Progress) -> str:
    """Both texts of a pair stay, and the pair is not asked about again."""
    one, body = desk.lessons[op.lessons[0]], _body(op, desk)
    if op.proposals:
        if why := _add(op, desk, progress):
            return why
        made = progress.made.get(body.content)
        if made is None:
            # It is there already, or it only said again what the agent was told.
            return ""
        kept = progress.updates[made].lesson
    else:
        kept, body = one.id, desk.lessons[op.lessons[1]].body
        if one.trust.rank > desk.trust.rank:
            return f"{desk.trust} text may only support lesson {op.lessons[0]}"
    update = _update(Operation.KEEP_BOTH, kept, op, desk)
    progress.updates.append(update.replace(evidence=(), beside=pair_key(one.body, body)))
    return ""


def _reject(op: OperationReply, desk: Desk, progress: Progress) -> str:
    """A proposal adds nothing: recorded with the lesson that it is near to, where one is named."""
    if not op.proposals:
        return "it names no proposal"
    if op.lessons:
        name = desk.lessons[op.lessons[0]].id
        progress.updates.append(_update(Operation.REJECT, name, op, desk).replace(evidence=()))
        return ""
    return f"rejected by the curator, {op.reason.strip() or 'without a reason'}"


def _told_before(told: Told, op: OperationReply, desk: Desk, progress: Progress) -> str:
    """What the agent was told is supported where that is a lesson of the list; never a new one."""
    lesson = next((x for x in desk.lessons.values() if x.id == told.lesson), None)
    if lesson is None or lesson.id in progress.changed:
        return "restated guidance"
    why = _support(lesson, op, desk, progress)
    return f"restated guidance: {why}" if why else ""


def _again(known: Lesson, op: OperationReply, desk: Desk, progress: Progress) -> str:
    """A text that was given up comes back on new evidence; one that was revoked does not."""
    if known.status is Status.REVOKED:
        return "this text was revoked"
    if known.trust.rank > desk.trust.rank:
        return f"this text was {known.status}; {desk.trust} text cannot bring it back"
    if not _fresh([known.id], op, desk, progress):
        return f"this text was {known.status}, and all of its evidence is counted already"
    if progress.count >= desk.max_lessons:
        progress.crowded.append(title(op))
        return f"the list is full ({desk.max_lessons} lessons)"
    status = entry(known.trust, desk.gate)
    restored = _update(Operation.RESTORE, known.id, op, desk)
    progress.updates.append(restored.replace(evidence=(), status=status))
    progress.changed[known.id] = "restore"
    progress.count += 1
    return _support(known, op, desk, progress)


def _rewrite(op: OperationReply, desk: Desk, progress: Progress) -> str:
    """New text for one lesson, or one for several."""
    named = [desk.lessons[n] for n in dict.fromkeys(op.lessons)]
    body = _body(op, desk)
    known = _same_content(body, desk, progress)
    if body.content in progress.made:
        return "another operation gives this text already"
    if known is not None and op.op == "revise" and known.id == named[0].id:
        return _support(known, op, desk, progress)
    others = {x.id for x in desk.memory if x.status in LIVE and x.body.content == body.content}
    if others - {x.id for x in named}:
        return "another lesson has this text already; merge the two"
    if known is not None and known.status is Status.REVOKED:
        return "this text was revoked"
    if why := removal(named, body, desk, progress):
        return why
    # What the new text cites stands behind it, and later no support may count it again.
    gained = {name: -twice for name, twice in shared(named).items() if twice}
    if more := episodes(_fresh([x.id for x in named], op, desk, progress)):
        gained["support"] = gained.get("support", 0) + more
    for lesson in named:
        progress.changed[lesson.id] = op.op
    progress.made[body.content] = len(progress.updates)
    if op.op == "revise":
        votes = {**gained, **counting(named[0], 1, desk)}
        update = _update(Operation.REVISE, named[0].id, op, desk, votes=votes)
        # A lesson keeps what only the method decides.
        old = named[0].body
        kept = {"check": old.check, "conditional": old.conditional}
        if not desk.aspects:
            kept |= {"aspect": old.aspect, "audience": old.audience}
        body = body.replace(examples_not=spared(named, op, desk), **kept)
        said = _saying(body, update.evidence, desk)
        progress.updates.append(update.replace(body=body, evidence=said))
        return ""
    progress.count -= len(named) - 1
    name = lesson_id(desk.branch, desk.scope, body, desk.commit)
    update = _update(Operation.MERGE, name, op, desk, votes=gained)
    body = body.replace(examples_not=spared(named, op, desk))
    said = _saying(body, update.evidence, desk)
    parents = tuple(x.id for x in named)
    progress.updates.append(update.replace(body=body, parents=parents, evidence=said))
    return ""


def _join(op: OperationReply, desk: Desk, progress: Progress, place: int) -> None:
    """Equal texts are one lesson: the second adds its evidence to the first."""
    first = progress.updates[place]
    said = cited(op, desk) if first.body is None else _saying(first.body, cited(op, desk), desk)
    evidence = tuple(dict.fromkeys((*first.evidence, *said)))
    # What a new text for old lessons takes from them is counted there already.
    old = (first.lesson, *(first.parents if first.op is Operation.MERGE else ()))
    more = episodes(_fresh(old, op, desk, progress))
    support = {"support": first.votes.get("support", 0) + more} if more else {}
    progress.updates[place] = first.replace(
        evidence=evidence,
        critiques=tuple(dict.fromkeys(e.critique for e in evidence)),
        votes={**first.votes, **support},
    )


def _same_content(body: LessonBody, desk: Desk, progress: Progress) -> Lesson | None:
    """The lesson that says the same, a usable one if there is one."""
    same = [x for x in desk.memory if x.body.content == body.content]
    gone = {i for i, op in progress.changed.items() if op in ("revise", "merge", "retire")}
    same = [x for x in same if x.status is not Status.PURGED]
    free = [x for x in same if x.id not in gone] or same
    order = {Status.ACTIVE: 0, Status.PROVISIONAL: 1, Status.QUARANTINED: 2, Status.REVOKED: 3}
    # Trusted text does not confirm a quarantined lesson: it takes its place.
    if desk.trust is not Origin.UNTRUSTED:
        free = [x for x in free if x.status is not Status.QUARANTINED]
    return min(free, key=lambda x: (order.get(x.status, 9), x.born, x.position), default=None)


def _body(op: OperationReply, desk: Desk) -> LessonBody:
    body = LessonBody(
        kind=desk.kind,
        name=op.name.strip(),
        when=op.when.strip(),
        when_not=op.when_not.strip() if has_words(op.when_not) else "",
        instruction=op.instruction.strip(),
    )
    return placed(body, op, desk)


def _saying(body: LessonBody, evidence: tuple[Evidence, ...], desk: Desk) -> tuple[Evidence, ...]:
    """`evidence`, marked where the critique behind it says `body` itself."""
    critiques = {item.critique.id: item.critique for item in desk.evidence.values()}
    return tuple(saying(e, critiques[e.critique], body) for e in evidence)


def _update(
    operation: Operation,
    lesson: str,
    op: OperationReply,
    desk: Desk,
    *,
    votes: Mapping[str, int] | None = None,
) -> MemoryUpdate:
    rests_on = cited(op, desk)
    said = {desk.evidence[n].critique.id: desk.evidence[n].critique.confidence for n in op.evidence}
    known = [c for c in said.values() if c is not None]
    return MemoryUpdate(
        op=operation,
        lesson=lesson,
        trust=desk.trust,
        evidence=rests_on,
        critiques=tuple(dict.fromkeys(e.critique for e in rests_on)),
        votes=dict(votes or {}),
        confidence=round(sum(known) / len(known), 4) if known and operation in _MAKING else None,
        reason=op.reason.strip(),
        prompt_sha=desk.prompt_sha,
    )


def title(op: OperationReply) -> str:
    """`op` in a few words, for reasons."""
    about = op.name.strip() or op.instruction.strip()[:60]
    numbers = ", ".join(map(str, op.lessons))
    return " ".join(filter(None, (op.op[:20], numbers and f"[{numbers}]", about and repr(about))))

"""The rules that a curator's operations are held against: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..records import Gate, Lesson, LessonBody, LessonKind, MemoryUpdate, Operation, Origin, Status
from ..worth import no_advice
from .evidence import Item
from .schema import DECISIONS, OperationReply

MAX_WORDS = 60
"""Of condition, exception and instruction, each; prompts ask for half of it."""
REWRITE_SHARE = 0.75
"""Of a list of four or more, at most, one commit may change the text of."""
LEAVE_SHARE = 0.1
"""Of the tokens of a list of more than `SMALL_LIST` lessons, at most, one commit may take away."""
SMALL_LIST = 10

_NAMED = 8

EXPEL = {"upvote": "support", "downvote": "retire", "edit": "revise"}
"""The names of ExpeL's operations, beside `add`."""

TEXTS = ("add", "revise", "merge")
CHANGES = ("revise", "merge", "retire")


@dataclass(frozen=True, slots=True)
class Desk:
    """What one call was offered, and the rules that its operations are held against."""

    commit: str
    branch: str
    scope: str
    kind: LessonKind
    trust: Origin
    """The least trusted text that the call read."""
    gate: Gate
    operations: frozenset[str]
    """Those allowed."""
    max_lessons: int
    memory: tuple[Lesson, ...]
    """All lessons of the scope, in any status."""
    lessons: Mapping[int, Lesson] = field(default_factory=dict)
    evidence: Mapping[int, Item] = field(default_factory=dict)
    proposals: Mapping[int, OperationReply] = field(default_factory=dict)
    prompt_sha: str = ""
    may_lose: int | None = None
    """Tokens of usable lessons that one commit may take from the list; None: any."""
    lost: int = 0
    """Tokens that this commit has taken before this call."""
    votes: Literal["support", "expel"] = "support"
    aspects: Mapping[str, str] = field(default_factory=dict)
    """What a belief may be about → who gets it beside the actor; the last one is for the rest."""


@dataclass(slots=True)
class Progress:
    """What earlier operations of the same call did."""

    updates: list[MemoryUpdate] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    """Lesson id → the operation that changes it."""
    made: dict[str, int] = field(default_factory=dict)
    """Content → the place of the update that makes it."""
    count: int = 0
    """Lessons that would be usable."""
    lost: int = 0
    """Tokens that left the list."""
    crowded: list[str] = field(default_factory=list)
    """New texts for which there was no room, in a few words each."""


def complaints(operations: Iterable[OperationReply], desk: Desk) -> tuple[str, ...]:
    """What asking again may mend: new texts without a condition or an instruction, or too long."""
    found = ((n, op, complaint(op, desk)) for n, op in enumerate(operations, start=1))
    return tuple(f"operation {n} ({op.op}): {why}" for n, op, why in found if why)


def complaint(given: OperationReply, desk: Desk) -> str:
    """What asking again may mend of one operation; empty when there is nothing."""
    op = completed(given, desk)
    return _text_fault(op) if op.op in TEXTS and op.op in desk.operations else ""


def completed(op: OperationReply, desk: Desk) -> OperationReply:
    """`op` with what the proposals it takes up say: their evidence, and text where it has none."""
    if desk.votes == "expel" and op.op in EXPEL:
        op = op.model_copy(update={"op": EXPEL[op.op]})
    taken = [desk.proposals[n] for n in op.proposals if n in desk.proposals]
    if not taken:
        return op
    changes: dict[str, object] = {
        "evidence": tuple(dict.fromkeys((*op.evidence, *(e for p in taken for e in p.evidence))))
    }
    texts = [p for p in taken if p.instruction.strip()]
    named = op.op in TEXTS or op.op == "keep_both"
    if named and not op.instruction.strip() and len(texts) == 1:
        changes |= {name: getattr(texts[0], name) for name in ("when", "when_not", "instruction")}
        changes["name"] = op.name or texts[0].name
        if hasattr(op, "aspect"):
            changes["aspect"] = getattr(texts[0], "aspect", "")
    if not op.lessons and len(taken) == 1 and op.op not in DECISIONS:
        changes["lessons"] = taken[0].lessons
    return op.model_copy(update=changes)


def fault(op: OperationReply, desk: Desk, progress: Progress) -> str:
    """Why `op` cannot be used as it is; empty when it can."""
    if op.op not in desk.operations:
        return "this operation is not allowed here"
    for name in ("lessons", "evidence", "proposals"):
        unknown = [n for n in getattr(op, name) if n not in getattr(desk, name)]
        if unknown:
            return f"{name} {unknown[0]} was not shown"
    lessons, wanted = len(set(op.lessons)), {"add": (0, 0), "merge": (2, 99), "reject": (0, 99)}
    both = (1, 1) if op.proposals else (2, 2)
    low, high = both if op.op == "keep_both" else wanted.get(op.op, (1, 1))
    if not low <= lessons <= high:
        return f"it names {lessons} lessons"
    if not op.evidence and op.op not in DECISIONS:
        return "it cites no evidence"
    new = op.op in TEXTS or (op.op == "keep_both" and op.proposals)
    if new and (why := _text_fault(op)):
        return why
    return _lesson_fault(op, desk, progress)


def _text_fault(op: OperationReply) -> str:
    if not has_words(op.instruction):
        return "`instruction` is empty"
    if why := no_advice(op.instruction, op.when):
        return f"`instruction` is {why}; say what to do in this situation"
    if not has_words(op.when):
        return "`when` is empty; say how the situation can be recognised before acting"
    for name in ("when", "when_not", "instruction"):
        if len(getattr(op, name).split()) > MAX_WORDS:
            return f"`{name}` is longer than {MAX_WORDS} words; give a short hint"
    return ""


def _lesson_fault(op: OperationReply, desk: Desk, progress: Progress) -> str:
    named = [desk.lessons[n] for n in dict.fromkeys(op.lessons)]
    for n, lesson in zip(dict.fromkeys(op.lessons), named, strict=True):
        if lesson.id in progress.changed and (op.op, progress.changed[lesson.id]) != (
            "support",
            "revise",
        ):
            return f"lesson {n} is changed by another operation, {progress.changed[lesson.id]}"
        if op.op in CHANGES and lesson.trust.rank > desk.trust.rank:
            return f"{desk.trust} text may only support lesson {n}, which is {lesson.trust}"
    touched = {*progress.changed, *(x.id for x in named)}
    most = int(len(desk.lessons) * REWRITE_SHARE) if len(desk.lessons) >= 4 else len(desk.lessons)
    if op.op in CHANGES and len(touched) > most:
        return f"more than {most} of {len(desk.lessons)} lessons would change at once"
    return ""


def counted(desk: Desk) -> list[Lesson]:
    """The lessons that the cap counts for text of this trust."""
    untrusted = desk.trust is Origin.UNTRUSTED
    return [
        x
        for x in desk.memory
        if x.kind is desk.kind and (x.status is Status.QUARANTINED if untrusted else x.usable)
    ]


def crowding(desk: Desk, done: Progress) -> str:
    """What asking again may mend of a list that is full or too long; empty where nothing can.

    Consolidation is the curator's, over the list that it sees; nothing leaves by itself.
    """
    ours = [x for x in desk.lessons.values() if x.trust.rank <= desk.trust.rank]
    can = len(ours) >= 2 and desk.operations & {"merge", "retire"}
    if not can or not (done.crowded or done.count > desk.max_lessons):
        return ""
    waiting = f"; no room for {', '.join(done.crowded[:_NAMED])}" if done.crowded else ""
    return (
        f"the list has {done.count} lessons and room for {desk.max_lessons}{waiting}: make room by "
        "merging lessons that say nearly the same and retiring what the evidence contradicts; add "
        "only what is worth more than what is there"
    )


def removal(lessons: Iterable[Lesson], by: LessonBody | None, desk: Desk, done: Progress) -> str:
    """Why these `lessons` may not leave, or give way to `by`; else the loss is counted.

    One commit takes at most a tenth of the tokens of a list of more than a few lessons, so that no
    answer replaces a memory by its summary; one single lesson may always leave.
    """
    before = [x.body.tokens for x in lessons if x.usable]
    lost = max(0, sum(before) - (by.tokens if by else 0))
    first = not done.lost and len(before) <= 1
    if desk.may_lose is not None and lost and not first and done.lost + lost > desk.may_lose:
        return f"more than a tenth of the list would go at once ({done.lost + lost} tokens)"
    done.lost += lost
    return ""


def may_lose(lessons: Iterable[Lesson]) -> int | None:
    """What one commit may take from a list of usable `lessons`, in tokens; None: any."""
    costs = [x.body.tokens for x in lessons]
    return int(sum(costs) * LEAVE_SHARE) if len(costs) > SMALL_LIST else None


def lost(before: Iterable[Lesson], updates: Iterable[MemoryUpdate]) -> int:
    """How many tokens of the usable lessons `before` these updates took away."""
    costs = {x.id: x.body.tokens for x in before}
    taken = 0
    for update in updates:
        if update.op is Operation.RETIRE:
            taken += costs.get(update.lesson, 0)
        elif update.op in (Operation.REVISE, Operation.MERGE) and update.body is not None:
            gone = sum(costs.get(name, 0) for name in {update.lesson, *update.parents})
            taken += max(0, gone - update.body.tokens)
    return taken


def has_words(text: str) -> bool:
    """False for texts that say nothing."""
    return any(c.isalnum() for c in text) and text.strip().casefold() not in ("n/a", "none", "null")

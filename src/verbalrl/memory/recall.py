"""Which lessons one prompt gets: a pure function of lessons, wishes and the situation's text.

Order of decisions: condition, window, trust, budget. What passed and fits goes in, all of it. When
it does not fit, the order is fixed for now: the stable block, then reflections from the newest,
then lessons whose condition holds, then the rest from the oldest. Ranking comes with the indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import MethodError
from ..ids import token_estimate
from ..prompts import PromptLibrary, one_line
from ..records import (
    Block,
    Guidance,
    GuidanceLine,
    GuidanceSpec,
    Lesson,
    LessonBody,
    LessonKind,
    Origin,
    Outcome,
    Status,
    Use,
)
from .conditions import holds
from .render import guidance_text

LEFT_OUT_KEPT = 50
"""How many of the lessons left out are recorded one by one."""
STABLE_SHARE = 0.5
"""Of the budget, at most, for the stable block."""
UNTRUSTED_SHARE = 0.25
"""Of the budget, at most, for lessons made from untrusted text."""

_BARRED = (Status.QUARANTINED, Status.REVOKED, Status.PURGED)


@dataclass(frozen=True, slots=True)
class _Choice:
    lesson: Lesson
    outcome: Outcome
    block: Block | None = None
    probability: float = 1.0


def recall(
    lessons: Iterable[Lesson],
    spec: GuidanceSpec,
    *,
    situation: str,
    prompts: PromptLibrary,
    role: str = "actor",
    step: int = 0,
) -> Guidance:
    """What the prompt of `role` gets from `lessons`, as `spec` asks.

    Args:
        lessons: Of the branch at the pinned revision, in any order and status.
        spec: Its source `instance` is the caller's to resolve: hand on that instance's guidance.
        situation: Goal and observation, which conditions are tested against.
        prompts: Words the result's `text`.
        role: Recorded with every use.
        step: The step it is selected for; 0 when it is pinned for the episode.

    Raises:
        MethodError: `spec` names a lesson that is not there or may not be shown.
    """
    texts = (spec.text,) if spec.text.strip() and spec.source != "none" else ()
    known = list(lessons)
    match spec.source:
        case "none" | "text":
            chosen: list[_Choice] = []
        case "lessons":
            chosen = [_Choice(x, "injected", "volatile") for x in _named(spec.lessons, known)]
        case "recall":
            budget = max(0, spec.budget - sum(map(token_estimate, texts)))
            pool = sorted(_in_reach(known, spec), key=lambda x: (_place(x, spec), _age(x)))
            chosen = _recalled(pool, spec, situation, budget)
        case "instance":
            raise MethodError("the source `instance` is resolved before recall")
    return _guidance(chosen, texts, prompts, role=role, step=step)


def _in_reach(lessons: Iterable[Lesson], spec: GuidanceSpec) -> list[Lesson]:
    return [
        lesson
        for lesson in lessons
        if (lesson.usable or lesson.id in spec.force_in)
        and lesson.status not in _BARRED
        and (not spec.scopes or lesson.scope in spec.scopes)
        and (not spec.kinds or lesson.kind in spec.kinds)
    ]


def _named(ids: Sequence[str], lessons: Iterable[Lesson]) -> list[Lesson]:
    known = {lesson.id: lesson for lesson in lessons if lesson.status not in _BARRED}
    if missing := [i for i in ids if i not in known]:
        raise MethodError(f"guidance asks for lesson {missing[0]!r}, which may not be shown here")
    return [known[i] for i in dict.fromkeys(ids)]


def _place(lesson: Lesson, spec: GuidanceSpec) -> int:
    # Revisions count per scope, so ages of two scopes do not compare: scopes stand in order.
    return spec.scopes.index(lesson.scope) if lesson.scope in spec.scopes else len(spec.scopes)


def _age(lesson: Lesson) -> tuple[int, int, int, str, str]:
    """Oldest first, whatever order they came in; a kept reflection is as new as its critique."""
    moved = lesson.kept_at if lesson.kind is LessonKind.REFLECTION else 0
    return (moved, lesson.born, lesson.position, _content(lesson.body), lesson.id)


@lru_cache(maxsize=8192)
def _content(body: LessonBody) -> str:
    # The same bodies are sorted for every prompt of a round.
    return body.content


def _is_general(lesson: Lesson) -> bool:
    # A reflection serves the very instance that it came from: there is nothing to test.
    reflection = lesson.kind is LessonKind.REFLECTION
    return reflection or not (lesson.body.conditional or lesson.when_not.strip())


def _recalled(pool: list[Lesson], spec: GuidanceSpec, situation: str, budget: int) -> list[_Choice]:
    forced = [x for x in pool if x.id in spec.force_in and x.id not in spec.force_out]
    withheld = [_Choice(x, "withheld", None, 0.0) for x in pool if x.id in spec.force_out]
    free = [x for x in pool if x.id not in spec.force_in and x.id not in spec.force_out]
    held, failed = _by_condition(free, situation)
    recent, older = _by_window(held, spec.window)
    room = _Room(budget)
    chosen = [_Choice(x, "injected", "volatile") for x in forced]
    for lesson in forced:
        room.take(lesson)
    # The stable block does not see the situation: it must not move with it. What texts and forced
    # lessons leave of the budget is the same for all situations of one plan.
    stable = _stable(recent, spec.budget, room.left)
    for lesson in stable:
        room.take(lesson)
        chosen.append(_Choice(lesson, "injected", "stable"))
    inside = {x.id for x in stable}
    rest = [x for x in recent if x.id not in inside]
    for lesson in _by_priority(rest):
        outcome = room.offer(lesson)
        chosen.append(_Choice(lesson, outcome, "volatile" if outcome == "injected" else None))
    chosen += withheld
    chosen += [_Choice(x, "condition") for x in failed]
    chosen += [_Choice(x, "cap") for x in older]
    return chosen


def _by_condition(pool: list[Lesson], situation: str) -> tuple[list[Lesson], list[Lesson]]:
    passed: list[Lesson] = []
    failed: list[Lesson] = []
    for lesson in pool:
        general = _is_general(lesson)
        fits = general or holds(lesson.when, lesson.when_not, situation)
        (passed if fits else failed).append(lesson)
    return passed, failed


def _by_window(pool: list[Lesson], window: int | None) -> tuple[list[Lesson], list[Lesson]]:
    """Reflections of the newest `window` critiques; other lessons know no window."""
    if window is None:
        return pool, []
    reflections = [x for x in pool if x.kind is LessonKind.REFLECTION]
    # Published ones share a revision: among them the order of the pool decides.
    found = dict.fromkeys((x.kept_at, x.critique or "") for x in reversed(reflections))
    critiques = sorted(found, key=lambda critique: critique[0], reverse=True)
    newest = set(critiques[: max(0, window)])
    older = [x for x in reflections if (x.kept_at, x.critique or "") not in newest]
    out = {x.id for x in older}
    return [x for x in pool if x.id not in out], older


def _stable(pool: list[Lesson], budget: int, left: int) -> list[Lesson]:
    """General active lessons of shared scopes, oldest first, while they fit.

    Whether one goes in depends on the older ones alone, so a new one never changes what is before.
    """
    taken: list[Lesson] = []
    tokens = max(0, min(int(budget * STABLE_SHARE), left))
    room = _Room(tokens, untrusted=int(budget * UNTRUSTED_SHARE))
    for lesson in pool:
        shared = lesson.kind is not LessonKind.REFLECTION
        fits = shared and lesson.status is Status.ACTIVE and _is_general(lesson)
        if fits and room.offer(lesson) == "injected":
            taken.append(lesson)
    return taken


def _by_priority(pool: list[Lesson]) -> list[Lesson]:
    reflections = [x for x in pool if x.kind is LessonKind.REFLECTION]
    others = [x for x in pool if x.kind is not LessonKind.REFLECTION]
    conditional = [x for x in others if not _is_general(x)]
    return reflections[::-1] + conditional + [x for x in others if _is_general(x)]


class _Room:
    """What is left of the budget, and of the share of it that untrusted text may fill."""

    def __init__(self, tokens: int, untrusted: int | None = None) -> None:
        self._tokens = tokens
        self._untrusted = int(tokens * UNTRUSTED_SHARE) if untrusted is None else untrusted

    @property
    def left(self) -> int:
        """Tokens; negative where what was forced in is more than there was."""
        return self._tokens

    def take(self, lesson: Lesson) -> None:
        """Put `lesson` in, whether or not there is room."""
        self._tokens -= lesson.body.tokens
        if lesson.trust is Origin.UNTRUSTED:
            self._untrusted -= lesson.body.tokens

    def offer(self, lesson: Lesson) -> Outcome:
        """Put `lesson` in if there is room; what became of it."""
        if lesson.trust is Origin.UNTRUSTED and lesson.body.tokens > self._untrusted:
            return "trust"
        if lesson.body.tokens > self._tokens:
            return "budget"
        self.take(lesson)
        return "injected"


def _guidance(
    chosen: list[_Choice], texts: tuple[str, ...], prompts: PromptLibrary, *, role: str, step: int
) -> Guidance:
    stable = [c.lesson for c in chosen if c.block == "stable"]
    volatile = sorted((c.lesson for c in chosen if c.block == "volatile"), key=_age)
    place = {lesson.id: n for n, lesson in enumerate((*stable, *volatile), start=1)}
    lines = [_line(lesson, place[lesson.id]) for lesson in (*stable, *volatile)]
    inside = sorted((c for c in chosen if c.block), key=lambda c: place[c.lesson.id])
    outside = [c for c in chosen if not c.block]
    kept = [*inside, *outside[:LEFT_OUT_KEPT]]
    guidance = Guidance(
        stable=tuple(lines[: len(stable)]),
        volatile=tuple(lines[len(stable) :]),
        texts=texts,
        uses=tuple(_use(c, rank, role, step) for rank, c in enumerate(kept, start=1)),
        left_out=len(outside),
        tokens=sum(c.lesson.body.tokens for c in inside) + sum(map(token_estimate, texts)),
    )
    return guidance.model_copy(update={"text": guidance_text(guidance, prompts)})


def _line(lesson: Lesson, alias: int) -> GuidanceLine:
    # One line each, also for agents that print the fields themselves.
    return GuidanceLine(
        alias=alias,
        lesson=lesson.id,
        name=one_line(lesson.name),
        when=one_line(lesson.when),
        when_not=one_line(lesson.when_not),
        instruction=one_line(lesson.instruction),
    )


def _use(choice: _Choice, rank: int, role: str, step: int) -> Use:
    return Use(
        lesson=choice.lesson.id,
        version=choice.lesson.version,
        content=_content(choice.lesson.body),
        rank=rank,
        outcome=choice.outcome,
        block=choice.block,
        probability=choice.probability,
        tokens=choice.lesson.body.tokens,
        step=step,
        role=role,
    )

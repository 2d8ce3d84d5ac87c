"""A lesson from the critiques that it rests on to the episodes that carried it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..memory.editing import REWORDED
from ..records import Critique, Evidence, Lesson, Status
from ..store import Borne, Line, Version
from .wording import about, caveat, outcome_word, rule

LISTED_EVIDENCE, LISTED_USES = 8, 12
"""Of one lesson; what is left is counted."""

ORDER = (
    *(Status.ACTIVE, Status.PROVISIONAL, Status.QUARANTINED, Status.SUPERSEDED),
    *(Status.RETIRED, Status.REVOKED, Status.PURGED),
)
"""What matters most to a reader first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A critique that a lesson rests on, and what it said of the step."""

    critique: str
    episode: str
    instance: str
    trial: int
    step: int | None
    why: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """An episode for whose prompt a lesson was considered."""

    episode: str
    instance: str
    trial: int
    version: int
    outcome: str
    """What became of the lesson: injected, withheld, and so on."""
    prompts: int
    """Of that episode, one for each role and step."""
    went: str
    """How the episode went."""
    simulated: bool = False
    """Whether it is of a run with a simulated model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step in the life of a lesson."""

    op: str
    revision: int
    branch: str
    text: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How many prompts of how many episodes carried a lesson, and how those episodes went."""

    prompts: int = 0
    injected: int = 0
    """Episodes; so are the rest."""
    solved: int = 0
    failed: int = 0
    left_out: int = 0
    simulated: int = 0
    """Of the injected ones, those of runs with a simulated model."""
    simulated_solved: int = 0

    @property
    def caveat(self) -> str:
        """How much of this says nothing of real models; empty where all of it does."""
        return caveat(self.injected, self.simulated, self.simulated_solved)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonView:
    """A lesson as a reader sees it."""

    id: str
    branch: str
    scope: str
    kind: str
    name: str
    text: str
    about: str
    status: str
    trust: str
    version: int
    support: int
    against: int
    conflict_with: str
    successor: str
    sources: tuple[Source, ...]
    more_sources: int
    uses: Uses
    carriers: tuple[Carrier, ...]
    more_carriers: int
    changes: tuple[Change, ...]
    measured: tuple[str, ...] = ()
    """What withholding it has shown, by role, and what proofs have."""
    edited: str = ""
    """What it says now, where a person reworded it after the run whose words `text` has."""


def as_in_the_run(
    view: LessonView, lines: Sequence[Line], versions: Sequence[Version]
) -> LessonView:
    """`view` with the words that prompts of the run had, where a person has edited it since."""
    since = next((line.n for line in lines if line.update.reason == REWORDED), None)
    before = [version for version in versions if since is not None and version.n < since]
    if not before:
        return view
    last = before[-1]
    return replace(view, text=rule(last.body), version=last.number, edited=view.text)


def support(lesson: Lesson) -> int:
    """How many critiques or episodes speak for it."""
    return lesson.votes.get("support", len(lesson.evidence))


def first_of(
    lessons: Iterable[Lesson], limit: int, worth: Callable[[Lesson], Any] = lambda _: 0
) -> tuple[Lesson, ...]:
    """The lessons that matter most: live ones first, then by `worth`, then by support."""
    ranked = sorted(
        lessons,
        key=lambda x: (ORDER.index(x.status), worth(x), -support(x), x.born, x.position),
    )
    return tuple(ranked[:limit])


def lesson_view(
    lesson: Lesson,
    branch: str,
    critiques: Mapping[str, Critique],
    carried: Sequence[Borne],
    lines: Sequence[Line],
    measured: Sequence[str] = (),
    run: str = "",
) -> LessonView:
    """`lesson` with where it comes from and where it went: in `run` first, the newest first."""
    newest = reversed(carried)
    shown = sorted(newest, key=lambda use: (use.outcome != "injected", use.run != run))
    shown = shown[:LISTED_USES]
    return LessonView(
        id=lesson.id,
        branch=branch,
        scope=lesson.scope,
        kind=lesson.kind.value,
        name=lesson.name,
        text=rule(lesson.body),
        about=about(lesson.body),
        status=lesson.status.value,
        trust=lesson.trust.value,
        version=lesson.version,
        support=support(lesson),
        against=lesson.votes.get("against", 0),
        conflict_with=lesson.conflict_with or "",
        successor=lesson.successor or "",
        sources=tuple(source_of(e, critiques) for e in lesson.evidence[:LISTED_EVIDENCE]),
        more_sources=max(0, len(lesson.evidence) - LISTED_EVIDENCE),
        uses=uses_of(carried),
        carriers=tuple(carrier_of(use) for use in shown),
        more_carriers=len(carried) - len(shown),
        changes=tuple(change_of(line) for line in lines),
        measured=tuple(measured),
    )


def source_of(evidence: Evidence, critiques: Mapping[str, Critique]) -> Source:
    """Where a lesson stems from, with the words of the critique on that step."""
    critique = critiques.get(evidence.critique)
    causes = () if critique is None else critique.causes
    near = [c for c in causes if evidence.step is None or c.step == evidence.step]
    said = (near or list(causes))[:1]
    return Source(
        critique=evidence.critique,
        episode=evidence.episode,
        instance=evidence.instance,
        trial=evidence.trial,
        step=evidence.step,
        why=said[0].why if said else "",
        quote=said[0].quote if said else "",
    )


def carrier_of(use: Borne) -> Carrier:
    """`use` in words."""
    return Carrier(
        episode=use.episode,
        instance=use.instance,
        trial=use.trial,
        version=use.version,
        outcome=use.outcome,
        prompts=use.prompts,
        went=outcome_word(use.success),
        simulated=use.simulated,
    )


def uses_of(carried: Sequence[Borne]) -> Uses:
    """Counts over episodes, and the prompts of those that carried it."""
    injected = [use for use in carried if use.outcome == "injected"]
    judged = Counter(use.success for use in injected)
    return Uses(
        prompts=sum(use.prompts for use in injected),
        injected=len(injected),
        solved=judged[True],
        failed=judged[False],
        left_out=len(carried) - len(injected),
        simulated=sum(use.simulated for use in injected),
        simulated_solved=sum(use.simulated and use.success is True for use in injected),
    )


def change_of(line: Line) -> Change:
    """`line` in words."""
    update = line.update
    status = f" → {update.status}" if update.status else ""
    return Change(
        op=f"{update.op}{status}",
        revision=line.revision,
        branch=line.branch,
        text="" if update.body is None else rule(update.body),
        reason=update.reason,
        at=line.at,
    )

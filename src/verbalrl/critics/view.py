"""From records to what a critic is shown: pure, and the only place that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..ids import token_estimate
from ..prompts import Line
from ..records import (
    Episode,
    GuidanceLine,
    Instance,
    Lesson,
    Observation,
    Origin,
    Record,
    Reward,
    Shows,
    Step,
    StopReason,
    Trade,
    Trajectory,
    WriteCritique,
    trades_of,
)

TRAJECTORY_TOKENS = 24_000
"""What all attempts of one prompt may cost; beyond, the longest texts are cut."""
_CUT = " […] "


class StepView(Record):
    """One step as a critic sees it."""

    n: int
    observation: str
    action: str
    feedback: str = ""
    reward: str = ""
    notes: tuple[str, ...] = ()


class AttemptView(Record):
    """One attempt as a critic sees it."""

    n: int
    """From 1, in the order shown."""
    steps: tuple[StepView, ...]
    success: str = "unknown"
    stop: str = ""
    reward: str = ""


class SystemInputs(Record):
    """What `critic/system` is rendered from: nothing."""


class CritiqueInputs(Record):
    """What `critic/critique` is rendered from."""

    goal: str
    actions: tuple[str, ...] | None = None
    attempts: tuple[AttemptView, ...]
    earlier: tuple[Line, ...] = ()
    feedback: tuple[str, ...] = ()


class OutlineInputs(Record):
    """What `critic/operator` is rendered from."""

    goal: str
    attempts: tuple[AttemptView, ...]
    feedback: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: CritiqueInputs) -> OutlineInputs:
        """The part of `inputs` that an outline has."""
        return cls(goal=inputs.goal, attempts=inputs.attempts, feedback=inputs.feedback)


class FeedbackInputs(Record):
    """What `critic/feedback` is rendered from."""

    goal: str
    actions: tuple[str, ...] | None = None
    steps: tuple[StepView, ...]

    @classmethod
    def of(cls, inputs: CritiqueInputs) -> FeedbackInputs:
        """The part of `inputs` that feedback is given on: the last attempt, and no outcome."""
        return cls(goal=inputs.goal, actions=inputs.actions, steps=inputs.attempts[-1].steps)


class CandidateView(Record):
    """One candidate as a critic sees it."""

    n: int
    """From 1, in the order shown."""
    output: str
    result: str = ""
    """What executing it showed."""


class GroupInputs(Record):
    """What `critic/group` is rendered from."""

    goal: str
    observation: str = ""
    """What all candidates answer to."""
    candidates: tuple[CandidateView, ...]

    @classmethod
    def of(cls, inputs: CritiqueInputs) -> GroupInputs:
        """The attempts of `inputs` as candidates: what was put out, and what it led to."""
        seen = next((s.observation for a in inputs.attempts for s in a.steps), "")
        return cls(
            goal=inputs.goal,
            observation=seen,
            candidates=tuple(
                CandidateView(
                    n=a.n,
                    output="\n".join(s.action for s in a.steps),
                    result=a.steps[-1].feedback if a.steps else "",
                )
                for a in inputs.attempts
            ),
        )


class TradeView(Record):
    """One trade as a critic sees it."""

    attempt: int
    first: int
    """The number of its first step."""
    last: int
    action: str
    result: str = ""
    """The sum of its rewards."""
    won: bool | None = None
    """None where it earned nothing, or nobody gave a reward."""


class TradesInputs(Record):
    """What `critic/trades` is rendered from."""

    goal: str
    actions: tuple[str, ...] | None = None
    attempts: tuple[AttemptView, ...]
    trades: tuple[TradeView, ...] = ()
    aspects: tuple[str, ...] = ()
    """What a lesson may be about; empty: nobody asks."""

    @classmethod
    def of(cls, inputs: CritiqueInputs, case: CritiqueCase) -> TradesInputs:
        """The part of `inputs` that trades are judged on, with those whose steps are shown."""
        shown = [{s.n for s in a.steps} for a in inputs.attempts]
        trades = (
            _trade(n, trade)
            for n, (episode, steps) in enumerate(zip(case.episodes, shown, strict=True), start=1)
            for trade in trades_of(episode.trajectory)
            if steps & {s.n for s in trade.steps}
        )
        return cls(
            goal=inputs.goal,
            actions=inputs.actions,
            attempts=inputs.attempts,
            trades=tuple(trades),
            aspects=case.work.aspects,
        )


@dataclass(frozen=True, slots=True)
class CritiqueCase:
    """All that one critique is written from."""

    id: str
    """The critique's id."""
    work: WriteCritique
    episodes: tuple[Episode, ...]
    """At least one, of one instance, oldest first."""
    instance: Instance
    observations: Origin = Origin.TASK
    """Who the task's observations come from."""
    known: tuple[Lesson, ...] = ()
    """Lessons that this lane has, or had at its pinned revision: what repeats them is refused."""
    had: Mapping[str, Origin] = field(default_factory=dict)
    """By id how far lessons are trusted that the agents of these episodes had, where `known` does
    not hold them."""
    predecessors: frozenset[str] = frozenset()
    """`proposal_key`s of critiques that come before this one in canonical order."""
    feedback: tuple[str, ...] = ()
    """Outcome texts given from outside."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a critic was shown, and what the numbers in it stand for."""

    inputs: CritiqueInputs
    earlier: Mapping[int, str] = field(default_factory=dict)
    """Alias → lesson id."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the case, our template aside."""
        inputs = self.inputs
        found = [inputs.goal, *(inputs.actions or ()), *inputs.feedback]
        for attempt in inputs.attempts:
            for step in attempt.steps:
                found += [step.observation, step.action, step.feedback, *step.notes]
        for line in inputs.earlier:
            found += [line.name, line.when, line.when_not, line.instruction]
        return tuple(t for t in found if t)


def show(case: CritiqueCase) -> Shown:
    """What the critic of `case` sees, as its `shows` says."""
    shows = case.work.shows
    attempts = _cut(
        [
            _attempt(e, n, shows, case.work.steps[n - 1] if case.work.steps else None)
            for n, e in enumerate(case.episodes, start=1)
        ]
    )
    lines = _earlier(case.episodes) if shows.earlier else {}
    return Shown(
        inputs=CritiqueInputs(
            goal=case.instance.goal,
            actions=_actions(case.episodes) if shows.actions else None,
            attempts=tuple(attempts),
            earlier=tuple(Line.of(x).model_copy(update={"alias": n}) for n, x in lines.items()),
            feedback=case.feedback,
        ),
        earlier={n: line.lesson for n, line in lines.items()},
    )


def as_shown(episode: Episode, shows: Shows) -> Episode:
    """`episode` for a critic that reads records: without what `shows` keeps from it."""
    blanked: dict[str, object] = {}
    if not shows.reward:
        blanked["reward"] = Reward()
    if not shows.outcome:
        ended = {"terminated": False, "truncated": False, "stop_reason": StopReason.EXECUTED}
        blanked |= {"success": None, **ended}
    kept = {
        **({} if shows.reward else {"reward": None}),
        **({} if shows.feedback else {"feedback": ""}),
    }
    if kept:
        steps = tuple(s.model_copy(update=kept) for s in episode.trajectory.steps)
        final = episode.trajectory.final if shows.feedback else None
        blanked["trajectory"] = Trajectory.model_construct(steps=steps, final=final)
    return episode.model_copy(update=blanked) if blanked else episode


def trust(case: CritiqueCase) -> Origin:
    """The least trusted text that the critic of `case` reads, or an agent that it reads of."""
    origins = [case.observations]
    for episode in case.episodes:
        for seen in _observations(episode):
            origins += [p.origin for p in seen.parts if p.origin is not None]
        for step in episode.trajectory.steps:
            origins += [p.origin for p in step.action.parts if p.origin is not None]
            origins += [note.origin for note in step.notes]
    # Shown or not, what an agent had is in what it did.
    read = {line.lesson for line in _earlier(case.episodes).values()}
    held = {lesson.id: lesson.trust for lesson in case.known} | dict(case.had)
    origins += [held[name] for name in sorted(read & held.keys())]
    return Origin.minimum(tuple(origins))


def _observations(episode: Episode) -> list[Observation]:
    seen = [step.observation for step in episode.trajectory.steps]
    final = episode.trajectory.final
    return seen if final is None else [*seen, final]


def _trade(attempt: int, trade: Trade) -> TradeView:
    profit = trade.profit
    return TradeView(
        attempt=attempt,
        first=trade.steps[0].n,
        last=trade.steps[-1].n,
        action=trade.action,
        result=_number(None if profit is None else round(profit, 6)),
        won=profit > 0 if profit else None,
    )


def _attempt(
    episode: Episode, number: int, shows: Shows, chosen: tuple[int, ...] | None = None
) -> AttemptView:
    steps = episode.trajectory.steps
    final = episode.trajectory.final
    return AttemptView(
        n=number,
        steps=tuple(
            # What the last action led to is seen nowhere else.
            _step(step, shows, final.text if final and step is steps[-1] else "")
            for step in steps
            if chosen is None or step.n in chosen
        ),
        success=_truth(episode.success) if shows.outcome else "unknown",
        stop=episode.stop_reason.value if shows.outcome else "",
        reward=_number(episode.reward.value) if shows.reward else "",
    )


def _step(step: Step, shows: Shows, after: str) -> StepView:
    return StepView(
        n=step.n,
        observation=step.observation.text,
        action=step.action.text,
        feedback=(step.feedback or after) if shows.feedback else "",
        reward=_number(step.reward) if shows.reward else "",
        notes=tuple(f"{note.author}: {note.text}" for note in step.notes),
    )


def _actions(episodes: Iterable[Episode]) -> tuple[str, ...] | None:
    """Every action that was admissible somewhere, in order of appearance; None when any text is."""
    steps = [step for e in episodes for step in e.trajectory.steps]
    listed = [step.observation.actions for step in steps]
    if not listed or any(actions is None for actions in listed):
        return None
    return tuple(dict.fromkeys(a for actions in listed for a in actions or ()))


def _earlier(episodes: tuple[Episode, ...]) -> dict[int, GuidanceLine]:
    """The lessons that the agent had, by number: as the agent saw them where one attempt is shown.

    Over several attempts, or several roles, the same number may mean two lessons; then all are
    numbered anew, in order of appearance.
    """
    lines = [line for e in episodes for g in e.guidance.values() for line in g.lines]
    distinct = {line.lesson: line for line in lines}
    numbers = {line.alias for line in distinct.values()}
    if len(numbers) == len(distinct):
        return dict(sorted((line.alias, line) for line in distinct.values()))
    return dict(enumerate(distinct.values(), start=1))


def _truth(success: bool | None) -> str:
    return {True: "true", False: "false", None: "unknown"}[success]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _cut(attempts: list[AttemptView]) -> list[AttemptView]:
    """`attempts` within the budget: every text is cut to the longest length at which all fit."""
    sizes = [len(t) for a in attempts for s in a.steps for t in (s.observation, s.feedback)]
    limit = max(sizes, default=0)
    while limit > 200 and _cost(attempts, limit) > TRAJECTORY_TOKENS:
        limit = limit * 3 // 4
    if not sizes or limit >= max(sizes):
        return attempts
    return [_shortened(a, limit) for a in attempts]


def _cost(attempts: list[AttemptView], limit: int) -> int:
    return sum(
        token_estimate(s.observation[:limit] + s.action + s.feedback[:limit])
        for a in attempts
        for s in a.steps
    )


def _shortened(attempt: AttemptView, limit: int) -> AttemptView:
    return attempt.model_copy(
        update={
            "steps": tuple(
                s.model_copy(
                    update={
                        "observation": _middle_cut(s.observation, limit),
                        "feedback": _middle_cut(s.feedback, limit),
                    }
                )
                for s in attempt.steps
            )
        }
    )


def _middle_cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return text[:head] + _CUT + text[len(text) - (limit - head) :]

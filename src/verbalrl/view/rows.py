"""What the report reads of a store: the only part of it that does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..effects import Effect, in_words
from ..errors import ConfigurationError
from ..execution.tally import outcome_of
from ..memory.editing import REWORDED
from ..memory.measured import caveat, effects_on, order_of
from ..methods import LEARNED
from ..records import SERVE, Critique, Episode, Lesson, RunRecord
from ..result import Outcome
from ..result.beliefs import BeliefRound
from ..store import Carried, Line, Store, as_it_is, borne
from .beliefs import read_beliefs
from .lineage import LessonView, as_in_the_run, first_of, lesson_view
from .so_far import figures_so_far

LISTED = 300
"""Lessons of one branch that a report tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRows:
    """All that a report shows of a run."""

    record: RunRecord
    figures: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    episodes: tuple[Episode, ...]
    """Without their steps."""
    critiques: tuple[Critique, ...]
    lessons: Mapping[str, tuple[LessonView, ...]]
    """By branch, the first ones."""
    counts: Mapping[str, int]
    """By branch, how many lessons there are."""
    beliefs: tuple[BeliefRound, ...] = ()
    """How the beliefs of the arm `learned` changed by round."""


def read_run(store: Store, run: str) -> RunRows:
    """The rows of the run whose id begins with `run`.

    Raises `UnknownNameError`, and `ConfigurationError` for what was recorded while serving.
    """
    record = as_it_is(store, store.run(run))
    check_measured(record)
    episodes = store.episodes(run=record.id, steps=False)
    branches = store.branches(record.id)
    by_branch = {b.id: store.critiques(branch=b.id) for b in branches}
    learned = [b.id for b in branches if b.arm == LEARNED]
    critiques = tuple(c for found in by_branch.values() for c in found)
    lessons, counts = {}, {}
    for branch in by_branch:
        told, count = lessons_of(store, branch, {c.id: c for c in critiques})
        if told:
            lessons[branch], counts[branch] = told, count
    return RunRows(
        record=record,
        figures=figures_of(store, record, episodes),
        outcomes=tuple(outcome_of(e) for e in episodes),
        episodes=episodes,
        critiques=critiques,
        lessons=lessons,
        counts=counts,
        beliefs=read_beliefs(store, learned, episodes),
    )


def check_measured(record: RunRecord) -> None:
    """Raise `ConfigurationError` for a run that measured nothing."""
    if record.method == SERVE:
        raise ConfigurationError(
            f"{record.id} was recorded while serving: it has no arms and no figures; name a run, "
            "or see `verbalrl episodes --branch main`"
        )


def figures_of(store: Store, record: RunRecord, episodes: tuple[Episode, ...]) -> dict[str, Any]:
    """The figures of a run: those that it ended with, else those so far."""
    if record.result is not None:
        return ordered(record.result, record)
    by_arm: dict[str, list[Critique]] = {}
    for branch in store.branches(record.id):
        by_arm.setdefault(branch.arm or "", []).extend(store.critiques(branch=branch.id))
    return figures_so_far(record, episodes, by_arm)


def ordered(figures: Mapping[str, Any], record: RunRecord) -> dict[str, Any]:
    """`figures` with all that is told by arm in the order of the arms."""
    made = {**figures, "arms": in_order(figures["arms"], record)}
    if traded := figures.get("trading"):
        by_arm = {key: in_order(traded[key], record) for key in ("arms", "shown")}
        made["trading"] = {**traded, **by_arm}
    return made


def in_order(arms: Mapping[str, Any], record: RunRecord) -> dict[str, Any]:
    """`arms` as the run was told them; stored figures have them by name."""
    asked = record.config.get("arms")
    told = [str(arm) for arm in asked] if isinstance(asked, list) else []
    return {arm: arms[arm] for arm in dict.fromkeys((*told, *arms)) if arm in arms}


def measured_of(
    store: Store, lesson: Lesson, branch: str, effects: Mapping[str, Mapping[str, Effect]]
) -> tuple[str, ...]:
    """What is known of the effect of a lesson, a line for each role and each proof."""
    by_role = effects.get(lesson.body.content, {})
    said = caveat(store, store.branch(branch).run) if by_role else ""
    return (
        *(
            f"{'' if role == 'actor' else role + ': '}{in_words(effect)}; "
            f"{effect.rent:.0f} tokens a prompt{said}"
            for role, effect in sorted(by_role.items())
        ),
        *(f"proof: {proof}{caveat(store, proof.run)}" for proof in store.proofs(lesson.id)),
    )


def lessons_of(
    store: Store, branch: str, critiques: Mapping[str, Critique], limit: int = LISTED
) -> tuple[tuple[LessonView, ...], int]:
    """The first lessons of a branch, and how many it has."""
    every, run = store.current_lessons(branch), store.branch(branch).run or ""
    effects = effects_on(store, branch, frozenset(x.scope for x in every)) if every else {}
    shown = first_of(every, limit, partial(order_of, effects=effects))
    carried: dict[str, list[Carried]] = {}
    for use in store.carried([lesson.id for lesson in shown]):
        carried.setdefault(use.lesson, []).append(use)
    lines: dict[str, list[Line]] = {}
    for line in store.lines(branch=branch) if shown else ():
        lines.setdefault(line.update.lesson, []).append(line)
    told = []
    for x in shown:
        made = lines.get(x.id, [])
        measured = measured_of(store, x, branch, effects)
        uses = borne(carried.get(x.id, ()))
        view = lesson_view(x, branch, critiques, uses, made, measured, run)
        if any(line.update.reason == REWORDED for line in made):
            view = as_in_the_run(view, made, store.versions(x.id, branch))
        told.append(view)
    return tuple(told), len(every)

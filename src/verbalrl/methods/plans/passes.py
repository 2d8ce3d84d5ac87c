"""The shared stream: rounds over the train split, commits between them, then a frozen memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...records import (
    Batch,
    CurateLessons,
    Done,
    FreezeMemory,
    Gate,
    JudgeLessons,
    LessonKind,
    OpenRound,
    PastCritique,
    SharedView,
    Split,
)

TRIAL_CHANCE = 0.8
"""With which the gate `measured` lets a lesson on trial into a prompt."""


def one_round(view: SharedView, split: Split, *, evaluate: bool = False) -> OpenRound | Done:
    """All instances of `split` in a single round, then done."""
    if view.rounds:
        return Done(reason="all instances done")
    return one_more(view, split, evaluate=evaluate)


def one_more(view: SharedView, split: Split, *, evaluate: bool = True) -> OpenRound | Done:
    """One more round, over all instances of `split`; done where it has none."""
    instances = view.test if split == "test" else view.train
    if not instances:
        return Done(reason=f"no {split} instances")
    return OpenRound(instances=instances, split=split, evaluate=evaluate)


def next_of_pass(view: SharedView, size: int, passes: int) -> OpenRound | None:
    """The next round of at most `size` unsolved train instances; None after the last pass."""
    learning = [r.opened for r in view.rounds if not r.opened.evaluate]
    solved = view.solved
    current = learning[-1].trial if learning else 1
    for number in range(current, passes + 1):
        seen = {i for opened in learning if opened.trial == number for i in opened.instances}
        left = [i for i in view.train if i not in seen and i not in solved]
        if left:
            return OpenRound(instances=tuple(left[:size]), split="train", trial=number)
    return None


def accepted(view: SharedView, template: str = "") -> tuple[PastCritique, ...]:
    """The accepted critiques of closed rounds, in their order: all, or those by one template."""
    found = (c for r in view.rounds for c in r.critiques if c.status == "accepted")
    return tuple(c for c in found if not template or c.template == template)


def behaviors(
    view: SharedView, critiques: Sequence[PastCritique], *, again: bool = True, **how: Any
) -> Batch | None:
    """One commit of behaviors from those of `critiques` that none has consumed; None without one.

    Where they are shown `again`, the others and what inherited lessons rest on are its evidence;
    `how` are further fields of the commit.
    """
    consumed = set(view.curated)
    pending = tuple(c.id for c in critiques if c.id not in consumed)
    if not pending:
        return None
    earlier = (*inherited_evidence(view), *(c.id for c in critiques)) if again else ()
    work = CurateLessons(
        critiques=pending,
        evidence=tuple(c for c in earlier if c not in pending),
        scope=view.scope,
        kind=LessonKind.BEHAVIOR,
        **how,
    )
    return Batch(work=(work,))


def inherited_evidence(view: SharedView) -> tuple[str, ...]:
    """The critiques behind lessons that the branch started with, in the order of the lessons.

    Without them a few new attempts would outweigh all that such a lesson rests on.
    """
    own = {c.id for r in view.rounds for c in r.critiques}
    behind = (e.critique for lesson in view.lessons for e in lesson.evidence)
    return tuple(dict.fromkeys(c for c in behind if c not in own))


def on_trial(gate: Gate) -> float:
    """The probability with which `gate` lets a lesson that it has not decided on into a prompt."""
    return TRIAL_CHANCE if gate == "measured" else 1.0


def judge(view: SharedView, idle_after: int) -> Batch | None:
    """The look of the gate `measured` at the rounds closed since its last; None without one.

    `idle_after` is the number of episodes after which a lesson without a shown benefit goes.
    """
    if frozen(view) or len(view.rounds) <= view.judged:
        return None
    work = JudgeLessons(scope=view.scope, through=len(view.rounds), idle_after=idle_after)
    return Batch(work=(work,))


def frozen(view: SharedView) -> bool:
    """Whether nothing more may be learned."""
    return any(d.kind == "freeze" for d in view.decisions)


def read(view: SharedView) -> OpenRound | Batch | Done:
    """The end of what learns shared lessons: the freeze, then one round over the test split."""
    if any(r.opened.evaluate for r in view.rounds):
        return Done(reason="evaluated")
    if not frozen(view):
        return Batch(work=(FreezeMemory(split="test"),))
    return one_more(view, "test")

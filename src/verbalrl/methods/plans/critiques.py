"""Critiques on one lane: whether one is due, what one says, and the reflections it leads to."""

from __future__ import annotations

from collections.abc import Iterable

from ...records import (
    Batch,
    Critique,
    CurateLessons,
    Episode,
    InstanceView,
    LessonKind,
    Shows,
    WriteCritique,
)

PAIR = "critic/pair"
"""The template by which a failure and a success are compared."""


def worth_a_critique(episode: Episode) -> bool:
    """False for episodes that broke: what an error did is not the agent's to learn from."""
    return episode.status == "finished" and bool(episode.trajectory.steps)


def critique_of(view: InstanceView, episode: Episode) -> Critique | None:
    """The critique of `episode` on this lane, whatever became of it."""
    return next((c for c in view.critiques if c.episodes[-1] == episode.id), None)


def said(critique: Critique) -> str:
    """What a critique says of an output, for whoever is to improve it."""
    one = len({cause.step for cause in critique.causes}) < 2
    reasons = [c.why if one else f"step {c.step}: {c.why}" for c in critique.causes if c.why]
    parts = [part for part in (*reasons, critique.refinement) if part]
    # Critics that are functions may say all they have to say as a lesson.
    return "\n".join(parts or [x.instruction for x in critique.proposals])


def write_critique(episode: Episode, shows: Shows | None = None) -> Batch:
    """One critique of one episode."""
    return Batch(work=(WriteCritique(episodes=(episode.id,), shows=shows or Shows()),))


def plain_critique(template: str, *episodes: Episode) -> WriteCritique:
    """A critique of `episodes` by `template` that is not shown the lessons which the agent had."""
    ids = tuple(e.id for e in episodes)
    return WriteCritique(episodes=ids, template=template, shows=Shows(earlier=False))


def critique_due(view: InstanceView, episode: Episode) -> Batch | None:
    """The critique of `episode`, unless it is written, worthless, or of an evaluating round."""
    if view.round.evaluate or not worth_a_critique(episode) or critique_of(view, episode):
        return None
    return write_critique(episode)


def unwritten(view: InstanceView, asked: Iterable[WriteCritique]) -> Batch | None:
    """Those of the critiques `asked` for that are not written yet; None without one."""
    written = {(c.episodes, c.template, c.sample) for c in view.critiques}
    left = tuple(w for w in asked if (w.episodes, w.template, w.sample) not in written)
    return Batch(work=left) if left else None


def reflect(view: InstanceView, critique: Critique) -> Batch:
    """The lines of one critique as reflections of its instance."""
    work = CurateLessons(
        critiques=(critique.id,), scope=view.instance_scope, kind=LessonKind.REFLECTION
    )
    return Batch(work=(work,))


def lesson_of(view: InstanceView, last: Episode, shows: Shows | None = None) -> Batch | None:
    """What learning from `last` still takes on its lane: the critique, then its reflections.

    None when that is done, or the attempt is worth none.
    """
    if not worth_a_critique(last):
        return None
    critique = critique_of(view, last)
    if critique is None:
        return write_critique(last, shows)
    if critique.status != "accepted" or critique.id in view.curated:
        return None
    return reflect(view, critique)


def credits_of(view: InstanceView) -> dict[str, float]:
    """By critique what the trial after it earned more than the trial that it judged.

    That is the reward of a reflection in Retroformer (Yao et al. 2023). A critique whose attempt or
    whose next attempt has no reward, or broke, has no credit; chance has its part in every
    difference.
    """
    by_trial = {e.trial: None if e.broke else e.reward.value for e in view.attempts}
    pairs = {c.id: (by_trial.get(c.trial), by_trial.get(c.trial + 1)) for c in view.critiques}
    return {c: g - f for c, (f, g) in pairs.items() if f is not None and g is not None}

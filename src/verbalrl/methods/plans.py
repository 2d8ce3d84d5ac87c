"""Declarative helpers from which most methods are a few lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..records import (
    Batch,
    Critique,
    CurateLessons,
    Done,
    Episode,
    EpisodeSpec,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    OpenRound,
    Previous,
    RunEpisode,
    SharedView,
    Shows,
    Split,
    WriteCritique,
)


def attempt(
    view: InstanceView,
    trial: int,
    guidance: Mapping[str, GuidanceSpec] | None = None,
    max_steps: int | None = None,
    **more: Any,
) -> Batch:
    """One attempt on the instance of `view`; `more` are further fields of its spec."""
    return Batch(work=(RunEpisode(spec=spec(view, trial, guidance, max_steps, **more)),))


def spec(
    view: InstanceView,
    trial: int,
    guidance: Mapping[str, GuidanceSpec] | None = None,
    max_steps: int | None = None,
    **more: Any,
) -> EpisodeSpec:
    """An attempt on the instance of `view`, for whoever changes something about it."""
    return EpisodeSpec(
        instance=view.instance.id,
        split=view.round.split,
        round=view.number,
        trial=trial,
        guidance=dict(guidance or {}),
        max_steps=max_steps,
        **more,
    )


def search(view: InstanceView, trial: int, candidate: int, **more: Any) -> RunEpisode:
    """An episode that no curve counts, of the same instance and world as the attempt `trial`.

    `more` are further fields of its spec.
    """
    spec = EpisodeSpec(
        instance=view.instance.id,
        split=view.round.split,
        round=view.number,
        trial=trial,
        candidate=candidate,
        purpose="search",
        **more,
    )
    return RunEpisode(spec=spec)


def searched(view: InstanceView, trial: int) -> tuple[Episode, ...]:
    """The searches of `trial`, by candidate."""
    found = (e for e in view.episodes if e.spec.purpose == "search" and e.trial == trial)
    return tuple(sorted(found, key=lambda e: e.spec.candidate))


def refinement(
    view: InstanceView, output: Episode, critique: str, candidate: int, max_steps: int | None
) -> RunEpisode:
    """A search that improves on `output` as `critique` says."""
    previous = Previous(output=output_of(output), critique=critique)
    return search(view, output.trial, candidate, revises=previous, max_steps=max_steps)


def submit(view: InstanceView, chosen: Episode, candidates: tuple[Episode, ...]) -> Batch:
    """The attempt that does again what `chosen` did, in the same world; nobody is asked."""
    actions = tuple(step.action for step in chosen.trajectory.steps)
    spec = EpisodeSpec(
        instance=view.instance.id,
        split=view.round.split,
        round=view.number,
        trial=chosen.trial,
        prefix=actions,
        selected_from=tuple(e.id for e in candidates),
        max_steps=len(actions) or None,
    )
    return Batch(work=(RunEpisode(spec=spec),))


def output_of(episode: Episode) -> str:
    """What the agent put out: its answer, or its actions line by line."""
    return "\n".join(step.action.text for step in episode.trajectory.steps)


def said(critique: Critique) -> str:
    """What a critique says of an output, for whoever is to improve it."""
    one = len({cause.step for cause in critique.causes}) < 2
    reasons = [c.why if one else f"step {c.step}: {c.why}" for c in critique.causes if c.why]
    parts = [part for part in (*reasons, critique.refinement) if part]
    # Critics that are functions may say all they have to say as a lesson.
    return "\n".join(parts or [x.instruction for x in critique.proposals])


def best(candidates: tuple[Episode, ...]) -> str:
    """The candidate that succeeded or was rewarded most; ties go to the earliest."""

    def worth(episode: Episode) -> tuple[bool, bool, float]:
        value = episode.reward.value
        return episode.success is True, value is not None, value or 0.0

    return max(candidates, key=worth).id


def critique_of(view: InstanceView, episode: Episode) -> Critique | None:
    """The critique of `episode` on this lane, whatever became of it."""
    return next((c for c in view.critiques if c.episodes[-1] == episode.id), None)


def worth_a_critique(episode: Episode) -> bool:
    """False for episodes that broke: what an error did is not the agent's to learn from."""
    return episode.status == "finished" and bool(episode.trajectory.steps)


def write_critique(episode: Episode, shows: Shows | None = None) -> Batch:
    """One critique of one episode."""
    return Batch(work=(WriteCritique(episodes=(episode.id,), shows=shows or Shows()),))


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


def next_trial(
    view: InstanceView,
    trials: int,
    attempted: Callable[[int], Batch],
    *,
    learn: bool = True,
    shows: Shows | None = None,
) -> Batch | Done:
    """Attempts until solved or out of trials, each learned from before the next one.

    `attempted` makes the attempt of a trial.
    """
    if not view.attempts:
        return attempted(view.round.trial)
    last = view.attempts[-1]
    if view.solved:
        return Done(reason="solved")
    if last.trial >= trials:
        return Done(reason="trials")
    step = lesson_of(view, last, shows) if learn else None
    return step or attempted(last.trial + 1)


def credits_of(view: InstanceView) -> dict[str, float]:
    """By critique what the trial after it earned more than the trial that it judged.

    That is the reward of a reflection in Retroformer (Yao et al. 2023). A critique whose attempt or
    whose next attempt has no reward has no credit; chance has its part in every difference.
    """
    by_trial = {e.trial: e.reward.value for e in view.attempts}
    pairs = {c.id: (by_trial.get(c.trial), by_trial.get(c.trial + 1)) for c in view.critiques}
    return {c: g - f for c, (f, g) in pairs.items() if f is not None and g is not None}


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


def inherited_evidence(view: SharedView) -> tuple[str, ...]:
    """The critiques behind lessons that the branch started with, in the order of the lessons.

    Without them a few new attempts would outweigh all that such a lesson rests on.
    """
    own = {c.id for r in view.rounds for c in r.critiques}
    behind = (e.critique for lesson in view.lessons for e in lesson.evidence)
    return tuple(dict.fromkeys(c for c in behind if c not in own))

"""Attempts on one instance: once a round, or one after the other until it is solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...records import (
    Batch,
    Done,
    Episode,
    EpisodeSpec,
    GuidanceSpec,
    InstanceView,
    RunEpisode,
    Shows,
)
from .critiques import lesson_of


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


def recall(scope: str, budget: int, **more: Any) -> dict[str, GuidanceSpec]:
    """Lessons of `scope` for the actor, within `budget` tokens; `more` are further fields."""
    return {"actor": GuidanceSpec(source="recall", scopes=(scope,), budget=budget, **more)}


def attempt_of_round(view: InstanceView) -> Episode | None:
    """The attempt of the open round, once it is made."""
    return next((e for e in view.attempts if e.spec.round == view.number), None)


def once(
    view: InstanceView, guidance: Mapping[str, GuidanceSpec], max_steps: int | None, **more: Any
) -> Batch | Done:
    """One attempt in the open round, and nothing is learned from it; `more` as of `attempt`."""
    if attempt_of_round(view):
        return Done(reason="round")
    return attempt(view, view.round.trial, guidance, max_steps, **more)


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


def own_trials(
    view: InstanceView,
    trials: int,
    budget: int,
    max_steps: int | None,
    *,
    learn: bool = True,
    shows: Shows | None = None,
) -> Batch | Done:
    """`next_trial` of attempts that read all that was learned on their own instance."""
    own = recall(view.instance_scope, budget)
    return next_trial(
        view,
        trials,
        lambda trial: attempt(view, trial, own, max_steps),
        learn=learn,
        shows=shows,
    )

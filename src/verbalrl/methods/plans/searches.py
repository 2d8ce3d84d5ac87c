"""Episodes beside the attempts, which no curve counts, and the attempt that submits one of them."""

from __future__ import annotations

from typing import Any, Literal

from ...records import (
    Action,
    Batch,
    Episode,
    EpisodeSpec,
    InstanceView,
    Previous,
    Report,
    RunEpisode,
    SelectCandidate,
)

Beside = Literal["search", "candidate", "counterfactual"]
"""What an episode is for that is no attempt: candidates are executed and not scored."""


def search(
    view: InstanceView, trial: int, candidate: int, purpose: Beside = "search", **more: Any
) -> RunEpisode:
    """An episode that no curve counts, of the same instance and world as the attempt `trial`.

    `more` are further fields of its spec.
    """
    spec = EpisodeSpec(
        instance=view.instance.id,
        split=view.round.split,
        round=view.number,
        trial=trial,
        candidate=candidate,
        purpose=purpose,
        **more,
    )
    return RunEpisode(spec=spec)


def searched(view: InstanceView, trial: int, purpose: Beside = "search") -> tuple[Episode, ...]:
    """The searches of `trial`, by candidate."""
    found = (e for e in view.episodes if e.spec.purpose == purpose and e.trial == trial)
    return tuple(sorted(found, key=lambda e: e.spec.candidate))


def refinement(
    view: InstanceView,
    output: Episode,
    critique: str,
    candidate: int,
    max_steps: int | None,
    earlier: tuple[tuple[str, str], ...] = (),
) -> RunEpisode:
    """A search that improves on `output` as `critique` says; `earlier` are the pairs before it."""
    previous = Previous(output=output_of(output), critique=critique, earlier=earlier)
    return search(view, output.trial, candidate, revises=previous, max_steps=max_steps)


def select(view: InstanceView, candidates: tuple[Episode, ...], selector: str, **how: Any) -> Batch:
    """The selection among `candidates`, and after it the attempt that submits what was chosen.

    `how` are further fields of the selection.
    """
    ids = tuple(e.id for e in candidates)
    chosen = next((d.chosen for d in view.decisions if d.chosen in ids), None)
    if chosen is None:
        return Batch(work=(SelectCandidate(candidates=ids, selector=selector, **how),))
    return submit(view, candidates[ids.index(chosen)], candidates)


def submit(view: InstanceView, chosen: Episode, candidates: tuple[Episode, ...]) -> Batch:
    """The attempt that does again what `chosen` did, in the same world; nobody is asked."""
    actions = actions_of(chosen)
    spec = EpisodeSpec(
        instance=view.instance.id,
        split=view.round.split,
        round=view.number,
        trial=chosen.trial,
        prefix=actions,
        heard=heard_in(chosen),
        selected_from=tuple(e.id for e in candidates),
        max_steps=len(actions) or None,
    )
    return Batch(work=(RunEpisode(spec=spec),))


def actions_of(episode: Episode) -> tuple[Action, ...]:
    """What the agent did, step by step."""
    return tuple(step.action for step in episode.trajectory.steps)


def heard_in(episode: Episode) -> tuple[tuple[Report, ...], ...]:
    """What its agent heard from a team's analysts, step by step; empty where it has no team."""
    heard = tuple(step.reports for step in episode.trajectory.steps)
    return heard if any(heard) else ()


def output_of(episode: Episode) -> str:
    """What the agent put out: its answer, or its actions line by line."""
    return "\n".join(action.text for action in actions_of(episode))


def best(candidates: tuple[Episode, ...]) -> str:
    """The candidate that succeeded or was rewarded most; ties go to the earliest."""

    def worth(episode: Episode) -> tuple[bool, bool, float]:
        value = episode.reward.value
        return episode.success is True, value is not None, value or 0.0

    return max(candidates, key=worth).id

"""How views grow: pure functions shared by the lanes that run work and by `check_method`.

A view grows by one complete batch, in the batch's own order. Whether a result was made now or taken
from its row after a restart makes no difference here; that is all there is to resuming a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..errors import MethodError
from ..records import (
    Batch,
    ClosedRound,
    Commit,
    Critique,
    Decision,
    Episode,
    InstanceView,
    JudgeLessons,
    LaneKey,
    Lesson,
    OpenRound,
    PastCritique,
    PastEpisode,
    Reward,
    RewardSupplier,
    SharedView,
)


@dataclass(frozen=True, slots=True)
class Curated:
    """A commit that is done, and the usable lessons of its scope at the revision it led to."""

    commit: Commit
    revision: int
    lessons: tuple[Lesson, ...]


Result = Episode | Critique | Curated | Decision


def grow(view: InstanceView, batch: Batch, results: Sequence[Result]) -> InstanceView:
    """`view` after `batch` has led to `results` (same order)."""
    for _, result in zip(batch.work, results, strict=True):
        match result:
            case Episode():
                view = replace(view, episodes=(*view.episodes, result))
            case Critique():
                view = replace(view, critiques=(*view.critiques, result))
            case Decision():
                view = replace(view, decisions=(*view.decisions, result))
            case Curated():
                curated = (*view.curated, *result.commit.critiques)
                view = replace(
                    view,
                    reflections=result.lessons,
                    own_revision=result.revision,
                    curated=curated,
                )
    return view


def grow_shared(view: SharedView, batch: Batch, results: Sequence[Result]) -> SharedView:
    """The shared `view` after `batch` has led to `results`."""
    for work, result in zip(batch.work, results, strict=True):
        match result:
            case Curated():
                curated = (*view.curated, *result.commit.critiques)
                judged = work.through if isinstance(work, JudgeLessons) else view.judged
                view = replace(
                    view,
                    lessons=result.lessons,
                    revision=result.revision,
                    curated=curated,
                    judged=judged,
                )
            case Decision():
                view = replace(view, decisions=(*view.decisions, result))
            case Episode() | Critique():
                raise MethodError("the shared stream runs no episodes of its own: open a round")
    return view


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a lane that is not under way; the rest is in the rows of its work."""

    episodes: tuple[PastEpisode, ...] = ()
    """Of all rounds, in the order of the batches."""
    critiques: tuple[PastCritique, ...] = ()
    decisions: tuple[Decision, ...] = ()
    curated: tuple[str, ...] = ()
    own_revision: int = 0


NOTHING = Kept()
"""Of a lane that has done nothing yet."""


def kept(view: InstanceView, before: Kept = NOTHING) -> Kept:
    """What is kept of the lane with `view`, which set out from `before`."""
    if not view.episodes:
        return NOTHING
    return Kept(
        (*before.episodes, *map(_past_episode, view.episodes[len(before.episodes) :])),
        (*before.critiques, *map(_past_critique, view.critiques[len(before.critiques) :])),
        view.decisions,
        view.curated,
        view.own_revision,
    )


def woken(view: InstanceView, before: Kept, lane: LaneKey) -> InstanceView:
    """`view` with what `before` holds of its past, as bare records of the arm and seed `lane`."""
    return replace(
        view,
        episodes=tuple(_bare_episode(past, lane) for past in before.episodes),
        critiques=tuple(map(_bare_critique, before.critiques)),
        decisions=before.decisions,
        curated=before.curated,
        own_revision=before.own_revision,
    )


def close_round(
    view: SharedView,
    opened: OpenRound,
    before: Mapping[str, Kept],
    after: Mapping[str, Kept],
) -> SharedView:
    """`view` with the round `opened` closed; `before` and `after` are its lanes by instance."""
    episodes: list[PastEpisode] = []
    critiques: list[PastCritique] = []
    decisions: list[Decision] = []
    for instance in opened.instances:
        old, new = before[instance], after[instance]
        fresh = new.episodes[len(old.episodes) :]
        episodes += sorted(fresh, key=lambda e: (e.trial, e.candidate, e.purpose))
        critiques += new.critiques[len(old.critiques) :]
        decisions += new.decisions[len(old.decisions) :]
    closed = ClosedRound(
        number=len(view.rounds) + 1,
        opened=opened,
        revision=view.revision,
        episodes=tuple(episodes),
        critiques=tuple(critiques),
        decisions=tuple(decisions),
    )
    return replace(view, rounds=(*view.rounds, closed))


def _past_episode(episode: Episode) -> PastEpisode:
    spec, reward = episode.spec, episode.reward
    return PastEpisode(
        id=episode.id,
        instance=spec.instance,
        split=spec.split,
        round=spec.round,
        trial=spec.trial,
        candidate=spec.candidate,
        purpose=spec.purpose,
        status=episode.status,
        success=episode.success,
        # Most are 0 or 1 without components: those that are equal share one record.
        reward=reward if reward.components else _plain_reward(reward.value, reward.supplier),
        stop_reason=episode.stop_reason,
    )


def _past_critique(critique: Critique) -> PastCritique:
    return PastCritique(
        id=critique.id,
        episodes=critique.episodes,
        instance=critique.instance,
        trial=critique.trial,
        template=critique.template,
        sample=critique.sample,
        status=critique.status,
        refusal=critique.refusal,
        verdict=critique.verdict,
    )


@lru_cache(maxsize=1024)
def _plain_reward(value: float | None, supplier: RewardSupplier) -> Reward:
    return Reward(value=value, supplier=supplier)


def _bare_episode(past: PastEpisode, lane: LaneKey) -> Episode:
    return Episode(
        id=past.id,
        run=lane.run,
        arm=lane.arm,
        seed=lane.seed,
        spec=past.spec,
        status=past.status,
        success=past.success,
        reward=past.reward,
        stop_reason=past.stop_reason,
    )


def _bare_critique(past: PastCritique) -> Critique:
    return Critique(**{name: getattr(past, name) for name in PastCritique.__slots__})

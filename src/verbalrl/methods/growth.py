"""How views grow: pure functions shared by the lanes that run work and by `check_method`.

A view grows by one complete batch, in the batch's own order. Whether a result was made now or taken
from its row after a restart makes no difference here; that is all there is to resuming a plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..errors import MethodError
from ..records import (
    Batch,
    ClosedRound,
    Commit,
    CompareEpisodes,
    Critique,
    CurateLessons,
    Decision,
    Episode,
    EpisodeSpec,
    InstanceView,
    JudgeLessons,
    LaneKey,
    Lesson,
    LessonKind,
    OpenRound,
    PastCritique,
    PastEpisode,
    Refusal,
    Reward,
    RewardSupplier,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Work,
    WriteCritique,
)

_REVEALS = "a critique that reveals the answer is never learned from"


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


def asked_before(view: InstanceView, lane: LaneKey) -> set[str]:
    """The keys of the work that led to `view`; a lane commits the reflections of one critique."""
    commits = (
        CurateLessons(critiques=(name,), scope=view.instance_scope, kind=LessonKind.REFLECTION)
        for name in view.curated
    )
    keys = {commit.id(lane) for commit in commits}
    keys.update(e.id for e in view.episodes)
    keys.update(c.id for c in view.critiques)
    keys.update(d.id for d in view.decisions)
    return keys


def check_new(batch: Batch, lane: LaneKey, asked: Collection[str]) -> frozenset[str]:
    """The keys of `batch`.

    Raises:
        MethodError: One of them is among `asked`, or stands twice in the batch: work that shares a
            key shares a row, so the second would get what the first was.
    """
    keys: set[str] = set()
    for work in batch.work:
        key = work.id(lane)
        if key in keys or key in asked:
            raise MethodError(f"the plan asks twice for the same work: {_told(work)}")
        keys.add(key)
    return frozenset(keys)


def _told(work: Work) -> str:
    """What `work` is, and which of its fields tell it from other work."""
    match work:
        case RunEpisode(spec=spec):
            return (
                f"the {spec.purpose} of {spec.instance!r} at trial {spec.trial}, candidate"
                f" {spec.candidate}; give another trial, candidate or purpose"
            )
        case WriteCritique():
            return f"a critique of {', '.join(work.episodes)}; give another template or sample"
    return work.work


def check_batch(batch: Batch, view: InstanceView) -> None:
    """Raise `MethodError` when an instance's plan asks for what it may not have."""
    if not batch.work:
        raise MethodError(f"the plan for {view.instance.id!r} stalled: an empty batch, not Done")
    _one_commit(batch)
    for work in batch.work:
        match work:
            case RunEpisode():
                _check_episode(work, view)
            case WriteCritique():
                _check_critique(work, view)
            case CurateLessons():
                _forbid_learning(view, "commit")
                _known(work.critiques, {c.id for c in view.critiques}, "critique")
                _barred(work.critiques, view)
                if work.scope != view.instance_scope:
                    raise MethodError("an instance's lane commits to its own scope only")
            case SelectCandidate():
                _known(work.candidates, {e.id for e in view.episodes}, "episode")
            case CompareEpisodes():
                _known(work.episodes, {e.id for e in view.attempts}, "attempt")
            case _:
                raise MethodError("an instance's lane cannot freeze memory")


def _check_episode(work: RunEpisode, view: InstanceView) -> None:
    if work.spec.instance != view.instance.id:
        raise MethodError(f"the lane of {view.instance.id!r} asks for another instance")
    if work.spec.split != view.round.split:
        raise MethodError(f"the round runs {view.round.split!r}, not {work.spec.split!r}")
    if work.spec.round != view.number:
        raise MethodError(f"this is round {view.number}, not {work.spec.round}")
    if work.spec.purpose == "attempt" and (shown := _shown_the_answer(work.spec, view)):
        raise MethodError(f"{shown} was written with the answer in sight: it is never evaluated")


def _shown_the_answer(spec: EpisodeSpec, view: InstanceView) -> str:
    """Which output of `spec`, or that it was chosen from, a revealing critique led to."""
    said = {c.refinement for c in view.critiques if c.reveals_answer and c.refinement}
    if not said:
        return ""
    if spec.revises and any(text in spec.revises.critique for text in said):
        return "this attempt"
    tried = {e.id: e.spec.revises for e in view.episodes if e.id in spec.selected_from}
    seen = ((name, previous.critique) for name, previous in tried.items() if previous)
    return next((name for name, critique in seen if any(text in critique for text in said)), "")


def _barred(critiques: Sequence[str], view: InstanceView) -> None:
    if any(c.id in critiques and c.reveals_answer for c in view.critiques):
        raise MethodError(_REVEALS)


def _check_critique(work: WriteCritique, view: InstanceView) -> None:
    _forbid_learning(view, "critique")
    _known(work.episodes, {e.id for e in view.episodes}, "episode")
    if any(e.id in work.episodes and e.spec.purpose == "probe" for e in view.episodes):
        raise MethodError("probes are never learned from")


def check_shared_batch(batch: Batch, view: SharedView) -> None:
    """Raise `MethodError` when the shared plan asks for what it may not have."""
    if not batch.work:
        raise MethodError("the shared plan stalled: an empty batch that is not Done")
    _one_commit(batch)
    allowed = {c.id for r in view.rounds if not r.opened.evaluate for c in r.critiques}
    barred = {c.id for r in view.rounds for c in r.critiques if c.refusal is Refusal.REVEALING}
    behind = {e.critique for lesson in view.lessons for e in lesson.evidence}
    for work in batch.work:
        match work:
            case CurateLessons():
                if _frozen(view):
                    raise MethodError("memory is frozen: nothing more may be committed")
                if work.scope != view.scope:
                    raise MethodError("the shared stream commits to the shared scope only")
                if barred.intersection((*work.critiques, *work.evidence)):
                    raise MethodError(_REVEALS)
                _known(work.critiques, allowed, "critique of a learning round")
                _known(work.evidence, allowed | behind, "critique of a learning round")
            case JudgeLessons():
                _check_judging(work, view)
            case RunEpisode() | WriteCritique():
                raise MethodError("the shared stream runs no episodes of its own: open a round")
            case SelectCandidate() | CompareEpisodes():
                raise MethodError(
                    "episodes are selected and compared on the lane of their instance"
                )


def _check_judging(work: JudgeLessons, view: SharedView) -> None:
    if _frozen(view):
        raise MethodError("memory is frozen: nothing more may be committed")
    if work.scope != view.scope or not view.judged < work.through <= len(view.rounds):
        raise MethodError("the gate judges the shared scope, by rounds that are closed")


def check_round(opened: OpenRound, view: SharedView) -> None:
    """Raise `MethodError` when a round cannot be opened as asked."""
    known = set(view.test if opened.split == "test" else view.train)
    if not opened.instances:
        raise MethodError("the shared plan stalled: a round without instances")
    if len(set(opened.instances)) != len(opened.instances):
        raise MethodError("a round names an instance twice")
    _known(opened.instances, known, f"{opened.split} instance")
    if opened.split == "test" and view.train and not opened.evaluate:
        raise MethodError("a round over the test split must evaluate")
    if _frozen(view) and not opened.evaluate:
        raise MethodError("memory is frozen: a round that comes after must evaluate")


def _one_commit(batch: Batch) -> None:
    if sum(isinstance(work, CurateLessons | JudgeLessons) for work in batch.work) > 1:
        raise MethodError("two commits in one batch: the second must see what the first made")


def _frozen(view: SharedView) -> bool:
    return any(d.kind == "freeze" for d in view.decisions)


def _known(asked: Sequence[str], known: set[str], what: str) -> None:
    for item in asked:
        if item not in known:
            raise MethodError(f"the plan names an unknown {what}: {item!r}")


def _forbid_learning(view: InstanceView, what: str) -> None:
    if view.round.evaluate:
        raise MethodError(f"an evaluating round asked for a {what}: nothing of it may be learned")

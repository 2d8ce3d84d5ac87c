"""Choosing among candidates, and freezing memory: decisions, made once and recorded."""

from __future__ import annotations

from collections import Counter

from ..errors import MethodError
from ..ids import normalised
from ..lanes import Place
from ..methods import Method, Selector
from ..methods.comparing import objective, overlap
from ..records import (
    CompareEpisodes,
    Decision,
    Episode,
    FreezeMemory,
    InstanceView,
    Observation,
    Reward,
    SelectCandidate,
    Step,
    StopReason,
    Trajectory,
)


def decided(
    work: SelectCandidate | CompareEpisodes | FreezeMemory, place: Place, method: Method
) -> Decision:
    """The decision of `work`."""
    match work:
        case SelectCandidate():
            return select(work, place, method)
        case CompareEpisodes():
            return compare(work, place)
        case FreezeMemory():
            return freeze(work, place)


def select(work: SelectCandidate, place: Place, method: Method) -> Decision:
    """The decision of `work`. Without supervision the selector sees neither reward nor success.

    Nor does it see what the environment said and showed after actions that were scored, or how
    such an episode ended.
    """
    if not isinstance(place.view, InstanceView):
        raise MethodError("candidates are selected on the lane of their instance")
    by_id = {e.id: e for e in place.view.episodes}
    candidates = tuple(by_id[name] for name in work.candidates)
    if work.supervision != "oracle":
        candidates = tuple(_blind(c) for c in candidates)
    chosen = _selector(work.selector, method)(candidates)
    if chosen not in work.candidates:
        raise MethodError(f"the selector {work.selector!r} chose {chosen!r}, which is no candidate")
    return Decision(
        id=work.id(place.lane),
        branch=place.lane.branch,
        kind="select",
        chosen=chosen,
        detail={"selector": work.selector},
        supervision=work.supervision,
    )


def compare(work: CompareEpisodes, place: Place) -> Decision:
    """How far two attempts agree, and which earned more; of equals it is the later one."""
    if not isinstance(place.view, InstanceView):
        raise MethodError("episodes are compared on the lane of their instance")
    by_id = {e.id: e for e in place.view.episodes}
    before, after = (by_id[name] for name in work.episodes)
    found = overlap(before.trajectory, after.trajectory)
    earned = [objective(e, work.discount) for e in (before, after)]
    share = found.share()
    return Decision(
        id=work.id(place.lane),
        branch=place.lane.branch,
        kind="compare",
        chosen=(before if earned[0] > earned[1] else after).id,
        episodes=work.episodes,
        overlap=found,
        detail={
            "objective_before": f"{earned[0]:.6g}",
            "objective_after": f"{earned[1]:.6g}",
            "overlap": "unknown" if share is None else f"{share:.3f}",
        },
    )


def freeze(work: FreezeMemory, place: Place) -> Decision:
    """The decision that memory is frozen."""
    return Decision(
        id=work.id(place.lane),
        branch=place.lane.branch,
        kind="freeze",
        detail={"split": work.split} | ({"reason": work.reason} if work.reason else {}),
    )


def first(candidates: tuple[Episode, ...]) -> str:
    """The first candidate."""
    return candidates[0].id


def majority(candidates: tuple[Episode, ...]) -> str:
    """The earliest candidate with the commonest answer; ties go to the earlier answer."""
    answers = [normalised(c.answer or "") for c in candidates]
    commonest = max(Counter(answers).values())
    return next(
        c.id for c, a in zip(candidates, answers, strict=True) if answers.count(a) == commonest
    )


_SELECTORS: dict[str, Selector] = {"first": first, "majority": majority}


def _selector(name: str, method: Method) -> Selector:
    own = method.selectors
    found = own.get(name) or _SELECTORS.get(name)
    if found is None:
        raise MethodError(f"unknown selector {name!r}; known: {', '.join([*own, *_SELECTORS])}")
    return found


def _blind(episode: Episode) -> Episode:
    """`episode` without what tells how it was judged.

    Of one that was scored, what the agent did remains, and what it saw before: how it ended and
    what came of its actions say how it went. A candidate that was executed was never judged.
    """
    steps = tuple(s.model_copy(update={"reward": None}) for s in episode.trajectory.steps)
    blanked: dict[str, object] = {"reward": Reward(), "success": None}
    if episode.spec.purpose == "candidate":
        trajectory = episode.trajectory.model_copy(update={"steps": steps})
        return episode.model_copy(update=blanked | {"trajectory": trajectory})
    silent = tuple(_silent(step) for step in steps)
    blanked |= {
        "trajectory": Trajectory(steps=silent),
        "status": "finished",
        "terminated": False,
        "truncated": False,
        "stop_reason": StopReason.EXECUTED,
        "failure": None,
    }
    return episode.model_copy(update=blanked)


def _silent(step: Step) -> Step:
    """An action alone: feedback, what is seen next, and notes on it speak of how it went.

    What was seen before the first action says nothing of any.
    """
    blank: dict[str, object] = {"feedback": ""}
    if step.n > 1:
        blank |= {"observation": Observation(), "unreplaced": None, "notes": ()}
    return step.model_copy(update=blank)

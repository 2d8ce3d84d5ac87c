"""Curating critiques into one commit of one scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..curators import Check, CurationCase, curate_in_time, curate_reflections, sourced
from ..errors import ConfigurationError, MethodError
from ..lanes import Place
from ..methods import Method
from ..models import CallContext
from ..records import (
    Commit,
    Critique,
    CurateLessons,
    Evidence,
    InstanceView,
    Lesson,
    LessonKind,
)
from ..store.tombstones import Barred
from .evidence import RunEvidence, Shown
from .kit import Kit
from .plan import RunPlan


@dataclass(frozen=True, slots=True)
class Ground:
    """What a commit is made against."""

    lessons: tuple[Lesson, ...]
    """All of the scope, in any status, at the revision `base`."""
    base: int
    method: Method
    evidence: RunEvidence
    goal: str
    """What the agent's task is: the instances' goal where they share one, else the summary."""
    goals: Mapping[str, str] = field(default_factory=dict)
    """Instance → its goal, where they do not share one."""


def goals_of(plan: RunPlan, summary: str) -> tuple[str, dict[str, str]]:
    """The goal that all instances share; else the `summary` of the task, and theirs by instance."""
    goals = {instance.id: instance.goal for instance in (*plan.train, *plan.read)}
    shared = set(goals.values())
    return (shared.pop(), {}) if len(shared) == 1 else (summary, goals)


async def curate(
    kit: Kit, work: CurateLessons, place: Place, ground: Ground, context: CallContext
) -> Commit:
    """The commit that `work` asks for; a curator that failed makes one without updates."""
    if isinstance(place.view, InstanceView):
        return _reflections(kit, work, place, ground)
    if kit.curator is None:
        raise ConfigurationError("this method needs a curator; give curator= or critic=")
    case = _case(kit, work, place, ground)
    async with ground.evidence.ahead.while_waiting():
        return await curate_in_time(case, kit.curator, context, kit.limits.timeout_s)


def _reflections(kit: Kit, work: CurateLessons, place: Place, ground: Ground) -> Commit:
    """Reflections are curated without a model: the critic has said which earlier lines hold."""
    view = place.view
    assert isinstance(view, InstanceView)
    if work.kind is not LessonKind.REFLECTION or len(work.critiques) != 1:
        raise MethodError("the lane of an instance commits the reflections of one critique")
    (critique,) = (c for c in view.critiques if c.id == work.critiques[0])
    by_id = {e.id: e for e in view.episodes}
    if _is_barred(kit, critique, kit.store.barred()):
        critique = critique.replace(status="refused", detail="its source was revoked")
    return curate_reflections(
        critique,
        ground.lessons,
        episodes=tuple(by_id[name] for name in critique.episodes),
        commit=work.id(place.lane),
        branch=place.lane.branch,
        scope=work.scope,
        base=ground.base,
        observations=kit.task.observations,
    )


def _case(kit: Kit, work: CurateLessons, place: Place, ground: Ground) -> CurationCase:
    ground.evidence.begin()
    new = [_new(ground.evidence, name) for name in work.critiques]
    # Lessons may have come into this store without what they rest on.
    found = (ground.evidence.of(name) for name in work.evidence)
    earlier = [shown for shown in found if shown is not None]
    return CurationCase(
        id=work.id(place.lane),
        work=work,
        branch=place.lane.branch,
        base=ground.base,
        critiques=tuple(shown.critique for shown in new),
        earlier=tuple(shown.critique for shown in earlier),
        items={shown.critique.id: shown.items for shown in (*new, *earlier)},
        lessons=ground.lessons,
        goal=ground.goal,
        goals=ground.goals,
        check=_check(work, ground.method),
        observations=kit.task.observations,
        barred=_all_barred(kit, [shown.critique for shown in (*new, *earlier)]),
    )


def _new(evidence: RunEvidence, name: str) -> Shown:
    found = evidence.of(name)
    if found is None:
        raise MethodError(f"the store lacks the critique {name!r}, or an episode that it read")
    return found


def _all_barred(kit: Kit, critiques: Iterable[Critique]) -> frozenset[str]:
    barred = kit.store.barred()
    if not barred:
        return frozenset()
    return frozenset(c.id for c in critiques if _is_barred(kit, c, barred))


def _is_barred(kit: Kit, critique: Critique, barred: Barred) -> bool:
    """Whether a person has revoked what the critique stems from."""
    if not barred:
        return False
    read = {e: found for e in critique.episodes if (found := kit.store.episode(e)) is not None}
    bare = Evidence(
        critique=critique.id,
        episode=critique.episodes[-1],
        instance=critique.instance,
        trial=critique.trial,
    )
    behind = sourced(bare, critique, read, kit.task.observations)
    return barred.hits(behind) or any(e in barred.episodes for e in critique.episodes)


def _check(work: CurateLessons, method: Method) -> Check | None:
    if not work.check:
        return None
    if work.check not in method.checks:
        raise MethodError(f"{method.name} has no check {work.check!r}")
    check = method.checks[work.check]
    return lambda commit, lessons: check(commit, lessons, work)

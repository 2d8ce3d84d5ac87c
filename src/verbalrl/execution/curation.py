"""Curating critiques into one commit of one scope."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..curators import Check, CurationCase, curate_reflections, curate_shared, sourced
from ..errors import ConfigurationError, CuratorError, MethodError
from ..lanes import Place
from ..methods import Method
from ..models import CallContext
from ..records import (
    Commit,
    Critique,
    CurateLessons,
    Episode,
    Evidence,
    InstanceView,
    Lesson,
    LessonKind,
    Usage,
)
from .kit import Kit


@dataclass(frozen=True, slots=True)
class Ground:
    """What a commit is made against."""

    lessons: tuple[Lesson, ...]
    """All of the scope, in any status, at the revision `base`."""
    base: int
    method: Method
    goal: str
    """What the agent's task is: the instances' goal where they share one, else the summary."""
    goals: Mapping[str, str] = field(default_factory=dict)
    """Instance → its goal, where they do not share one."""


async def curate(
    kit: Kit, work: CurateLessons, place: Place, ground: Ground, context: CallContext
) -> Commit:
    """The commit that `work` asks for; a curator that failed makes one without updates."""
    if isinstance(place.view, InstanceView):
        return _reflections(kit, work, place, ground)
    if kit.curator is None:
        raise ConfigurationError("this method needs a curator; give curator= or critic=")
    case = _case(kit, work, place, ground)
    try:
        async with asyncio.timeout(kit.limits.timeout_s) as clock:
            return await curate_shared(case, kit.curator, context)
    except TimeoutError:
        if not clock.expired():
            raise
        return _late(case, context, f"the curator took longer than {kit.limits.timeout_s:g} s")


def _late(case: CurationCase, context: CallContext, why: str) -> Commit:
    """The record of a curator that does not come back: its critiques are consumed all the same."""
    return Commit(
        id=case.id,
        branch=case.branch,
        scope=case.work.scope,
        base=case.base,
        critiques=tuple(c.id for c in case.critiques),
        failure=f"{CuratorError.kind}: {why}",
        usage=sum(context.usage.values(), Usage()),
    )


def _reflections(kit: Kit, work: CurateLessons, place: Place, ground: Ground) -> Commit:
    """Reflections are curated without a model: the critic has said which earlier lines hold."""
    view = place.view
    assert isinstance(view, InstanceView)
    if work.kind is not LessonKind.REFLECTION or len(work.critiques) != 1:
        raise MethodError("the lane of an instance commits the reflections of one critique")
    (critique,) = (c for c in view.critiques if c.id == work.critiques[0])
    by_id = {e.id: e for e in view.episodes}
    if _is_barred(kit, critique):
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
    episodes: dict[str, Episode] = {}
    new = tuple(_critique(kit, name) for name in work.critiques)
    for name in {name for critique in new for name in critique.episodes}:
        episodes[name] = _episode(kit, name)
    earlier = tuple(c for name in work.evidence if (c := _behind(kit, name, episodes)) is not None)
    return CurationCase(
        id=work.id(place.lane),
        work=work,
        branch=place.lane.branch,
        base=ground.base,
        critiques=new,
        earlier=earlier,
        episodes=dict(sorted(episodes.items())),
        lessons=ground.lessons,
        goal=ground.goal,
        goals=ground.goals,
        check=_check(work, ground.method),
        observations=kit.task.observations,
        barred=frozenset(c.id for c in (*new, *earlier) if _is_barred(kit, c)),
    )


def _critique(kit: Kit, name: str) -> Critique:
    found = kit.store.critique(name)
    if found is None:
        raise MethodError(f"the plan curates an unknown critique: {name!r}")
    return found


def _is_barred(kit: Kit, critique: Critique) -> bool:
    """Whether a person has revoked what the critique stems from."""
    barred = kit.store.barred()
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


def _behind(kit: Kit, name: str, episodes: dict[str, Episode]) -> Critique | None:
    """A critique shown again, its episodes added to `episodes`.

    None where lessons came into this store without what they rest on.
    """
    found = kit.store.critique(name)
    if found is None:
        return None
    behind = {e: episodes.get(e) or kit.store.episode(e) for e in found.episodes}
    read = {e: episode for e, episode in behind.items() if episode is not None}
    if len(read) < len(behind):
        return None
    episodes.update(read)
    return found


def _episode(kit: Kit, name: str) -> Episode:
    found = kit.store.episode(name)
    if found is None:
        raise MethodError(f"the store lacks the episode {name!r} of a critique")
    return found


def _check(work: CurateLessons, method: Method) -> Check | None:
    if not work.check:
        return None
    if work.check not in method.checks:
        raise MethodError(f"{method.name} has no check {work.check!r}")
    check = method.checks[work.check]
    return lambda commit, lessons: check(commit, lessons, work)

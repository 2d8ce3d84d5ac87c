"""Running one episode of a plan: where its guidance comes from, and what it pins."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import MethodError
from ..ids import token_estimate
from ..lanes import Place
from ..memory import guidance_text
from ..memory.trial import toss
from ..models import CallContext
from ..records import (
    Episode,
    EpisodeSpec,
    Guidance,
    GuidanceSpec,
    InstanceView,
    Lesson,
    Record,
    RunEpisode,
    Situation,
)
from ..rollout import Assignment, GuidanceProvider, run_episode
from .acting import built, inside
from .applying import ask_applies, judge_of
from .embedding import PromptAsker
from .kit import Kit
from .narrowing import narrowed
from .quoting import word_for_word
from .remembering import remembering


async def run(
    kit: Kit, work: RunEpisode, place: Place, pinned: dict[str, int], context: CallContext
) -> Episode:
    """The episode that `work` asks for; failures of agent and environment are recorded in it.

    `pinned` says, by scope, which revision the lane's view holds.
    """
    view, lacking = instance_view(place), list[str]()
    episode = await run_episode(
        Assignment(spec=work.spec, lane=place.lane, instance=view.instance, task=kit.task),
        agent=kit.agent,
        context=context,
        guidance=provider(kit, work.spec, place, context, lacking),
        memos=remembering(kit, work.spec, place, context),
        hooks=(*built(kit, inside(work.spec.hooks, kit.limits)), *kit.hooks),
        limits=kit.limits,
    )
    return episode.model_copy(update={"revision": pinned, "lacking": next(iter(lacking), "")})


def check_stored(episode: Episode, work: RunEpisode) -> None:
    """Raise `MethodError` when `episode`, of the same key, is not what `work` asks for.

    Fields that its row does not hold, because it is older than they are, are not compared.
    """
    row, asked = episode.spec, work.spec
    roles = row.guidance.keys() | asked.guidance.keys()
    differ = _differing(row, asked, {"guidance"}) or [
        f"guidance of the {role}"
        for role in sorted(roles)
        if role not in row.guidance
        or role not in asked.guidance
        or _differing(row.guidance[role], asked.guidance[role])
    ]
    if differ:
        raise MethodError(
            f"episode {episode.id} was asked for otherwise before ({differ[0]} differs): the plan"
            " has changed"
        )


def _differing(row: Record, asked: Record, but: Collection[str] = ()) -> list[str]:
    held = sorted(row.model_fields_set - set(but))
    return [name for name in held if getattr(row, name) != getattr(asked, name)]


def pinned(spec: EpisodeSpec, place: Place) -> dict[str, int]:
    """By scope that its guidance is recalled from, the revision that the episode sees.

    It is that of the lane's view: what is committed since then is not what the episode reads.
    """
    view = instance_view(place)
    held = {view.scope: view.revision, view.instance_scope: view.own_revision}
    asked = {scope for wanted in spec.guidance.values() for scope in wanted.scopes}
    return {scope: held[scope] for scope in sorted(asked & held.keys())}


def provider(
    kit: Kit, spec: EpisodeSpec, place: Place, context: CallContext, lacking: list[str]
) -> GuidanceProvider:
    """Recalls from the lessons that the lane's view holds, never from the table.

    What a model did not say of their conditions is added to `lacking`, in one line each time.
    """

    async def guidance(role: str, situation: Situation, step: int) -> Guidance:
        wanted = spec.guidance[role]
        text = f"{situation.goal}\n{situation.observation.text}"
        asker = PromptAsker(kit.memory.embedder, context.at(step=step, role=role, hook="recall"))
        if wanted.source == "instance":
            found = _of_instance(kit, wanted, spec, place, role)
        else:
            at = (role, step)
            found = await _recalled(kit, at, spec, place, text, context, asker, lacking)
        beside: tuple[str, ...] = (wanted.beside,) if wanted.beside else ()
        if wanted.attempts or wanted.examples:
            beside += await word_for_word(kit, wanted, spec, place, text, asker)
        return _with(found, beside, kit)

    return guidance


async def _recalled(
    kit: Kit,
    at: tuple[str, int],
    spec: EpisodeSpec,
    place: Place,
    text: str,
    context: CallContext,
    asker: PromptAsker,
    lacking: list[str],
) -> Guidance:
    """What the prompt of a role at a step gets from lessons, in the situation `text`."""
    (role, step), view = at, instance_view(place)
    wanted = spec.guidance[role]
    lessons: Sequence[Lesson] = view.lessons
    if wanted.mispaired:
        lessons = kit.mispairs.of(view.lessons)
    lessons = await narrowed(kit, lessons, wanted, spec, text, asker)
    judged: dict[str, bool] = {}
    model = judge_of(kit) if wanted.condition == "model" else None
    if model is not None and wanted.source == "recall":
        known = kit.memory.pool(lessons, (), wanted).shared
        asked = [item.lesson for item in known.conditional]
        judged, why = await ask_applies(model, asked, text, context.at(step=step), kit.prompts)
        lacking += filter(None, (why,))
    draw = (place.lane.seed, spec.instance, spec.trial)
    tossed = toss(lessons, wanted, text, draw, judged, view.revision)
    found = await kit.memory.recall(
        lessons,
        (*view.reflections, *_of_others(kit, wanted, spec, place)),
        tossed.spec,
        text,
        prompts=kit.prompts,
        place=at,
        asker=asker,
        judged=judged,
    )
    return tossed.recorded(found)


def _with(found: Guidance, texts: tuple[str, ...], kit: Kit) -> Guidance:
    """`found` with `texts` beside it; they take nothing of what lessons may fill."""
    if not texts:
        return found
    more = found.replace(
        texts=(*found.texts, *texts), tokens=found.tokens + sum(map(token_estimate, texts))
    )
    return more.replace(text=guidance_text(more, kit.prompts))


def _of_others(
    kit: Kit, wanted: GuidanceSpec, spec: EpisodeSpec, place: Place
) -> tuple[Lesson, ...]:
    """Reflections of other instances that are asked for by scope.

    They are read as they are: nobody may change them in the round that reads them.
    """
    view = instance_view(place)
    others = [s for s in wanted.scopes if s not in (view.scope, view.instance_scope)]
    store, branch = kit.store, place.lane.branch
    found = [x for s in others for x in store.lessons(branch, s) if x.usable]
    # Trials of earlier runs are numbered like ours; what the branch started with is no news.
    pinned = store.branch(branch).pinned if others else {}
    start = [x for s in others for x in store.lessons(branch, s, revision=pinned.get(s, 0))]
    before = {e.critique for x in start for e in x.evidence}
    if any(e.trial >= spec.trial and e.critique not in before for x in found for e in x.evidence):
        raise MethodError(
            f"reflections of {others[0]!r} are read in the round that makes them; timing would"
            " decide which"
        )
    return tuple(found)


def lessons_of(view: InstanceView) -> tuple[Lesson, ...]:
    """Everything that a prompt on this lane may hold: shared lessons, then its own reflections."""
    return (*view.lessons, *view.reflections)


def instance_view(place: Place) -> InstanceView:
    """The view of the lane; episodes and critiques belong to lanes of instances."""
    if not isinstance(place.view, InstanceView):
        raise MethodError("episodes and critiques belong to the lane of an instance")
    return place.view


def _of_instance(
    kit: Kit, wanted: GuidanceSpec, spec: EpisodeSpec, place: Place, role: str
) -> Guidance:
    """What another instance's attempt got at a trial; only of a closed round, or timing decides."""
    asked = EpisodeSpec(instance=wanted.instance, trial=wanted.trial)
    other = kit.store.episode(asked.id(place.lane))
    if other is None or other.spec.round >= spec.round:
        raise MethodError(
            f"guidance of {wanted.instance!r} at trial {wanted.trial} is asked for before its round"
            " is closed"
        )
    return other.guidance.get(role, Guidance())

"""Writing one critique of a plan."""

from __future__ import annotations

from ..critics import CritiqueCase, proposal_keys, write_in_time
from ..critics.critique import CRITIQUE
from ..critics.programmatic import verdict
from ..errors import ConfigurationError
from ..ids import seed_from
from ..lanes import Place
from ..methods import Method
from ..models import CallContext
from ..records import Critique, Episode, Origin, WriteCritique
from .episodes import instance_view, lessons_of
from .kit import Kit


def sample_seed(work: WriteCritique, place: Place) -> int:
    """The sampling seed of a critique: like those of episodes, without run and arm."""
    shown = [[e.trial, e.spec.candidate, e.spec.purpose] for e in _episodes(work, place)]
    instance = instance_view(place).instance.id
    return seed_from("critique", place.lane.seed, instance, shown, work.template, work.sample)


async def write(
    kit: Kit, work: WriteCritique, place: Place, method: Method, context: CallContext
) -> Critique:
    """The critique that `work` asks for: accepted, refused or failed, never raised."""
    view = instance_view(place)
    own = (c for c in view.critiques if c.status == "accepted" and c.template == work.template)
    shared = method.learns != "instance"
    # What others are to share may well say what reflections of this instance say.
    apart = shared and work.template != CRITIQUE
    episodes = _episodes(work, place)
    case = CritiqueCase(
        id=work.id(place.lane),
        work=work,
        episodes=episodes,
        had=_had(kit, episodes, place),
        instance=view.instance,
        observations=kit.task.observations,
        known=view.lessons if apart else lessons_of(view),
        # Lines of an instance are known as its reflections; a retired one may be written again.
        predecessors=frozenset().union(*map(proposal_keys, own)) if shared else frozenset(),
    )
    if (plain := verdict(case)) is not None:
        return plain
    if kit.critic is None:
        raise ConfigurationError("this method needs a critic; give critic=")
    return await write_in_time(kit.critic, case, context, kit.limits.timeout_s)


def _episodes(work: WriteCritique, place: Place) -> tuple[Episode, ...]:
    by_id = {e.id: e for e in instance_view(place).episodes}
    return tuple(by_id[name] for name in work.episodes)


def _had(kit: Kit, episodes: tuple[Episode, ...], place: Place) -> dict[str, Origin]:
    """By id how far lessons are trusted that the agents had, those given up since then too."""
    lines = (line for e in episodes for given in e.guidance.values() for line in given.lines)
    names = {line.lesson for line in lines}
    found = {x.id: x.trust for x in lessons_of(instance_view(place)) if x.id in names}
    for name in sorted(names - found.keys()):
        lesson = kit.store.lesson(name, branch=place.lane.branch)
        found[name] = Origin.UNTRUSTED if lesson is None else lesson.trust
    return found

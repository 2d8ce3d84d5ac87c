"""Attempts that a prompt shows word for word: one's own, another instance's, or examples."""

from __future__ import annotations

from ..errors import MethodError
from ..ids import token_estimate
from ..lanes import Place
from ..memory import attempt_text
from ..memory.pool import UNTRUSTED_SHARE
from ..memory.recaller import Asker
from ..records import Episode, EpisodeSpec, GuidanceSpec, InstanceView, Origin
from .kit import Kit


async def word_for_word(
    kit: Kit,
    wanted: GuidanceSpec,
    spec: EpisodeSpec,
    place: Place,
    situation: str,
    asker: Asker,
) -> tuple[str, ...]:
    """The attempts that `wanted` names, then its examples, within `examples_budget` tokens.

    Untrusted text of other instances may fill a quarter of that, as in lessons.
    """
    own = wanted.instance in ("", spec.instance)
    named = [e for t in wanted.attempts if (e := _attempt(kit, wanted, spec, place, t))]
    near: tuple[Episode, ...] = ()
    if wanted.examples:
        near = await kit.examples.nearest(
            wanted,
            spec,
            place.lane,
            situation,
            store=kit.store,
            goals=kit.goals,
            memory=kit.memory,
            asker=asker,
        )
    trusted = kit.task.observations is not Origin.UNTRUSTED
    left = wanted.examples_budget
    foreign = left if trusted else int(left * UNTRUSTED_SHARE)
    texts: list[str] = []
    for n, episode in enumerate((*named, *near)):
        at_home = own and n < len(named)
        share = (left if at_home else min(left, foreign)) // (len(named) + len(near) - n)
        goal = "" if at_home else kit.goals.get(episode.instance, "")
        if text := attempt_text(episode, goal, share, kit.prompts):
            texts.append(text)
            left -= token_estimate(text)
            foreign -= 0 if at_home else token_estimate(text)
    return tuple(texts)


def _attempt(
    kit: Kit, wanted: GuidanceSpec, spec: EpisodeSpec, place: Place, trial: int
) -> Episode | None:
    """The attempt at `trial`; of another instance only one of a closed round, or timing decides."""
    if wanted.instance in ("", spec.instance):
        assert isinstance(place.view, InstanceView)
        return next((e for e in place.view.attempts if e.trial == trial), None)
    key = EpisodeSpec(instance=wanted.instance, trial=trial).id(place.lane)
    found = kit.store.episode(key)
    if found is not None and found.spec.round >= spec.round:
        raise MethodError(
            f"the attempt of {wanted.instance!r} at trial {trial} is asked for before its round is"
            " closed"
        )
    return found

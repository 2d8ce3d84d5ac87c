"""Who stands behind a critique: the sources that its attempts name, and what it may confirm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ..ids import normalised
from ..records import (
    Critique,
    Episode,
    Evidence,
    LessonBody,
    LessonProposal,
    Observation,
    Origin,
    RewardSupplier,
)

_WORD = re.compile(r"\w+")
# Words without which a text says the same; a negation is none of them.
_FILLERS = frozenset(
    word
    for line in (
        "a an the of to in on at is are be and or for with",
        "by it its this that",
    )
    for word in line.split()
)


def sourced(
    evidence: Evidence,
    critique: Critique,
    episodes: Mapping[str, Episode],
    observations: Origin = Origin.UNTRUSTED,
) -> Evidence:
    """`evidence` with what is known of the untrusted text behind it; unchanged where there is none.

    `observations` is the origin of what names none of its own.
    """
    if critique.trust is not Origin.UNTRUSTED:
        return evidence
    read = [episodes[name] for name in critique.episodes if name in episodes]
    named = [source for episode in read for source in _untrusted(episode, observations)]
    sources = tuple(sorted({source for source in named if source is not None}))
    whole = len(read) == len(critique.episodes) and None not in named
    judged = all(_agrees(critique, e) for e in read if e.id == evidence.episode)
    rewarded = all(_is_rewarded(episode) for episode in read)
    sound = bool(whole and sources and read and judged and rewarded)
    return evidence.replace(origin=Origin.UNTRUSTED, sources=sources, sound=sound)


def saying(evidence: Evidence, critique: Critique, body: LessonBody) -> Evidence:
    """`evidence` marked where its critique itself says `body`: every word of it, in one proposal.

    What a curator cites may be chosen under the influence of the very text that it judges, so that
    alone confirms nothing.
    """
    if not evidence.sound or not says(critique.proposals, body):
        return evidence
    return evidence.replace(says=body.content)


def says(proposals: Iterable[LessonProposal], body: LessonBody) -> bool:
    """Whether one of `proposals` has all the words of `body`, fillers aside."""
    wanted = _words((body.when, body.when_not, body.instruction))
    return bool(wanted) and any(
        wanted <= _words((p.name, p.when, p.when_not, p.instruction)) for p in proposals
    )


def _words(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(_WORD.findall(normalised(" ".join(texts)))) - _FILLERS


def _untrusted(episode: Episode, observations: Origin) -> list[str | None]:
    """The source of every untrusted part that the attempt shows; None for one without a name."""
    found: list[str | None] = []
    for seen in _seen(episode):
        if not seen.parts and seen.text and observations is Origin.UNTRUSTED:
            found.append(None)
        for part in seen.parts:
            if (part.origin or observations) is Origin.UNTRUSTED:
                found.append(part.source)
    for step in episode.trajectory.steps:
        # What an agent writes is its own; a part of it that names an origin is not.
        found += [p.source for p in step.action.parts if p.origin is Origin.UNTRUSTED]
        found += [None for note in step.notes if note.origin is Origin.UNTRUSTED]
    return found


def _seen(episode: Episode) -> list[Observation]:
    steps, final = episode.trajectory.steps, episode.trajectory.final
    shown = [o for step in steps for o in (step.observation, step.unreplaced) if o is not None]
    return shown if final is None else [*shown, final]


def _is_rewarded(episode: Episode) -> bool:
    judged = episode.success is not None or episode.reward.value is not None
    return judged and episode.reward.supplier is not RewardSupplier.AGENT


def _agrees(critique: Critique, episode: Episode) -> bool:
    """Whether the verdict is the outcome; with an unknown one, of a reward alone, none agrees."""
    if critique.verdict == "unclear" or episode.success is None:
        return False
    return episode.success == (critique.verdict == "success")

"""Digests (design section 7): equal for equal memory and equal behaviour, on every machine.

Pure over records. Ids hold a run's name, so lessons are named by their content and episodes by
their place (instance, trial, candidate, purpose); times, use counts and effects have no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any, NamedTuple

from ..ids import canonical_json, sha256_text
from ..records import Action, Critique, Episode, GuidanceSpec, Lesson, part_text

VERSION = "d1"

Place = tuple[str, int, int, str]


class EpisodeLine(NamedTuple):
    """What a digest has of one episode: small, so that it may be made ahead."""

    id: str
    place: Place
    attempt: str
    """The hash of what was asked and done."""
    selected_from: tuple[str, ...]


def line_of(episode: Episode, contents: Mapping[str, str]) -> EpisodeLine:
    """The line of an episode; `contents` as for `episodes_digest`."""
    attempt = sha256_text(canonical_json(_attempt(episode, contents)))
    return EpisodeLine(episode.id, _place(episode), attempt, episode.spec.selected_from)


def memory_digest(lessons: Iterable[Lesson]) -> str:
    """`d1:` and the hex sha256 of all lessons of a branch, whatever their status.

    They come scope by scope, as a store lists them: of closed scopes nothing is held but hashes,
    unless one waits for the text of a successor.
    """
    total, contents = _Total(), dict[str, str]()
    waiting: list[Lesson] = []
    for _, group in groupby(lessons, key=lambda lesson: lesson.scope):
        waiting += group
        contents.update((lesson.id, lesson.body.content) for lesson in waiting)
        if all(x.successor is None or x.successor in contents for x in waiting):
            total.lessons(waiting, contents)
            waiting = []
    total.lessons(waiting, contents)
    return total.digest()


def episodes_digest(
    episodes: Iterable[Episode | EpisodeLine],
    critiques: Iterable[Critique],
    contents: Mapping[str, str],
) -> str:
    """`d1:` and the hex sha256 of what agents and critics did, in canonical order.

    `contents` gives for each lesson id the hash of the text that it began with. Episodes come in
    the order of their places, and critiques by instance and trial, as a store lists them: each is
    hashed as it comes, so that iterators over many need little memory.
    """
    total, places = _Total(), dict[str, Place]()
    chosen: list[tuple[Place, tuple[str, ...]]] = []
    for episode in episodes:
        line = line_of(episode, contents) if isinstance(episode, Episode) else episode
        place = places[line.id] = line.place
        total.add(place, canonical_json(["episode", place, line.attempt]))
        if line.selected_from:
            chosen.append((place, line.selected_from))
    total.begin()
    for place, ids in sorted((p, [places.get(e, ()) for e in ids]) for p, ids in chosen):
        total.add(place, canonical_json(["selected", place, ids]))
    judged: list[tuple[str, bytes]] = []
    for _, group in groupby(critiques, key=lambda critique: (critique.instance, critique.trial)):
        # Two texts differ within their places unless these are the same.
        judged += [
            (shown, sha256(text.encode("utf-8")).digest())
            for shown, text in sorted(_told(c, places, contents) for c in group)
        ]
    judged.sort(key=lambda told: told[0])
    total.begin()
    for shown, said in judged:
        total.add(shown, canonical_json(["critique", said.hex()]))
    return total.digest()


class _Total:
    """A hash over lines that come in their order, each part of them from its own beginning."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._last: Any = None

    def begin(self) -> None:
        """Another part begins."""
        self._last = None

    def add(self, key: Any, line: str) -> None:
        """One line more."""
        if self._last is not None and key < self._last:
            raise ValueError(f"{key!r} comes after {self._last!r}; a digest is made in order")
        self._last = key
        self._hash.update(line.encode("utf-8") + b"\n")

    def lessons(self, found: Iterable[Lesson], contents: Mapping[str, str]) -> None:
        """The lines of some scopes."""
        for scope, *_, line in sorted(_keyed_line(lesson, contents) for lesson in found):
            self.add(scope, line)

    def digest(self) -> str:
        """With the version in front."""
        return f"{VERSION}:{self._hash.hexdigest()}"


def _told(
    critique: Critique, places: Mapping[str, Place], contents: Mapping[str, str]
) -> tuple[str, str]:
    """The places of the episodes that it is about, and with them all that it says."""
    about = [places.get(e, ()) for e in critique.episodes]
    return canonical_json(about), canonical_json([about, _judged(critique, contents)])


def _keyed_line(lesson: Lesson, contents: Mapping[str, str]) -> tuple[str, str, str, str]:
    content = lesson.body.content
    return lesson.scope, lesson.kind.value, content, _lesson_line(lesson, contents)


def _lesson_line(lesson: Lesson, contents: Mapping[str, str]) -> str:
    body = lesson.body
    evidence = sorted([e.instance, e.trial, e.step or 0] for e in lesson.evidence)
    return canonical_json(
        {
            "scope": lesson.scope,
            "kind": body.kind,
            "name": body.name,
            "when": body.when,
            "when_not": body.when_not,
            "instruction": body.instruction,
            "aspect": body.aspect,
            "audience": body.audience,
            "status": lesson.status,
            "trust": lesson.trust,
            "version": lesson.version,
            "votes": lesson.votes,
            "successor": contents.get(lesson.successor or ""),
            "evidence": evidence,
        }
    )


def _place(episode: Episode) -> Place:
    spec = episode.spec
    return (spec.instance, spec.trial, spec.candidate, spec.purpose)


def _attempt(episode: Episode, contents: Mapping[str, str]) -> dict[str, Any]:
    spec = episode.spec.model_dump(
        mode="json", exclude={"selected_from", "guidance", "prefix", "heard"}
    )
    # As it was before there were either.
    if not spec["hooks"]:
        del spec["hooks"]
    if spec["revises"] and not spec["revises"]["earlier"]:
        del spec["revises"]["earlier"]
    steps = episode.trajectory.steps
    team: dict[str, list[Any]] = {
        "reports": [[[r.role, r.text] for r in step.reports] for step in steps],
        "credits": [[[c.report, c.worth] for c in step.action.credits] for step in steps],
        "memos": [[[m.id, m.text] for m in step.memos] for step in steps],
        "cited": [step.action.memos_used for step in steps],
    }
    return {name: rows for name, rows in team.items() if any(rows)} | {
        "spec": spec,
        "prefix": [_action(a) for a in episode.spec.prefix],
        "asked": {r: _guidance_spec(g, contents) for r, g in episode.spec.guidance.items()},
        "actions": [_action(step.action) for step in steps],
        "rewards": [step.reward for step in steps],
        "reward": episode.reward.model_dump(mode="json"),
        "success": episode.success,
        "injected": {
            role: [[u.step, u.content] for u in guidance.uses if u.outcome == "injected"]
            for role, guidance in episode.guidance.items()
        },
        "texts": {role: guidance.texts for role, guidance in episode.guidance.items()},
    }


def _action(action: Action) -> list[Any]:
    # A tool call's id is the provider's, and random.
    return [action.text, [part_text(part) for part in action.parts]]


_LATER = (
    *(
        "chance",
        "retrieval",
        "most",
        "attempts",
        "memos",
        "examples",
        "examples_of",
        "examples_budget",
        "mispaired",
        "beside",
    ),
)


@lru_cache(maxsize=1)
def _plain() -> GuidanceSpec:
    return GuidanceSpec()


def _guidance_spec(spec: GuidanceSpec, contents: Mapping[str, str]) -> dict[str, Any]:
    named = ("lessons", "force_in", "force_out")
    dumped = spec.model_dump(mode="json", exclude=set(named))
    for name in _LATER:
        # Left as they are, they say no more than rows of before there were such fields.
        if getattr(spec, name) == getattr(_plain(), name):
            del dumped[name]
    return dumped | {name: [contents.get(i, "") for i in getattr(spec, name)] for name in named}


def _judged(critique: Critique, contents: Mapping[str, str]) -> dict[str, Any]:
    left_out = {
        "id", "episodes", "prompt_sha", "keeps", "shown", "model", "usage", "raw", "detail",
        "scores",
    }  # fmt: skip
    # Their trials stand in for the episodes, whose ids hold a run's name.
    # A span follows from the quote.
    places = {"causes": {"__all__": {"episode", "span"}}, "proposals": {"__all__": {"episode"}}}
    exclude: Any = dict.fromkeys(left_out, True) | places
    # In the order of the episodes, whose ids hold a run's name; nothing where there are none.
    scores = [critique.scores.get(e) for e in critique.episodes] if critique.scores else []
    return (
        ({"scores": scores} if scores else {})
        | critique.model_dump(mode="json", exclude=exclude)
        | {"keeps": [contents.get(identity, "") for identity in critique.keeps]}
    )

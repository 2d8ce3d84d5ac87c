"""Digests (design section 7): equal for equal memory and equal behaviour, on every machine.

Pure over records. Ids hold a run's name, so lessons are named by their content and episodes by
their place (instance, trial, candidate, purpose); times, use counts and effects have no part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ..ids import canonical_json, sha256_text
from ..records import Action, Critique, Episode, GuidanceSpec, Lesson, part_text

VERSION = "d1"

Place = tuple[str, int, int, str]


def memory_digest(lessons: Iterable[Lesson]) -> str:
    """`d1:` and the hex sha256 of all lessons of a branch, whatever their status."""
    contents: dict[str, str] = {}
    lines: list[tuple[str, str, str, str]] = []
    late: list[Lesson] = []
    """Those that name another one; of the rest no more is held than the line."""
    for lesson in lessons:
        contents[lesson.id] = lesson.body.content
        if lesson.successor:
            late.append(lesson)
        else:
            lines.append(_keyed_line(lesson, contents))
    lines += [_keyed_line(lesson, contents) for lesson in late]
    return _digest(line for *_, line in sorted(lines))


def episodes_digest(
    episodes: Iterable[Episode], critiques: Iterable[Critique], contents: Mapping[str, str]
) -> str:
    """`d1:` and the hex sha256 of what agents and critics did, in canonical order.

    `contents` gives for each lesson id the hash of the text that it began with. Each line is hashed
    as it comes, so an iterator over many episodes needs little memory.
    """
    places: dict[str, Place] = {}
    attempts: list[tuple[Place, str]] = []
    chosen: list[tuple[Place, tuple[str, ...]]] = []
    for episode in episodes:
        place = places[episode.id] = _place(episode)
        attempts.append((place, sha256_text(canonical_json(_attempt(episode, contents)))))
        if episode.spec.selected_from:
            chosen.append((place, episode.spec.selected_from))
    lines = sorted(attempts)
    selected = sorted((p, [places.get(e, ()) for e in ids]) for p, ids in chosen)
    judged = sorted(
        canonical_json(
            [[places.get(e, ()) for e in critique.episodes], _judged(critique, contents)]
        )
        for critique in critiques
    )
    return _digest(
        chain(
            (canonical_json(["episode", *line]) for line in lines),
            (canonical_json(["selected", *line]) for line in selected),
            (canonical_json(["critique", sha256_text(line)]) for line in judged),
        )
    )


def _digest(lines: Iterable[str]) -> str:
    total = hashlib.sha256()
    for line in lines:
        total.update(line.encode("utf-8") + b"\n")
    return f"{VERSION}:{total.hexdigest()}"


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
    spec = episode.spec.model_dump(mode="json", exclude={"selected_from", "guidance", "prefix"})
    # As it was before there were either.
    if not spec["hooks"]:
        del spec["hooks"]
    if spec["revises"] and not spec["revises"]["earlier"]:
        del spec["revises"]["earlier"]
    return {
        "spec": spec,
        "prefix": [_action(a) for a in episode.spec.prefix],
        "asked": {r: _guidance_spec(g, contents) for r, g in episode.spec.guidance.items()},
        "actions": [_action(step.action) for step in episode.trajectory.steps],
        "rewards": [step.reward for step in episode.trajectory.steps],
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


_LATER = (*("chance", "attempts", "examples", "examples_of", "examples_budget", "mispaired"),)


def _guidance_spec(spec: GuidanceSpec, contents: Mapping[str, str]) -> dict[str, Any]:
    named = ("lessons", "force_in", "force_out")
    dumped = spec.model_dump(mode="json", exclude=set(named))
    for name in _LATER:
        # Left as they are, they say no more than rows of before there were such fields.
        if getattr(spec, name) == GuidanceSpec.model_fields[name].get_default():
            del dumped[name]
    return dumped | {name: [contents.get(i, "") for i in getattr(spec, name)] for name in named}


def _judged(critique: Critique, contents: Mapping[str, str]) -> dict[str, Any]:
    left_out = {
        "id", "episodes", "prompt_sha", "keeps", "shown", "model", "usage", "raw", "detail",
    }  # fmt: skip
    # Their trials stand in for the episodes, whose ids hold a run's name.
    # A span follows from the quote.
    places = {"causes": {"__all__": {"episode", "span"}}, "proposals": {"__all__": {"episode"}}}
    exclude: Any = dict.fromkeys(left_out, True) | places
    return critique.model_dump(mode="json", exclude=exclude) | {
        "keeps": [contents.get(identity, "") for identity in critique.keeps]
    }

"""The actor: a habit, a little chance, and the lessons that fit what it sees.

The prior never reads a lesson, so a prompt without lessons and one whose lessons fit nothing give
the same choice. It plans nothing, infers nothing and keeps no state between calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import layout
from .reading import (
    Lesson,
    Match,
    Situation,
    best_match,
    content,
    directions,
    own_words,
    read_lesson,
)
from .spans import candidate_spans, named_answers
from .text import Features, Weights, clause_features, text_features, unit

COMPLIANCE: Final = 0.95
"""Share of steps at which it follows what its lessons say."""

STICK: Final = 0.5
"""Share of the prior that is habit (the same at every attempt); the rest is chance."""

ATTRACT: Final = 0.35
"""Pull of an action whose own words occur in the goal or the observation."""

REPEAT: Final = 0.5
"""Loss of an action for each time that it was taken at this same observation."""

VOTE: Final = 1.5
"""Strength of the lessons against the prior."""

NEAR: Final = 0.8
"""A match below this share of the best one is not the situation that its lesson speaks of."""

UNCONDITIONAL: Final = 0.5
"""Weight of a lesson without condition; it yields to any that has one and fits."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an actor's prompt shows."""

    goal: str
    observation: str
    history: tuple[layout.Step, ...]
    actions: tuple[str, ...]
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """A lesson that fits, how well, and what it says of each action."""

    lesson: Lesson
    match: Match | None
    says: dict[str, int]


def read_scene(messages: Sequence[layout.Message], actions: tuple[str, ...]) -> Scene:
    """The scene of a request; the schema's list of actions comes before the prompt's own."""
    text = layout.last_user(messages)
    lessons: list[Lesson] = []
    for role, content_ in messages:
        if role != "assistant":
            lessons += read_guidance(layout.block(content_, "guidance"))
    lessons += read_guidance(layout.block(text, "notes"))
    lessons += read_guidance(layout.block(text, "critique_of_previous"))
    return Scene(
        layout.block(text, "goal"),
        layout.block(text, "observation") or ("" if "<observation>" in text else text),
        layout.history(layout.block(text, "history")),
        actions or layout.bullets(layout.block(text, "actions")),
        tuple(lessons),
    )


def read_guidance(block: str) -> list[Lesson]:
    """The lessons of a block: one a line, numbered or not."""
    found = []
    for line in block.splitlines():
        body = line.strip().removeprefix("- ")
        numbered = layout.numbered(body)
        alias, text = numbered[0] if numbered else (0, body)
        if text.strip():
            found.append(read_lesson(alias, text.strip()))
    return found


def choose(scene: Scene, sample_seed: int, habit: int) -> tuple[str, list[int]]:
    """The action, and the numbers of the lessons that were followed."""
    now = Situation(scene.observation, scene.goal)
    actions = scene.actions or candidates(scene)
    prior = {action: _prior(action, scene, actions, sample_seed, habit) for action in actions}
    moment = (habit, sample_seed, scene.observation, len(scene.history))
    firing = fitting(scene, actions, now) if unit("obey", *moment) < COMPLIANCE else []
    votes = _votes(firing, actions)
    best = max(actions, key=lambda action: prior[action] + VOTE * votes[action])
    used = sorted({f.lesson.alias for f in firing if f.lesson.alias and _agrees(f.says, best)})
    return best, used


def candidates(scene: Scene) -> tuple[str, ...]:
    """Possible answers where no actions are listed: those that lessons name, then spans."""
    named = [a for lesson in scene.lessons for a in named_answers(lesson.instruction)]
    spans = candidate_spans(scene.observation) or candidate_spans(scene.goal) or ("unknown",)
    return tuple(dict.fromkeys((*named, *spans)))


def _agrees(says: dict[str, int], chosen: str) -> bool:
    return says.get(chosen, 0) > 0 or (chosen not in says and any(s < 0 for s in says.values()))


def _prior(action: str, scene: Scene, actions: tuple[str, ...], seed: int, habit: int) -> float:
    where = scene.observation
    fixed = unit("habit", habit, where, action)
    drawn = unit("chance", habit, seed, where, len(scene.history), action)
    own = own_words(actions)[action]
    drawn_to = len(own & _in_view(scene)) / len(own) if own else 0.0
    taken = sum(1 for s in scene.history if s.action == action and _same(s.observation, where))
    return STICK * fixed + (1 - STICK) * drawn + ATTRACT * drawn_to - REPEAT * taken


def _in_view(scene: Scene) -> Features:
    return content(scene.observation) | content(scene.goal)


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


def fitting(scene: Scene, actions: tuple[str, ...], now: Situation) -> list[Firing]:
    """The lessons that fit now and speak of an action, less those that a better one overrides."""
    weights = _weights(scene)
    found: list[Firing] = []
    for lesson in scene.lessons:
        says = directions(lesson.instruction, actions)
        if not says or best_match(lesson.exceptions, now, weights) is not None:
            continue
        match = best_match(lesson.conditions, now, weights) if lesson.condition else None
        if match is not None or not lesson.condition:
            found.append(Firing(lesson, match, says))
    best = max((f.match.share for f in found if f.match), default=0.0)
    if best > 0:
        found = [f for f in found if f.match is not None and f.match.share >= NEAR * best]
    return [f for n, f in enumerate(found) if not _overridden(f, found, n)]


def _overridden(one: Firing, all_found: list[Firing], place: int) -> bool:
    """Whether a narrower lesson, or a later one of the same condition, says otherwise."""
    for other_place, other in enumerate(all_found):
        if other is one or not _conflict(one.says, other.says):
            continue
        mine = one.match.seen if one.match else frozenset()
        its = other.match.seen if other.match else frozenset()
        if mine < its or (mine == its and other_place > place):
            return True
    return False


def _conflict(one: dict[str, int], other: dict[str, int]) -> bool:
    if any(other.get(action, sign) != sign for action, sign in one.items()):
        return True
    ours = {action for action, sign in one.items() if sign > 0}
    theirs = {action for action, sign in other.items() if sign > 0}
    return bool(ours and theirs and not ours & theirs)


def _votes(firing: list[Firing], actions: tuple[str, ...]) -> dict[str, float]:
    votes = dict.fromkeys(actions, 0.0)
    for found in firing:
        weight = found.match.weight if found.match else UNCONDITIONAL
        for action, sign in found.says.items():
            votes[action] += sign * weight
    return votes


def _weights(scene: Scene) -> Weights:
    worded = [frozenset().union(*(c.all for c in lesson.conditions)) for lesson in scene.lessons]
    worded = [condition for condition in worded if condition]
    documents = list(worded)
    documents.append(text_features(scene.observation))
    seen = {" ".join(step.observation.split()) for step in scene.history}
    documents += [text_features(text) for text in sorted(seen) if clause_features(text)]
    return Weights(documents, worded)

"""`verbalrl why`: which lessons a prompt got, which it did not get, and for which reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ...records import Episode, Guidance, GuidanceLine, LessonBody, LessonKind, Use
from ...store import Store
from ...view.trajectory import alike, steps_of
from ..options import reader
from ..output import emit_json, heading, plural, say, success_word
from ..reading import find_episode, opened
from ..telling import attempt, rule

REASONS: Mapping[str, str] = {
    "injected": "in the prompt",
    "withheld": "left out on purpose, to measure what it does",
    "condition": "its condition does not hold here",
    "budget": "no room was left for it",
    "cap": "older than the newest critiques asked for",
    "trust": "untrusted text fills its share already",
}


@click.command()
@click.argument("episode")
@reader
def why(episode: str, store: Path, as_json: bool) -> None:
    """Say why a prompt got the lessons that it got.

    EPISODE is its id, or the start of it. Every lesson that was considered is listed with its rank,
    the parts of its score where there was not room for all, and the reason where it was left out;
    of those left out, the 50 best.
    """
    with opened(store) as kept:
        found = find_episode(kept, episode)
        told = {role: _told(kept, found, given) for role, given in found.guidance.items()}
    if as_json:
        emit_json({"episode": found.id, "instance": found.instance, "guidance": told})
        return
    heading(
        f"{found.id}  {attempt(found.id, found.instance, found.trial)}, "
        f"{success_word(found.success)}, branch {found.branch}"
    )
    if not told:
        say("no lesson was asked for: its arm or method gives none", indent=2)
    for role, one in told.items():
        _say_role(role, one)


def _told(store: Store, episode: Episode, given: Guidance) -> dict[str, Any]:
    lines = {line.lesson: line for line in given.lines}
    uses = [_use(store, episode, same, lines.get(same[0].lesson)) for same in alike(given.uses)]
    recorded = Counter(use["outcome"] for use in uses)
    return {
        "tokens": given.tokens,
        "injected": recorded["injected"],
        "left_out": given.left_out,
        "left_out_not_listed": max(0, given.left_out - recorded.total() + recorded["injected"]),
        "texts": list(given.texts),
        "uses": uses,
    }


def _use(
    store: Store, episode: Episode, same: tuple[Use, ...], line: GuidanceLine | None
) -> dict[str, Any]:
    """The first of uses that say the same, with how many steps it held for."""
    use = same[0]
    kept = store.lesson(use.lesson, branch=episode.branch) or store.lesson(use.lesson)
    if line is not None:
        text = rule(_body(line))
    elif kept is not None:
        changed = "" if kept.version == use.version else f" (now version {kept.version})"
        text = rule(kept.body) + changed
    else:
        text = ""
    return {
        "rank": use.rank,
        "outcome": use.outcome,
        "reason": REASONS[use.outcome],
        "lesson": use.lesson,
        "version": use.version,
        "text": text,
        "block": use.block,
        "step": use.step,
        "steps": steps_of(same, episode),
        "probability": use.probability,
        "tokens": use.tokens,
        "parts": dict(use.parts),
    }


def _body(line: GuidanceLine) -> LessonBody:
    return LessonBody(
        kind=LessonKind.BEHAVIOR,
        when=line.when,
        when_not=line.when_not,
        instruction=line.instruction,
    )


def _say_role(role: str, told: Mapping[str, Any]) -> None:
    say()
    tokens = plural(told["tokens"], "token")
    heading(f"{role}: {told['injected']} in ({tokens}), {told['left_out']} left out")
    for text in told["texts"]:
        say(f"given word for word: {text}", indent=2)
    for use in told["uses"]:
        where = f", {use['block']}" if use["block"] else ""
        many = f", {use['steps']} steps" if use["steps"] > 1 else ""
        step = many or (f", step {use['step']}" if use["step"] else "")
        chance = f", probability {use['probability']:g}" if use["probability"] < 1 else ""
        say(
            f"{use['rank']:>3}  {use['outcome']}{where}{step}{chance}: {use['reason']}; "
            f"{plural(use['tokens'], 'token')}; {use['lesson']} version {use['version']}",
            hanging=5,
        )
        if use["text"]:
            say(use["text"], indent=5)
        if use["parts"]:
            say(_sum(use["parts"]), indent=5)
    if told["left_out_not_listed"]:
        say(f"and {told['left_out_not_listed']} more left out, which scored less", indent=2)
    if told["uses"] and not any(use["parts"] for use in told["uses"]):
        say("all that passed was in, or a fixed order decided: nothing was scored", indent=2)


def _sum(parts: Mapping[str, float]) -> str:
    """`score 0.731 = bm25 0.700 + cosine 0.031`, leaving out what counts nothing."""
    terms = [f"{name} {part:.3f}" for name, part in parts.items() if part and name != "score"]
    return f"score {parts.get('score', sum(parts.values())):.3f} = {' + '.join(terms) or '0'}"

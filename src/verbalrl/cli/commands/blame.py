"""`verbalrl blame`: which of the lessons that an episode had are likely to have done harm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ...effects import Effect
from ...memory.measured import caveat, effects_on, plain
from ...records import SERVED, Episode, LaneKey, Use
from ...store import MAIN, Store
from ..options import reader
from ..output import emit_json, heading, note, say, success_word
from ..reading import find_episode, opened
from ..telling import attempt, rule, tell_effects


@click.command()
@click.argument("episode", metavar="EPISODE")
@reader
def blame(episode: str, store: Path, as_json: bool) -> None:
    """List the lessons that may have done harm.

    They are those that the prompt of an episode had, the likeliest first. What is known of each
    comes from all episodes of its branch, with it and without it. Nothing is known of lessons that
    were never withheld: `prove` tries one.
    """
    with opened(store) as kept:
        whole = find_episode(kept, episode)
        rows = _rows(kept, whole)
        said = "" if whole.arm == SERVED else caveat(kept, whole.run)
    if as_json:
        listed = [{k: v for k, v in row.items() if k != "found"} for row in rows]
        emit_json({"episode": whole.id, "success": whole.success, "lessons": listed})
        return
    case = attempt(whole.id, whole.instance, whole.trial)
    heading(f"{whole.id}  {case}: {success_word(whole.success)}")
    for row in rows:
        say(f"{row['lesson']} version {row['version']}: {row['text']}", indent=2)
        tell_effects(row.pop("found"), said=said)
        if row["conflict_with"]:
            say(f"disagrees with {row['conflict_with']}", indent=4)
    if not rows:
        note("no lesson was in its prompt")


def _rows(store: Store, episode: Episode) -> list[dict[str, Any]]:
    lane = LaneKey(run=episode.run, arm=episode.arm, seed=episode.seed)
    branch = MAIN if episode.arm == SERVED else lane.branch
    uses = {u.lesson: u for g in episode.guidance.values() for u in g.uses if u.block is not None}
    lessons = {x.id: x for x in store.current_lessons(branch) if x.id in uses}
    effects = effects_on(store, branch, frozenset(x.scope for x in lessons.values()))
    ranked = sorted(uses.values(), key=lambda u: (-_harm(u, effects), u.rank))
    return [
        {
            "lesson": use.lesson,
            "version": use.version,
            "text": rule(lesson.body) if (lesson := lessons.get(use.lesson)) else "",
            "conflict_with": lesson.conflict_with if lesson else None,
            "effects": {r: plain(e) for r, e in effects.get(use.content, {}).items()},
            "found": effects.get(use.content, {}),
        }
        for use in ranked
    ]


def _harm(use: Use, effects: Mapping[str, Mapping[str, Effect]]) -> float:
    """The stake on "it harms", of whichever role it harms most; untested lessons stand at 0."""
    return max((e.harms for e in effects.get(use.content, {}).values()), default=0.0)

"""`verbalrl publish`: the only way from a run's branch to `main`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from ...records import Lesson, LessonKind
from ..options import json_option, store_option, verbose_option
from ..output import emit_json, note, plural
from ..reading import MAIN, find_run, learned_branch, opened


@click.command()
@click.argument("run")
@click.option("--reflections", is_flag=True, help="Copy reflections too.")
@click.option("--approve", is_flag=True, help="You have read them: they become active.")
@click.option("--seed", type=int, metavar="N", help="Of this seed. [the first]")
@click.option("--arm", default="learned", show_default=True, metavar="ARM", help="Of this arm.")
@store_option
@json_option
@verbose_option
def publish(run: str, store: Path, as_json: bool, **asked: Any) -> None:
    """Copy what a run learned to the branch main.

    RUN is its id, or the start of it. Without --approve the lessons wait in quarantine on main
    and enter no prompt.
    """
    kinds = [LessonKind.BEHAVIOR, LessonKind.BELIEF]
    if asked["reflections"]:
        kinds.append(LessonKind.REFLECTION)
    with opened(store) as kept:
        record = find_run(kept, run)
        branch = learned_branch(kept, record, asked["arm"], asked["seed"]).id
        counts = asyncio.run(kept.publish(branch, kinds=kinds, approve=asked["approve"]))
        there = kept.current_lessons(branch)
    left = _left_out(there, kinds)
    if as_json:
        found = {"from": branch, "to": MAIN, "approved": asked["approve"], **counts}
        emit_json({**found, "left_out": left})
        return
    if record.status != "done":
        note(f"run {record.id} is not done ({record.status}): this is what it had learned so far")
    listed = ", ".join(f"{number} {what}" for what, number in counts.items())
    click.echo(f"{branch} → {MAIN}: {listed}")
    if left:
        kept_back = ", ".join(plural(number, kind) for kind, number in left.items())
        note(f"left out: {kept_back}; --reflections copies them too")
    elif not any(counts.values()):
        note(f"there was nothing to publish: {_why_nothing(branch, there)}")
    touched = counts["added"] + counts["merged"]
    if touched and asked["approve"]:
        note(f"active on {MAIN} now, where prompts may carry them: {plural(touched, 'lesson')}")
    if counts["added"] and not asked["approve"]:
        note(
            "quarantined until a person approves: read them, then publish again with --approve, "
            "or approve single ones"
        )


def _left_out(lessons: Sequence[Lesson], kinds: Collection[LessonKind]) -> dict[str, int]:
    """How many usable lessons of each kind were not asked for."""
    return dict(Counter(le.kind.value for le in lessons if le.usable and le.kind not in kinds))


def _why_nothing(branch: str, lessons: Sequence[Lesson]) -> str:
    if not lessons:
        return f"branch {branch} has no lessons"
    counts = Counter(lesson.status.value for lesson in lessons)
    listed = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    return f"no lesson of branch {branch} may be used ({listed})"

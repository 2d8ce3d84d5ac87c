"""`verbalrl behaviors`, `beliefs` and `reflections`: what was learned, and what it stems from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from ...effects import Effect
from ...memory.measured import caveat, effects_on, order_of, plain
from ...records import BranchRecord, Lesson, LessonKind, Status
from ...store import within
from ...text import natural
from ..options import branch_options, command, limit_of, more_rows, paging, reader
from ..output import emit_json, heading, note, plural, say
from ..reading import branch_of, check_instance, check_scope, instance_matches, opened
from ..telling import ORDER, by_status, rule, tell_effects, tell_lesson

F = TypeVar("F", bound=Callable[..., Any])

_WAITS = {
    Status.PROVISIONAL: "prompts carry them, on trial",
    Status.QUARANTINED: "no prompt carries them",
}


_SORTS: dict[str, Callable[[Lesson], Any]] = {
    "status": lambda le: (ORDER.index(le.status), -le.votes.get("support", 0)),
    "support": lambda le: -le.votes.get("support", len(le.evidence)),
    "new": lambda le: (-le.born, -le.position),
    "old": lambda le: (le.born, le.position),
    "name": lambda le: (le.name.casefold(), le.when.casefold()),
    "effect": lambda _: 0,
}
"""How the lessons of one scope may be ordered; by `effect`, which no lesson holds, see `_list`."""


def _filters(command: F) -> F:
    said = "Order within a scope; effect: with what withholding has shown."
    command = paging(_SORTS, "status", said)(command)
    command = click.option(
        "--match", metavar="WORDS", default="", help="Only those that say all these words."
    )(command)
    command = click.option("--scope", metavar="SCOPE", help="Only of this task or scope.")(command)
    return click.option(
        "--status",
        type=click.Choice([status.value for status in Status]),
        help="Only those of this status.",
    )(command)


@click.command()
@_filters
@branch_options("arm learned, first seed")
@reader
def behaviors(store: Path, as_json: bool, **asked: Any) -> None:
    """List the behaviors learned.

    Without --run or --branch: of main if it has any, else of the latest run's arm learned, first
    seed.
    """
    _list(LessonKind.BEHAVIOR, store, as_json, asked)


@click.command()
@_filters
@branch_options("arm learned, first seed")
@reader
def beliefs(store: Path, as_json: bool, **asked: Any) -> None:
    """List the beliefs held.

    Without --run or --branch: of main if it has any, else of the latest run's arm learned, first
    seed.
    """
    _list(LessonKind.BELIEF, store, as_json, asked)


@click.command()
@_filters
@click.option("--instance", metavar="I", help="Only of this instance: its id, or the end of it.")
@branch_options("arm learned, first seed")
@reader
def reflections(store: Path, as_json: bool, **asked: Any) -> None:
    """List the reflections kept.

    Without --run or --branch: of main if it has any, else of the latest run's arm learned, first
    seed.
    """
    _list(LessonKind.REFLECTION, store, as_json, asked)


def _list(kind: LessonKind, folder: Path, as_json: bool, asked: dict[str, Any]) -> None:
    with opened(folder) as store:
        source = branch_of(store, asked["branch"], asked["run"], kind)
        statuses = None if asked["status"] is None else [Status(asked["status"])]
        found = store.current_lessons(source.branch, kind=kind, statuses=statuses)
        check_scope(store, source.branch, asked["scope"])
        check_instance(store, store.branch(source.branch).run, asked.get("instance"))
        seeds = _other_seeds(store.branches(), source.branch)
        # Not at every look: they are added up afresh from all episodes.
        wanted = asked["sort"] == "effect"
        scopes = frozenset(x.scope for x in found)
        effects = effects_on(store, source.branch, scopes) if wanted else {}
        said = caveat(store, store.branch(source.branch).run)
    found = tuple(
        lesson
        for lesson in found
        if instance_matches(lesson.scope, asked.get("instance"))
        and (asked["scope"] is None or within(lesson, asked["scope"]))
        and _says(lesson, asked["match"])
    )
    order, offset = _SORTS[asked["sort"]], asked["offset"]
    if asked["sort"] == "effect":
        order = partial(order_of, effects=effects)
    found = tuple(sorted(found, key=lambda le: (natural(le.scope), order(le))))
    limit = limit_of(asked, as_json)
    shown = found[offset:] if limit is None else found[offset : offset + limit]
    if as_json:
        emit_json(
            {
                "store": str(folder),
                "branch": source.branch,
                "why": source.why,
                "total": len(found),
                f"{kind}s": [_full(lesson, effects) for lesson in shown],
            }
        )
        return
    listed = by_status(found)
    count = f"{plural(len(found), kind.value)}{f': {listed},' if listed else ''}"
    heading(f"{count} on branch {source.branch} ({source.why})")
    if seeds:
        say(f"other seeds: {', '.join(f'--branch {name}' for name in seeds)}", indent=2)
    scope = ""
    for lesson in shown:
        if lesson.scope != scope:
            scope = lesson.scope
            heading(f"— {scope}")
        tell_lesson(lesson)
        tell_effects(effects.get(lesson.body.content, {}), said=said)
    if more := more_rows(len(shown), len(found), offset):
        note(more)
    for line in _waiting(found, folder):
        note(line)


def _says(lesson: Lesson, words: str) -> bool:
    text = f"{lesson.name} {rule(lesson.body)}".casefold()
    return all(word in text for word in words.casefold().split())


def _waiting(lessons: Sequence[Lesson], folder: Path) -> list[str]:
    """What to do about lessons that a person has not approved."""
    lines = []
    for status, state in _WAITS.items():
        first = next((le.id for le in lessons if le.status is status), None)
        if first is not None:
            count = sum(le.status is status for le in lessons)
            way = command("approve", first, store=folder)
            lines.append(f"{count} {status} ({state}); to make one active: {way}")
    return lines


def _other_seeds(branches: Sequence[BranchRecord], chosen: str) -> list[str]:
    """Branches of the same run and arm."""
    ours = next((b for b in branches if b.id == chosen), None)
    if ours is None or ours.run is None:
        return []
    same = [b for b in branches if (b.run, b.arm) == (ours.run, ours.arm)]
    return [b.id for b in same if b.id != chosen]


def _full(lesson: Lesson, effects: Mapping[str, Mapping[str, Effect]]) -> dict[str, Any]:
    kept = lesson.model_dump(mode="json")
    support = lesson.votes.get("support", len(lesson.evidence))
    if not effects:
        return {**kept, "support": support}
    shown = {role: plain(e) for role, e in effects.get(lesson.body.content, {}).items()}
    return {**kept, "support": support, "effects": shown}

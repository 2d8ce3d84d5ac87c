"""`verbalrl show ID`: anything that has an id."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from ...errors import UnknownNameError
from ...memory.changing import places
from ...memory.measured import caveat, effects_on
from ...records import (
    SERVED,
    BranchRecord,
    Commit,
    Critique,
    Decision,
    Episode,
    Lesson,
    MemoryUpdate,
    RunRecord,
)
from ...result import RunResult
from ...store import Store
from ...text import natural
from ...view.rows import ordered
from ..options import command, reader
from ..output import emit_json, heading, note, plural, say
from ..reading import Found, as_it_is, find, opened
from ..telling import (
    agreed,
    by_status,
    tell_commit,
    tell_critique,
    tell_decision,
    tell_effects,
    tell_episode,
    tell_lesson_fully,
    tell_run,
    tell_served,
    tell_update,
)

_LISTED = 12
"""Comparisons of one branch; the rest are counted."""
_SCOPES = 12
"""Of one branch, as well."""
_PINS = 3
"""Scopes of the branch that it started from."""
_MARK = "/"
"""The ids of branches alone have it."""


@click.command()
@click.argument("identity", metavar="ID")
@reader
def show(identity: str, store: Path, as_json: bool) -> None:
    """Show anything that has an id.

    A run, an episode with its trajectory, a critique, a lesson with its history, a branch of memory
    with its scopes, a commit or a decision. The start of an id will do where only one begins so; a
    branch is given whole.
    """
    with opened(store) as kept:
        item = _only(kept, identity)
        if as_json:
            emit_json({"kind": kind_of(item), **_everything(kept, item)})
        else:
            _tell(kept, item)


def _only(store: Store, identity: str) -> Found | BranchRecord:
    if branch := next((b for b in store.branches() if b.id == identity), None):
        return branch
    found = find(store, identity)
    if len(found) == 1:
        item = found[0]
        if isinstance(item, RunRecord):
            return as_it_is(store, item)
        # A list leaves trajectories out.
        return (store.episode(item.id) or item) if isinstance(item, Episode) else item
    if not found:
        if _MARK in identity:
            known = [branch.id for branch in store.branches()]
            raise UnknownNameError.of("branch", identity, known)
        raise UnknownNameError(
            f"nothing in {store.path} has the id {identity!r}; "
            "see `verbalrl runs`, `episodes`, `critiques`, `behaviors`, `beliefs`, `reflections`"
        )
    listed = ", ".join(item.id for item in found[:8])
    more = " and more" if len(found) > 8 else ""
    raise UnknownNameError(f"id {identity!r} is not unique; it may be: {listed}{more}")


def kind_of(item: Found | BranchRecord) -> str:
    """`run`, `episode`, `critique`, `lesson`, `branch`, `commit` or `decision`."""
    return type(item).__name__.removesuffix("Record").lower()


def _everything(store: Store, item: Found | BranchRecord) -> dict[str, Any]:
    kept = item.model_dump(mode="json")
    if isinstance(item, BranchRecord):
        kept["scopes"] = [
            {
                "scope": scope,
                "revision": store.revision(item.id, scope),
                "lessons": dict(Counter(lesson.status.value for lesson in lessons)),
            }
            for scope, lessons in _by_scope(store, item.id).items()
        ]
    if isinstance(item, Episode):
        if item.arm == SERVED:
            kept["served"] = store.served(item.id).model_dump(mode="json", exclude={"goal"})
            kept["feedback"] = [f.model_dump(mode="json") for f in store.feedback(item.id)]
        kept["critiques"] = [c.id for c in store.critiques_of(item.id)]
    if isinstance(item, Lesson):
        kept["proofs"] = [proof.model_dump(mode="json") for proof in store.proofs(item.id)]
        kept["history"] = [
            {"branch": branch, "revision": revision, "update": update.model_dump(mode="json")}
            for branch, revision, update in _history(store, item)
        ]
    return kept


def _tell(store: Store, item: Found | BranchRecord) -> None:
    match item:
        case BranchRecord():
            _tell_branch(store, item)
        case RunRecord():
            _tell_run(store, item)
        case Episode():
            critiques = store.critiques_of(item.id)
            tell_episode(item, critiques)
            if item.arm == SERVED:
                tell_served(store.served(item.id), store.feedback(item.id))
            for critique in critiques:
                tell_critique(critique)
        case Critique():
            tell_critique(item, fully=True)
        case Lesson():
            _tell_lesson(store, item)
        case Commit():
            tell_commit(item)
        case Decision():
            tell_decision(item)


def _tell_lesson(store: Store, lesson: Lesson) -> None:
    tell_lesson_fully(lesson)
    near, scopes = places(store, lesson.id), frozenset({lesson.scope})
    known = effects_on(store, near[0], scopes) if near and store.tossed(lesson.id) else {}
    said = caveat(store, store.branch(near[0]).run) if known else ""
    proofs = [(proof, caveat(store, proof.run)) for proof in store.proofs(lesson.id)]
    tell_effects(known.get(lesson.body.content, {}), proofs, said)
    for branch, revision, update in _history(store, lesson):
        say(f"branch {branch}, revision {revision}", indent=2)
        tell_update(update)


def _tell_run(store: Store, run: RunRecord) -> None:
    tell_run(run)
    for branch in store.branches(run.id):
        count = len(store.current_lessons(branch.id))
        if count:
            say(f"branch {branch.id}: {plural(count, 'lesson')}", indent=2)
        compared = [d for d in store.decisions(branch.id) if d.overlap is not None]
        for decision in compared[:_LISTED]:
            say(f"{decision.id}: {agreed(decision)}", indent=4)
        if len(compared) > _LISTED:
            say(f"and {len(compared) - _LISTED} more comparisons", indent=4)
    if run.result:
        say(RunResult(figures=ordered(run.result, run)).table(), hanging=2)


def _tell_branch(store: Store, branch: BranchRecord) -> None:
    """Where a branch stands, what it started from, and how to read its lessons."""
    heading(f"branch {branch.id}")
    if branch.run is None:
        say("of no run: serving reads it and learns on it; publish and advise write it", indent=2)
    else:
        run = store.run(branch.run)
        say(
            f"of {run.id}: {run.task} · {run.method}, arm {branch.arm}, seed {branch.seed}",
            indent=2,
        )
    if branch.parent is not None:
        pins = sorted(branch.pinned.items(), key=lambda pin: natural(pin[0]))
        listed = ", ".join(f"{scope} at revision {number}" for scope, number in pins[:_PINS])
        more = f" and {len(pins) - _PINS} more" if len(pins) > _PINS else ""
        say(f"started from {branch.parent}{': ' if pins else ''}{listed}{more}", indent=2)
    if not branch.learns:
        say("it reads what it started from, and takes no changes", indent=2)
    found = _by_scope(store, branch.id)
    for scope, lessons in list(found.items())[:_SCOPES]:
        revision = store.revision(branch.id, scope)
        count = f"{plural(len(lessons), 'lesson')}: {by_status(lessons)}"
        say(f"scope {scope}, revision {revision}: {count}", indent=2, hanging=2)
    if len(found) > _SCOPES:
        rest = sum(map(len, list(found.values())[_SCOPES:]))
        more = plural(len(found) - _SCOPES, "more scope")
        say(f"and {more} with {plural(rest, 'lesson')}", indent=2)
    if not found:
        say("it has no lessons yet", indent=2)
    for kind in dict.fromkeys(x.kind for lessons in found.values() for x in lessons):
        note(command(f"{kind}s", "--branch", branch.id, store=store.path))


def _by_scope(store: Store, branch: str) -> dict[str, list[Lesson]]:
    """All lessons that the branch reads, by scope."""
    found: dict[str, list[Lesson]] = {}
    for lesson in sorted(store.current_lessons(branch), key=lambda x: natural(x.scope)):
        found.setdefault(lesson.scope, []).append(lesson)
    return found


def _history(store: Store, lesson: Lesson) -> list[tuple[str, int, MemoryUpdate]]:
    """Every update that touched the lesson, by branch."""
    return [
        (branch.id, revision, update)
        for branch in store.branches()
        for revision, update in store.updates(branch.id, lesson.scope)
        if lesson.id == update.lesson or lesson.id in update.parents
    ]

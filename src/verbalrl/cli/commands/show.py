"""`verbalrl show ID`: anything that has an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...errors import UnknownNameError
from ...memory.measured import effects_on
from ...records import (
    SERVED,
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
from ..options import reader
from ..output import emit_json, plural, say
from ..reading import Found, as_it_is, find, opened
from ..telling import (
    agreed,
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


@click.command()
@click.argument("identity", metavar="ID")
@reader
def show(identity: str, store: Path, as_json: bool) -> None:
    """Show anything that has an id.

    A run, an episode with its trajectory, a critique, a lesson with its history, a commit or a
    decision. The start of an id will do where only one begins so.
    """
    with opened(store) as kept:
        item = _only(kept, identity)
        if as_json:
            emit_json({"kind": kind_of(item), **_everything(kept, item)})
        else:
            _tell(kept, item)


def _only(store: Store, identity: str) -> Found:
    found = find(store, identity)
    if len(found) == 1:
        item = found[0]
        if isinstance(item, RunRecord):
            return as_it_is(store, item)
        # A list leaves trajectories out.
        return (store.episode(item.id) or item) if isinstance(item, Episode) else item
    if not found:
        raise UnknownNameError(
            f"nothing in {store.path} has the id {identity!r}; "
            "see `verbalrl runs`, `episodes`, `critiques`, `behaviors`, `beliefs`, `reflections`"
        )
    listed = ", ".join(item.id for item in found[:8])
    more = " and more" if len(found) > 8 else ""
    raise UnknownNameError(f"id {identity!r} is not unique; it may be: {listed}{more}")


def kind_of(item: Found) -> str:
    """`run`, `episode`, `critique`, `lesson`, `commit` or `decision`."""
    return type(item).__name__.removesuffix("Record").lower()


def _everything(store: Store, item: Found) -> dict[str, Any]:
    kept = item.model_dump(mode="json")
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


def _tell(store: Store, item: Found) -> None:
    match item:
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
            tell_lesson_fully(item)
            home = store.home(item.id)
            scopes = frozenset({item.scope})
            known = effects_on(store, home, scopes) if home and store.tossed(item.id) else {}
            tell_effects(known.get(item.body.content, {}), store.proofs(item.id))
            for branch, revision, update in _history(store, item):
                say(f"branch {branch}, revision {revision}", indent=2)
                tell_update(update)
        case Commit():
            tell_commit(item)
        case Decision():
            tell_decision(item)


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
        say(RunResult(figures=run.result).table(), hanging=2)


def _history(store: Store, lesson: Lesson) -> list[tuple[str, int, MemoryUpdate]]:
    """Every update that touched the lesson, by branch."""
    return [
        (branch.id, revision, update)
        for branch in store.branches()
        for revision, update in store.updates(branch.id, lesson.scope)
        if lesson.id == update.lesson or lesson.id in update.parents
    ]

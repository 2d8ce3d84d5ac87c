"""Finding things in a store: which run, which branch, what an id means."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import click

from ..errors import UnknownNameError
from ..memory.changing import places
from ..records import (
    Commit,
    Critique,
    Decision,
    Episode,
    Lesson,
    LessonKind,
    RunRecord,
)
from ..store import MAIN as MAIN
from ..store import Source, Store, open_store, source_of
from ..store import as_it_is as as_it_is
from ..store import learned_branch as learned_branch

Found = RunRecord | Episode | Critique | Lesson | Commit | Decision


def opened(folder: Path) -> Store:
    """The store in `folder`, which must be there."""
    return open_store(folder)


def opened_new(folder: Path) -> Store:
    """The store in `folder`, made where there is none: whoever begins with files has none yet."""
    return open_store(folder, create=True)


def find_run(store: Store, prefix: str | None) -> RunRecord:
    """The run whose id begins with `prefix`; the latest one when none is named."""
    if prefix is not None:
        return store.run(prefix)
    runs = store.runs()
    if not runs:
        raise UnknownNameError("there is no run in this store yet; see `verbalrl run --help`")
    return runs[-1]


def branch_of(
    store: Store, branch: str | None, run: str | None, kind: LessonKind | None = None
) -> Source:
    """The branch asked for; else `main` if it has lessons, else what the latest run learned."""
    if branch is not None and run is not None:
        raise click.UsageError("give --branch or --run, not both")
    return source_of(store, branch, run, kind)


def find_lesson(store: Store, prefix: str) -> str:
    """The only lesson whose id begins with `prefix`."""
    return find_id(store, "lesson", prefix)


def find_id(store: Store, kind: str, prefix: str) -> str:
    """The only id of a `lesson`, an `episode` or a `critique` that begins with `prefix`."""
    found = store.ids_beginning(prefix)[f"{kind}s"] if prefix else []
    if prefix in found or len(found) == 1:
        return found[0]
    if found:
        listed, more = ", ".join(found[:8]), " and more" if len(found) > 8 else ""
        raise UnknownNameError(f"{kind} {prefix!r} is not unique; it may be: {listed}{more}")
    if kind == "episode" and (open_ := _open_episode(store, prefix)):
        raise _still_open(open_)
    look = "behaviors" if kind == "lesson" else f"{kind}s"
    raise UnknownNameError(
        f"no {kind} in {store.path} has the id {prefix!r}; see `verbalrl {look}`"
    )


def find_episode(store: Store, prefix: str) -> Episode:
    """The only episode whose id begins with `prefix`, with its trajectory."""
    found = store.episode(find_id(store, "episode", prefix))
    assert found is not None
    return found


def shown_lesson(store: Store, name: str, branch: str | None = None) -> Lesson | None:
    """The lesson as it is on `branch`, by default on the one that lists name, if it is there."""
    near = (branch,) if branch is not None else places(store, name)
    return store.lesson(name, branch=near[0]) if near else None


def check_scope(store: Store, branch: str, scope: str | None) -> None:
    """Raise `UnknownNameError` for a scope that is neither on the branch nor a task of a run."""
    if scope is not None:
        known = {*store.scopes(branch), *(run.task for run in store.runs())}
        check_known("scope", scope, known)


def check_instance(store: Store, run: str | None, instance: str | None) -> None:
    """Raise `UnknownNameError` where no episode, of `run` or of any, was of this instance."""
    if instance is None:
        return
    known = {e.instance for e in store.episodes(run=run, steps=False)}
    if not any(instance_matches(name, instance) for name in known):
        check_known("instance", instance, known)


def check_known(kind: str, value: str, known: Collection[str]) -> None:
    """Raise `UnknownNameError`, with close matches, where `value` is none of the `known`."""
    if value not in known:
        hint = "" if known else f"this store has no {kind} yet"
        raise UnknownNameError.of(kind, value, known, hint)


def instance_matches(instance: str, asked: str | None) -> bool:
    """True for the instance's id, and for the end of it: `train/3`, `3`."""
    return asked is None or instance == asked or instance.endswith(f"/{asked}")


def find(store: Store, identity: str) -> tuple[Found, ...]:
    """What has this id; else what begins with it, the first few of every kind."""
    if not identity:
        raise UnknownNameError("an empty text is no id; see `verbalrl runs`, `episodes`")
    getters = _getters(store)
    exact = [get(identity) for get in getters.values()]
    found = tuple(item for item in exact if item is not None)
    if found:
        return found
    begun = store.ids_beginning(identity)
    if not any(begun.values()) and (open_ := _open_episode(store, identity)):
        raise _still_open(open_)
    near = (getters[table](name) for table, names in begun.items() for name in names)
    return tuple(item for item in near if item is not None)


def _getters(store: Store) -> dict[str, Callable[[str], Found | None]]:
    """By table."""
    return {
        "runs": lambda i: store.run(i) if i in store.ids_beginning(i)["runs"] else None,
        "episodes": store.episode,
        "critiques": store.critique,
        "lessons": lambda i: shown_lesson(store, i),
        "commits": store.commit,
        "decisions": store.decision,
    }


def _still_open(name: str) -> UnknownNameError:
    return UnknownNameError(f"episode {name} is still open: it can be shown once it has ended")


def _open_episode(store: Store, identity: str) -> str | None:
    try:
        return store.served(identity).episode
    except UnknownNameError:
        return None

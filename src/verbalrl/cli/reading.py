"""Finding things in a store: which run, which branch, what an id means."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import click

from ..errors import StorageError, UnknownNameError
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
from .app import USAGE

Found = RunRecord | Episode | Critique | Lesson | Commit | Decision


class Unopened(click.ClickException):
    """The store cannot be opened: bad input, not a run that failed."""

    exit_code = USAGE


def opened(folder: Path) -> Store:
    """The store in `folder`, which must be there."""
    try:
        return open_store(folder)
    except StorageError as error:
        raise Unopened(str(error)) from error


def opened_new(folder: Path) -> Store:
    """The store in `folder`, made where there is none: whoever begins with files has none yet."""
    try:
        return open_store(folder, create=True)
    except StorageError as error:
        raise Unopened(str(error)) from error


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
    found = store.ids_beginning(prefix)["lessons"] if prefix else []
    if prefix in found or len(found) == 1:
        return found[0]
    if found:
        raise UnknownNameError(f"lesson {prefix!r} is not unique; it may be: {', '.join(found)}")
    raise UnknownNameError(f"no lesson in {store.path} has the id {prefix!r}; see `behaviors`")


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
        raise UnknownNameError(f"episode {open_} is still open: it can be shown once it has ended")
    near = (getters[table](name) for table, names in begun.items() for name in names)
    return tuple(item for item in near if item is not None)


def _getters(store: Store) -> dict[str, Callable[[str], Found | None]]:
    """By table."""
    return {
        "runs": lambda i: store.run(i) if i in store.ids_beginning(i)["runs"] else None,
        "episodes": store.episode,
        "critiques": store.critique,
        "lessons": store.lesson,
        "commits": store.commit,
        "decisions": store.decision,
    }


def _open_episode(store: Store, identity: str) -> str | None:
    try:
        return store.served(identity).episode
    except UnknownNameError:
        return None

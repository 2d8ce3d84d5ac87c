"""Finding things in a store: which run, which branch, what an id means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import StorageError, UnknownNameError
from ..records import (
    BranchRecord,
    Commit,
    Critique,
    Decision,
    Episode,
    Lesson,
    LessonKind,
    RunRecord,
)
from ..store import Store, open_store
from .app import USAGE

MAIN = "main"
Found = RunRecord | Episode | Critique | Lesson | Commit | Decision


class Unopened(click.ClickException):
    """The store cannot be opened: bad input, not a run that failed."""

    exit_code = USAGE


class Source(NamedTuple):
    """The branch that is read, and the reason."""

    branch: str
    why: str


def opened(folder: Path) -> Store:
    """The store in `folder`, which must be there."""
    try:
        return open_store(folder)
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


def as_it_is(store: Store, run: RunRecord) -> RunRecord:
    """`run`, with the status `interrupted` where the process that ran it is gone."""
    if run.status != "running" or run.id in store.living():
        return run
    return run.model_copy(update={"status": "interrupted"})


def branch_of(
    store: Store, branch: str | None, run: str | None, kind: LessonKind | None = None
) -> Source:
    """The branch asked for; else `main` if it has lessons, else what the latest run learned."""
    if branch is not None and run is not None:
        raise click.UsageError("give --branch or --run, not both")
    if branch is not None:
        return Source(store.branch(branch).id, "as asked")
    if run is None and store.current_lessons(MAIN, kind=kind):
        return Source(MAIN, "it has lessons")
    if run is None and not store.runs():
        return Source(MAIN, "there is no run yet")
    record = find_run(store, run)
    found = learned_branch(store, record)
    which = "latest run" if run is None else "as asked"
    return Source(found.id, f"{which}, arm {found.arm}, seed {found.seed}")


def learned_branch(
    store: Store, run: RunRecord, arm: str = "learned", seed: int | None = None
) -> BranchRecord:
    """The branch of an arm and seed of `run`; the first seed when none is named."""
    there = store.branches(run.id)
    for branch in there:
        if branch.arm == arm and seed in (None, branch.seed):
            return branch
    wanted = f"{run.id}/{arm}" + ("" if seed is None else f"/{seed}")
    raise UnknownNameError.of("branch", wanted, [b.id for b in there])


def instance_matches(instance: str, asked: str | None) -> bool:
    """True for the instance's id, and for the end of it: `train/3`, `3`."""
    return asked is None or instance == asked or instance.endswith(f"/{asked}")


def find(store: Store, identity: str) -> tuple[Found, ...]:
    """What has this id; else everything whose id begins with it."""
    exact = [get(identity) for get in _getters(store)]
    found = tuple(item for item in exact if item is not None)
    if found:
        return found
    return tuple(_beginning(store, identity))


def _getters(store: Store) -> tuple[Callable[[str], Found | None], ...]:
    return (
        lambda i: next((r for r in store.runs() if r.id == i), None),
        store.episode,
        store.critique,
        store.lesson,
        store.commit,
        store.decision,
    )


def _beginning(store: Store, prefix: str) -> Iterator[Found]:
    """Everything whose id begins with `prefix`, one read of each kind that it can be."""
    seen: set[str] = set()
    for lead, listed in _listings(store):
        if not (prefix.startswith(lead) or lead.startswith(prefix)):
            continue
        for item in listed():
            if item.id.startswith(prefix) and item.id not in seen:
                seen.add(item.id)
                yield item


def _listings(store: Store) -> tuple[tuple[str, Callable[[], Iterable[Any]]], ...]:
    branches = [branch.id for branch in store.branches()]
    return (
        ("run_", store.runs),
        ("ep_", lambda: store.episodes(steps=False)),
        ("cr_", store.critiques),
        ("le_", lambda: (le for b in branches for le in store.current_lessons(b))),
        ("", lambda: (d for b in branches for d in store.decisions(b))),
    )

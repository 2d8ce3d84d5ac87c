"""What was learned, as a person asks for it: by kind and scope, from the branch that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from ..errors import ConfigurationError, UnknownNameError
from ..ids import instance_scope
from ..records import SERVE, BranchRecord, Lesson, LessonKind, RunRecord, Status
from .tried import Tried

MAIN = "main"


class Source(NamedTuple):
    """The branch that is read, and the reason."""

    branch: str
    why: str


class Readable(Protocol):
    """What it takes to answer: a store."""

    def run(self, identity: str) -> RunRecord:
        """The run of that id."""

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, oldest first."""

    def branch(self, identity: str) -> BranchRecord:
        """The branch of that id."""

    def branches(self, run: str | None = None) -> tuple[BranchRecord, ...]:
        """The branches of a run, or all."""

    def current_lessons(
        self,
        branch: str,
        *,
        scope: str | None = None,
        kind: LessonKind | None = None,
        statuses: Iterable[Status] | None = None,
    ) -> tuple[Lesson, ...]:
        """Lessons as they are now."""


class Living(Protocol):
    """What tells whether a process still runs: a store."""

    def living(self) -> frozenset[str]:
        """The owners of leases that are held now."""

    def lives(self, token: str) -> bool:
        """Whether the holder of `token` still runs."""


class Readers(Tried):
    """The part of a store that people read lessons through."""

    def reflections(
        self: Readable,
        scope: str,
        *,
        branch: str | None = None,
        run: str | None = None,
        usable: bool = True,
    ) -> tuple[Lesson, ...]:
        """The reflections of a task, or of one of its instances.

        Args:
            scope: A task's id takes in its instances; an instance's scope is that one alone.
            branch: Read this branch; by default `main` if it has reflections, else what the latest
                run learned with its first seed.
            run: Read what this run learned, with its first seed.
            usable: False: also those that were retired, superseded or revoked, or wait.
        """
        return _lessons(self, LessonKind.REFLECTION, scope, (branch, run), usable)

    def behaviors(
        self: Readable,
        scope: str,
        *,
        branch: str | None = None,
        run: str | None = None,
        usable: bool = True,
    ) -> tuple[Lesson, ...]:
        """The behaviors of a task; arguments as for `reflections`."""
        return _lessons(self, LessonKind.BEHAVIOR, scope, (branch, run), usable)


def _lessons(
    store: Readable,
    kind: LessonKind,
    scope: str,
    asked: tuple[str | None, str | None],
    usable: bool,
) -> tuple[Lesson, ...]:
    found = store.current_lessons(source_of(store, *asked, kind).branch, kind=kind)
    return tuple(x for x in found if within(x, scope) and (x.usable or not usable))


def within(lesson: Lesson, scope: str) -> bool:
    """Whether a lesson is of exactly this scope, or a reflection on an instance of this task.

    Which instance it is about its evidence says; `toy` is not a task of `toy-v1/train/0`.
    """
    if lesson.scope == scope:
        return True
    return lesson.kind is LessonKind.REFLECTION and any(
        lesson.scope == instance_scope(scope, e.instance) for e in lesson.evidence
    )


def source_of(
    store: Readable, branch: str | None, run: str | None, kind: LessonKind | None = None
) -> Source:
    """The branch asked for; else `main` if it has lessons, else what the latest run learned.

    Of a run that only read (`--no-learn`) it is the branch that it started from, which takes
    changes. A run of controls alone, such as that of `selftest`, is passed over.

    Raises:
        ConfigurationError: Both are given.
        UnknownNameError: There is no such branch or run.
    """
    if branch is not None and run is not None:
        raise ConfigurationError("give a branch or a run, not both")
    if branch is not None:
        return Source(store.branch(branch).id, "as asked")
    if run is None and store.current_lessons(MAIN, kind=kind):
        return Source(MAIN, "it has lessons")
    runs = store.runs() if run is None else (store.run(run),)
    # What was recorded while serving is learned from on main.
    runs = tuple(r for r in runs if r.method != SERVE)
    if not runs:
        served = run is not None or bool(store.runs())
        return Source(MAIN, "it was served from there" if served else "there is no run yet")
    if run is None:
        return _latest(store, runs)
    found = learned_branch(store, runs[-1])
    return Source(found.id, f"as asked, arm {found.arm}, seed {found.seed}")


def _latest(store: Readable, runs: Sequence[RunRecord]) -> Source:
    """What the latest run learned, or started from where it only read."""
    for run in reversed(runs):
        own = next((b for b in store.branches(run.id) if b.arm == "learned"), None)
        found = None if own is None else learning(store, own)
        # What started from `main` reads lessons that `main` does not have.
        if own is None or found is None or found.id == MAIN:
            continue
        latest = "latest run" if run is runs[-1] else "latest run that learned"
        if found is own:
            return Source(own.id, f"{latest}, arm {own.arm}, seed {own.seed}")
        return Source(found.id, f"{run.id} started from it and learned nothing")
    return Source(MAIN, "no run has learned")


def learning(store: Readable, branch: BranchRecord) -> BranchRecord | None:
    """`branch`, or the nearest one that it started from which takes changes; None without one."""
    while not branch.learns:
        if branch.parent is None:
            return None
        branch = store.branch(branch.parent)
    return branch


def as_it_is(store: Living, run: RunRecord) -> RunRecord:
    """`run`, with the status `interrupted` where the process that ran or served it is gone."""
    if run.status != "running" or run.id in store.living():
        return run
    if run.method == SERVE and store.lives(str(run.config.get("token"))):
        return run
    return run.model_copy(update={"status": "interrupted"})


def learned_branch(
    store: Readable, run: RunRecord, arm: str = "learned", seed: int | None = None
) -> BranchRecord:
    """The branch of an arm and seed of `run`; the first seed when none is named."""
    there = store.branches(run.id)
    for branch in there:
        if branch.arm == arm and seed in (None, branch.seed):
            return branch
    wanted = f"{run.id}/{arm}" + ("" if seed is None else f"/{seed}")
    raise UnknownNameError.of("branch", wanted, [b.id for b in there])

"""How a person changes memory: under the leases of the branches, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from ..errors import ConfigurationError, UnknownNameError
from ..ids import key_id
from ..records import Commit, Lesson, MemoryUpdate
from ..store import LIVE, MAIN, Store, learning, source_of

Home = tuple[str, str]
"""A branch and a scope."""


def find(store: Store, lesson: str, branch: str | None = None) -> tuple[str, Lesson]:
    """The branch, by default the one that lists name, and the lesson as it is there.

    Raises:
        UnknownNameError: There is no such lesson on the branch.
        ConfigurationError: None is given, and several may be meant.
    """
    near = (branch,) if branch is not None else places(store, lesson)
    if len(near) > 1:
        raise ConfigurationError(
            f"lesson {lesson} is on {len(near)} branches; say which: --branch {' or '.join(near)}"
        )
    home = near[0] if near else None
    found = None if home is None else store.lesson(lesson, branch=store.branch(home).id)
    if home is None or found is None:
        place = store.path if branch is None else f"branch {branch}"
        look = "behaviors" if branch is None else f"show {lesson}"
        raise UnknownNameError(f"there is no lesson {lesson!r} in {place}; see `{look}`")
    return home, found


def places(store: Store, lesson: str) -> tuple[str, ...]:
    """The branches that a person may mean who names none: the one that lists name, if it has it.

    Else those of its arm that learn and have it, live if it is so anywhere, the oldest first.
    """
    home, found = store.home(lesson), store.lesson(lesson)
    if home is None or found is None:
        return ()
    if home == MAIN:
        return (MAIN,)  # it has lessons of the kind, so lists name it; there may be thousands
    named = source_of(store, None, None, found.kind).branch
    if store.lesson(lesson, branch=named) is not None:
        return (named,)
    arm = store.branch(home).arm
    near = [b.id for b in store.branches() if b.learns and b.arm == arm]
    there = {name: x for name in near if (x := store.lesson(lesson, branch=name)) is not None}
    live = tuple(name for name, x in there.items() if x.status in LIVE)
    return live or tuple(there)


def check_over(store: Store, branch: str) -> None:
    """Raise `ConfigurationError` where a branch does not learn or its run can still be resumed.

    A resumed run goes on from the memory that it left, and must find it so.
    """
    record = store.branch(branch)
    if not record.learns:
        start = learning(store, record)
        where = "" if start is None else f"; make the change on {start.id}, which it started from"
        raise ConfigurationError(f"branch {branch} does not learn{where}")
    run = record.run
    if run is not None and store.run(run).status != "done":
        raise ConfigurationError(
            f"run {run} can still be resumed, so its memory stays as it is until then; "
            "resume it first, or publish what it learned and review that on main"
        )


@contextmanager
def leased(store: Store, branches: Iterable[str], owner: str) -> Iterator[dict[str, int]]:
    """The fences of the leases of `branches`; raises `LeaseError` while another holds one."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(store.acquire_lease(name, owner)).fence
            for name in sorted(set(branches))
        }


def commits_of(
    store: Store, what: str, updates: Mapping[Home, Sequence[MemoryUpdate]]
) -> list[Commit]:
    """One commit for each branch and scope that has updates, on the revision it stands at."""
    made = []
    for (branch, scope), asked in sorted(updates.items()):
        if not asked:
            continue
        base = store.revision(branch, scope)
        key = [u.model_dump(mode="json") for u in asked]
        identity = key_id("op", what, branch, scope, base, key)
        made.append(
            Commit(id=identity, branch=branch, scope=scope, base=base, updates=tuple(asked))
        )
    return made

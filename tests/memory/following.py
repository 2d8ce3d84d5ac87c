"""A store with lessons and a Chroma index that follows it, for tests and their child processes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from verbalrl.memory import Recaller
from verbalrl.memory.following import Follower
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    BranchRecord,
    Commit,
    Guidance,
    GuidanceSpec,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    RunRecord,
    Status,
)
from verbalrl.store import Store, lesson_id, open_store

BRANCH, SCOPE = "r/learned/0", "t"
WORDS = ("refund", "password", "invoice", "parcel", "holiday", "printer", "garden", "violin")
PROMPTS = PromptLibrary()
NAMES = [f"topic{n}" for n in range(10)]
SPEC = GuidanceSpec(source="recall", scopes=(SCOPE,), budget=120)


def new_store(folder: Path) -> Store:
    store = open_store(folder, create=True)
    record = RunRecord(id="r", task=SCOPE, method="handbook", model="m", simulated=True, config={})
    store.create_run(record)
    store.create_branch(BranchRecord(id=BRANCH, run="r", arm="learned", seed=0))
    return store


def update(name: str) -> MemoryUpdate:
    """A lesson that the word `name` finds, and no other."""
    number = sum(map(ord, name))
    body = LessonBody(
        kind=LessonKind.BEHAVIOR,
        when=f"a customer asks about {name}",
        instruction=f"handle the {WORDS[number % 8]} by rule {name}",
    )
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=lesson_id(BRANCH, SCOPE, body, "cu"),
        body=body,
        trust=Origin.TASK,
        status=Status.PROVISIONAL,
    )


def commit(store: Store, *names: str, fence: int | None = None) -> None:
    base = store.revision(BRANCH, SCOPE)
    made = Commit(
        id=f"cu_{names[0]}",
        branch=BRANCH,
        scope=SCOPE,
        base=base,
        updates=tuple(map(update, names)),
    )
    if fence is not None:
        asyncio.run(store.put_commit(made, fence))
        return
    with store.acquire_lease(BRANCH, "test") as lease:
        asyncio.run(store.put_commit(made, lease.fence))


def purge(store: Store, name: str) -> None:
    base = store.revision(BRANCH, SCOPE)
    gone = MemoryUpdate(op=Operation.PURGE, lesson=update(name).lesson, trust=Origin.OPERATOR)
    made = Commit(id=f"pu_{name}", branch=BRANCH, scope=SCOPE, base=base, updates=(gone,))
    with store.acquire_lease(BRANCH, "test") as lease:
        asyncio.run(store.put_commit(made, lease.fence))


def recaller(store: Store, place: object) -> Recaller:
    """With an index that is asked also for small views."""
    made = Recaller(store, index=f"chroma:{place}")
    far(made).scan_below = 0
    return made


def far(made: Recaller) -> Follower:
    found = made.nearest.far
    assert found is not None
    return found


def asked_until_it_serves(made: Recaller, store: Store, about: str, seconds: float = 60.0) -> None:
    """Ask again and again until the index answers, or for so many seconds."""
    until = time.monotonic() + seconds
    ask(made, store, about)
    while far(made).reason and time.monotonic() < until:
        time.sleep(0.05)
        far(made).wait(1.0)
        ask(made, store, about)


def ask(made: Recaller, store: Store, about: str, budget: int = 120) -> Guidance:
    spec: dict[str, Any] = {"source": "recall", "scopes": (SCOPE,), "budget": budget}
    work = made.recall(
        store.lessons(BRANCH, SCOPE), (), GuidanceSpec(**spec), about, prompts=PROMPTS
    )
    return asyncio.run(work)


@contextmanager
def without_room(folder: Path) -> Iterator[None]:
    """Within, the state of an index cannot be written to the store in `folder`."""
    with closing(sqlite3.connect(folder / "verbalrl.db")) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON index_state"
            " BEGIN SELECT RAISE(FAIL, 'no room'); END"
        )
        yield
        other.execute("DROP TRIGGER full")

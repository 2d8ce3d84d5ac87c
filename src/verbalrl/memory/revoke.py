"""Revoking a lesson, a source, an episode or a critique, with all that stems from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ConfigurationError, UnknownNameError
from ..records import Episode
from ..store import Barred, Carried, Store, Tombstone
from .changing import Home, commits_of, leased
from .lineage import Memory, Target, trace
from .revocation import Revoked, revocation

_UNNAMED = (
    "no text in this store names one (a session does with `source=`); of an attempt, give its "
    "episode, see `episodes`"
)


class Revocation(NamedTuple):
    """What was taken out."""

    reason: str
    places: Mapping[Home, Revoked]
    """By branch and scope, where anything changed."""
    carried: tuple[Carried, ...]
    """The prompts that had carried what fell or was reverted."""
    ended: tuple[str, ...] = ()
    """Runs that can be resumed no more, because their memory has changed."""
    again: bool = False
    """Whether just this was revoked before."""


async def revoke(
    store: Store,
    *,
    lesson: str | None = None,
    source: str | None = None,
    episode: str | None = None,
    critique: str | None = None,
    end_runs: bool = False,
) -> Revocation:
    """Take out exactly one thing, and what stems from it, on every branch, in one transaction.

    A source, an episode or a critique stays barred: nothing that rests on it is stored any more.

    Args:
        store: Where.
        lesson: Its id; copies on other branches go with it.
        source: The name of an untrusted source.
        episode: Its id; so are the critiques that read it.
        critique: Its id.
        end_runs: Change also the memory of runs that could be resumed, which then cannot be.

    Raises:
        UnknownNameError: There is no such lesson, source, episode or critique.
        ConfigurationError: None or several are named, or a run can still be resumed.
        LeaseError: A run is at work on a branch that would change.
    """
    target, reason, stones = aim(
        store, lesson=lesson, source=source, episode=episode, critique=critique
    )
    before = {(stone.kind, stone.name) for stone in store.tombstones() if stone.what == "revoked"}
    again = (stones[0].kind, stones[0].name) in before
    fences: set[str] = set()
    while True:
        with leased(store, fences, "revoke") as held:
            whole = with_earlier(target, store.barred())
            memories = trace(store.lines(), store.branches(), whole)
            places = decided(memories, whole, reason)
            needed = {branch for branch, _ in places} - fences
            if needed:
                fences |= needed
                continue
            ended = _resumable(store, fences, end_runs)
            updates = {home: found.updates for home, found in places.items()}
            await store.put_commits(commits_of(store, "revoke", updates), held, stones=stones)
            for run in ended:
                store.update_run(run, status="done", stop_reason=f"its memory changed: {reason}")
        return Revocation(reason, places, carriers(store, memories, places), ended, again)


def decided(memories: Mapping[Home, Memory], target: Target, reason: str) -> dict[Home, Revoked]:
    """What becomes of each branch and scope, where anything does."""
    found = {home: revocation(memory, target, reason) for home, memory in memories.items()}
    return {home: made for home, made in sorted(found.items()) if made.updates}


def with_earlier(target: Target, barred: Barred) -> Target:
    """`target` and all that was revoked before: what is gone vouches for nothing."""
    return Target(
        lessons=target.lessons | barred.lessons,
        sources=target.sources | barred.sources,
        episodes=target.episodes | barred.episodes,
        critiques=target.critiques | barred.critiques,
    )


def aim(
    store: Store,
    *,
    lesson: str | None = None,
    source: str | None = None,
    episode: str | None = None,
    critique: str | None = None,
) -> tuple[Target, str, tuple[Tombstone, ...]]:
    """What is meant, in words too, and the tombstones that it leaves."""
    given = {"lesson": lesson, "source": source, "episode": episode, "critique": critique}
    named = {kind: name for kind, name in given.items() if name}
    if len(named) != 1:
        raise ConfigurationError("name one lesson, or one source, episode or critique")
    ((kind, name),) = named.items()
    reason = f"revoked: {kind} {name}"
    _check_there(store, kind, name)
    if kind == "lesson":
        stone = Tombstone("lesson", name, "revoked", reason)
        return Target(lessons=frozenset({name})), reason, (stone,)
    if kind == "source":
        stone = Tombstone("source", name, "revoked", reason)
        return Target(sources=frozenset({name})), reason, (stone,)
    if kind == "critique":
        stone = Tombstone("critique", name, "revoked", reason)
        return Target(critiques=frozenset({name})), reason, (stone,)
    read_by = frozenset(c.id for c in store.critiques() if name in c.episodes)
    target = Target(episodes=frozenset({name}), critiques=read_by)
    return target, reason, (Tombstone("episode", name, "revoked", reason),)


def _check_there(store: Store, kind: str, name: str) -> None:
    """Raise `UnknownNameError` for what the store does not have."""
    if kind == "source":
        if name not in (known := _sources(store)):
            raise UnknownNameError.of("source", name, known, "" if known else _UNNAMED)
        return
    there = {"lesson": store.home, "critique": store.critique, "episode": store.episode}
    if there[kind](name) is None:
        look = "behaviors" if kind == "lesson" else f"{kind}s"
        raise UnknownNameError(
            f"there is no {kind} {name!r} in {store.path}; see `verbalrl {look}`"
        )


def sources_in(episode: Episode) -> set[str]:
    """The sources that the texts of an attempt name."""
    steps = episode.trajectory.steps
    seen = [s.observation for s in steps] + [s.unreplaced for s in steps if s.unreplaced]
    if episode.trajectory.final is not None:
        seen.append(episode.trajectory.final)
    parts = [p for o in seen for p in o.parts] + [p for s in steps for p in s.action.parts]
    return {p.source for p in parts if p.source}


def _sources(store: Store) -> frozenset[str]:
    """All that anything here names as a source, or that is barred already."""
    cited = (e for line in store.lines() for e in line.update.evidence)
    behind = frozenset(source for evidence in cited for source in evidence.sources)
    found = behind | store.source_names() | store.barred().sources
    return found.union(*map(sources_in, store.episodes()))


def _resumable(store: Store, branches: set[str], end_runs: bool) -> tuple[str, ...]:
    runs = {store.branch(name).run for name in branches} - {None}
    waiting = sorted(run for run in runs if run and store.run(run).status != "done")
    if waiting and not end_runs:
        raise ConfigurationError(
            f"run {waiting[0]} can still be resumed and has lessons of it; resume it to its end "
            "first, or give up resuming it with --end-runs"
        )
    return tuple(waiting)


def carriers(
    store: Store, memories: Mapping[Home, Memory], places: Mapping[Home, Revoked]
) -> tuple[Carried, ...]:
    """The prompts that carried what fell, or a text that a reverted lesson had."""
    fallen = {name for made in places.values() for name in made.fallen}
    tainted: dict[str, set[int]] = {}
    for home, made in places.items():
        for name in made.reverted:
            texts = memories[home].tracks[name].texts
            tainted.setdefault(name, set()).update(t.number for t in texts if t.tainted)
    seen = store.carried(fallen | set(tainted), outcome="injected")
    return tuple(u for u in seen if u.lesson in fallen or u.version in tainted[u.lesson])


def foreseen(store: Store, lesson: str) -> Revocation:
    """What revoking `lesson` would take out, with nothing changed.

    Raises:
        UnknownNameError: There is no such lesson.
    """
    target, reason, _ = aim(store, lesson=lesson)
    whole = with_earlier(target, store.barred())
    memories = trace(
        store.lines_around(target.lessons), store.branches(), whole, homes=store.homes()
    )
    places = decided(memories, whole, reason)
    runs = {store.branch(branch).run for branch, _ in places} - {None}
    ending = tuple(sorted(run for run in runs if run and store.run(run).status != "done"))
    return Revocation(reason, places, carriers(store, memories, places), ending)

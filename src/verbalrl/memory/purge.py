"""Purging: what was said is erased, and what remains says only that there was something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import ConfigurationError
from ..records import Episode, MemoryUpdate, Operation, Origin
from ..store import Erase, Store, Tombstone, hashed
from .changing import Home, commits_of, leased
from .lineage import Memory, Target, trace
from .revocation import Revoked
from .revoke import aim, decided, with_earlier


class Purged(NamedTuple):
    """What is gone."""

    lessons: tuple[str, ...]
    episodes: tuple[str, ...]
    critiques: tuple[str, ...]


async def purge(
    store: Store,
    *,
    lesson: str | None = None,
    source: str | None = None,
    episode: str | None = None,
) -> Purged:
    """Erase one lesson, one episode, or all of a source, on every branch, in one transaction.

    A lesson goes with its copies, an episode with its steps, its journal and the critiques that
    read it; lessons that rest on nothing else go with them. The name of a source is kept as a hash.

    Raises:
        UnknownNameError: There is no such lesson or episode.
        ConfigurationError: None or several are named, or a run that has it can be resumed.
        LeaseError: A run is at work on a branch that would change.
    """
    target, reason, _ = aim(store, lesson=lesson, source=source, episode=episode)
    reason = "purged" if source else reason.replace("revoked", "purged", 1)
    episodes = _episodes(store, target)
    critiques = frozenset(
        c.id for c in store.critiques() if c.id in target.critiques or episodes & set(c.episodes)
    )
    target = Target(
        target.lessons, target.sources, target.episodes | episodes, target.critiques | critiques
    )
    fences: set[str] = set()
    while True:
        with leased(store, fences, "purge") as held:
            whole = with_earlier(target, store.barred())
            memories = trace(store.lines(), store.branches(), whole)
            places = decided(memories, whole, reason)
            named = _named_now(store, target)
            updates, gone, texts = _plan(memories, places, named, reason)
            needed = {branch for branch, _ in updates} - fences
            if needed:
                fences |= needed
                continue
            _check_done(store, fences, episodes)
            stones = _stones(source, gone, episodes, critiques)
            erased = Erase(frozenset(gone), episodes, critiques, frozenset(texts))
            made = commits_of(store, "purge", updates)
            await store.put_commits(made, held, stones=stones, erase=erased)
        return Purged(tuple(sorted(gone)), tuple(sorted(episodes)), tuple(sorted(critiques)))


def _named_now(store: Store, target: Target) -> set[str]:
    """The lessons that are purged by name, with their copies."""
    if not target.lessons:
        return set()
    memories = trace(store.lines(), store.branches(), Target(lessons=target.lessons))
    return {n for memory in memories.values() for n, t in memory.tracks.items() if t.named}


def _episodes(store: Store, target: Target) -> frozenset[str]:
    if not target.sources:
        return target.episodes
    served = {s.episode for s in store.all_served() if s.source in target.sources}
    return frozenset(e.id for e in store.episodes() if e.id in served or target.sources & _named(e))


def _named(episode: Episode) -> set[str]:
    """The sources that the attempt's texts name."""
    steps = episode.trajectory.steps
    seen = [s.observation for s in steps] + [s.unreplaced for s in steps if s.unreplaced]
    if episode.trajectory.final is not None:
        seen.append(episode.trajectory.final)
    parts = [p for o in seen for p in o.parts] + [p for s in steps for p in s.action.parts]
    return {p.source for p in parts if p.source}


def _plan(
    memories: Mapping[Home, Memory],
    places: Mapping[Home, Revoked],
    named: set[str],
    reason: str,
) -> tuple[dict[Home, list[MemoryUpdate]], set[str], set[tuple[str, str, int]]]:
    """The updates by home, the lessons that are erased, and single texts of others."""
    updates: dict[Home, list[MemoryUpdate]] = {}
    gone: set[str] = set()
    texts: set[tuple[str, str, int]] = set()
    for home, memory in memories.items():
        made = places.get(home, Revoked())
        dead = sorted({*(named & set(memory.tracks)), *made.fallen})
        asked = [*made.updates, *(_purge(n, reason) for n in dead if not memory.is_purged(n))]
        if asked:
            updates[home] = asked
        gone |= set(dead)
        for name in made.reverted:
            track = memory.tracks[name]
            texts |= {(home[0], name, t.number) for t in track.texts if t.tainted}
    return updates, gone, texts


def _purge(lesson: str, reason: str) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.PURGE, lesson=lesson, trust=Origin.OPERATOR, reason=reason, revokes=True
    )


def _check_done(store: Store, branches: Iterable[str], episodes: Iterable[str]) -> None:
    runs = {store.branch(name).run for name in branches}
    for name in episodes:
        episode = store.episode(name)
        runs.add(episode.run if episode is not None else None)
    for run in sorted(r for r in runs if r):
        if store.run(run).status != "done":
            raise ConfigurationError(
                f"run {run} can still be resumed and needs what would be erased; "
                "resume it to its end first"
            )


def _stones(
    source: str | None,
    lessons: Iterable[str],
    episodes: Iterable[str],
    critiques: Iterable[str],
) -> tuple[Tombstone, ...]:
    return (
        *([Tombstone("source", hashed(source), "purged")] if source else []),
        *(Tombstone("lesson", name, "purged") for name in lessons),
        *(Tombstone("episode", name, "purged") for name in episodes),
        *(Tombstone("critique", name, "purged") for name in critiques),
    )

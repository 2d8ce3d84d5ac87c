"""Purging: what was said is erased, and what remains says only that there was something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..errors import ConfigurationError
from ..records import MemoryUpdate, Operation, Origin, Status
from ..store import Erase, Store, Tombstone, hashed
from .changing import Home, commits_of, leased
from .lineage import Memory, Target, trace
from .revocation import Revoked
from .revoke import aim, decided, sources_in, with_earlier

Updates = dict[Home, list[MemoryUpdate]]
Texts = set[tuple[str, str, int]]
"""Branch, lesson and version."""
Traced = tuple[Mapping[Home, Memory], Target]
"""All lessons, and what taints them."""


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
    read it; lessons that rest on nothing else go with them, also those that were revoked before.
    The name of a source is kept as a hash.

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
            alone = trace(store.lines(), store.branches(), target)
            _add_revoked((memories, whole), (alone, target), reason, (updates, gone, texts))
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
    return frozenset(
        e.id for e in store.episodes() if e.id in served or target.sources & sources_in(e)
    )


def _plan(
    memories: Mapping[Home, Memory],
    places: Mapping[Home, Revoked],
    named: set[str],
    reason: str,
) -> tuple[Updates, set[str], Texts]:
    """The updates by home, the lessons that are erased, and single texts of others."""
    updates: Updates = {}
    gone: set[str] = set()
    texts: Texts = set()
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


def _add_revoked(
    whole: Traced, alone: Traced, reason: str, plan: tuple[Updates, set[str], Texts]
) -> None:
    """Add to `plan` what `revoke` had taken out and kept: revoked lessons, texts gone back from.

    `whole` is traced with all that was revoked before, `alone` with what is purged now: others'
    words stay.
    """
    (memories, barred), (traced, target) = whole, alone
    updates, gone, texts = plan
    for home, memory in traced.items():
        for name, track in memory.tracks.items():
            lesson, gained = memory.lessons[name], memories[home].tracks[name].gained
            if name in gone or memory.is_purged(name):
                continue
            hit = track.tainted or any(target.hits(e) or e in track.gained for e in lesson.evidence)
            rests = [e for e in lesson.evidence if not barred.hits(e) and e not in gained]
            if hit and lesson.status is Status.REVOKED and not rests:
                updates.setdefault(home, []).append(_purge(name, reason))
            elif not track.tainted:
                texts |= {(home[0], name, t.number) for t in track.texts if t.tainted}
    gone |= {u.lesson for made in updates.values() for u in made if u.op is Operation.PURGE}


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

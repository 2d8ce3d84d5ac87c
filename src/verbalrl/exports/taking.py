"""Rows of a message log as served episodes, which `learn` learns from like from any other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from ..ids import key_id
from ..models import clean
from ..records import (
    SERVE,
    SERVED,
    BranchRecord,
    Episode,
    EpisodeSpec,
    Feedback,
    Origin,
    RunRecord,
    Served,
    StopReason,
    Trajectory,
)
from ..serving import said_of
from ..serving.messages import Transcript, first_text
from ..store import Store
from .logs import Logged, Refused

IMPORTED = "import"
"""The source of what a row says without naming any, so that it can be revoked."""

_AHEAD = 64
_NAMED = 20


class Belief(NamedTuple):
    """What the person who imports a log vouches for."""

    sources: bool = False
    """The names of sources in it: cases of two of them may then confirm each other."""
    outcomes: bool = False
    """Outcomes and feedback in it are the operator's own word."""


class Case(NamedTuple):
    """One row, as the store takes it."""

    served: Served
    episode: Episode
    said: tuple[Feedback, str] | None
    """What the row says became of it, and the key under which that is said once."""


@dataclass(slots=True)
class Taken:
    """What became of the lines of a log."""

    run: str
    scope: str
    added: int = 0
    """Episodes that are new."""
    known: int = 0
    """Rows that were there already."""
    judged: int = 0
    """Rows, of both, that say what became of them."""
    refused: Counter[str] = field(default_factory=Counter)
    """Lines that are no rows, by reason."""
    lines: list[Refused] = field(default_factory=list)
    """The first of those."""


def take_log(store: Store, rows: Iterable[Logged | Refused], scope: str, belief: Belief) -> Taken:
    """Record `rows` as episodes of `scope`; a row that was recorded before changes nothing.

    A row that comes again with another outcome has that said of it too, as feedback that came late.

    Raises:
        StorageError: The store cannot be written.
    """
    done = Taken(run=key_id("serve", IMPORTED, scope), scope=scope)
    begun = False
    waiting: list[Future[bool]] = []
    for row in rows:
        if isinstance(row, Refused):
            done.refused[row.why] += 1
            if len(done.lines) < _NAMED:
                done.lines.append(row)
            continue
        if not begun and not store.ids_beginning(done.run)["runs"]:
            store.create_run(*_session(done.run, scope))
        begun = True
        case = case_of(row, done.run, scope, belief)
        done.judged += case.said is not None
        waiting.append(store.take_served(*case))
        if len(waiting) == _AHEAD:
            _count(done, waiting)
    _count(done, waiting)
    return done


def case_of(row: Logged, run: str, scope: str, belief: Belief) -> Case:
    """One row as an episode of `run`; the same row is the same episode, whatever else it says."""
    last = row.exchanges[-1]
    instance = clean(row.id)
    # As ASCII: what a log holds need not be valid Unicode.
    whole = json.dumps([last.request, last.reply], sort_keys=True)
    identity = key_id("ep", IMPORTED, scope, instance, whole)
    said_by = clean(row.source) if row.source else None
    # Names that nobody vouches for can be revoked, but confirm nothing: the goal then has none.
    named = said_by if belief.sources else said_by or IMPORTED
    transcript = Transcript(named, all_of_source=True)
    steps = tuple(transcript.add(e.request, e.reply) for e in row.exchanges if e.reply is not None)
    served = Served(
        episode=identity,
        run=run,
        scope=scope,
        instance=instance,
        source=said_by if belief.sources else None,
        goal=first_text(last.request),
    )
    episode = Episode(
        id=identity,
        run=run,
        arm=SERVED,
        seed=0,
        spec=EpisodeSpec(instance=instance),
        status="finished",
        terminated=True,
        stop_reason=StopReason.TERMINATED,
        trajectory=Trajectory(steps=steps),
    )
    return Case(served, episode, _said(row, identity, said_by, belief))


def _said(
    row: Logged, episode: str, source: str | None, belief: Belief
) -> tuple[Feedback, str] | None:
    if row.reward is None and row.success is None and not row.feedback.strip():
        return None
    origin = Origin.OPERATOR if belief.outcomes else Origin.UNTRUSTED
    named = None if belief.outcomes else source if belief.sources else source or IMPORTED
    said = said_of(
        episode,
        reward=row.reward,
        success=row.success,
        text=row.feedback,
        origin=origin,
        source=named,
    )
    told = json.dumps([origin.value, row.reward, row.success, row.feedback])
    return said, key_id("log", told)


def _session(run: str, scope: str) -> tuple[RunRecord, list[BranchRecord]]:
    """One run holds what was imported into a scope; it asks no model."""
    record = RunRecord(
        id=run,
        task=scope,
        method=SERVE,
        model="",
        simulated=False,
        config={"via": IMPORTED},
        status="done",
    )
    branch = BranchRecord(id=f"{run}/{SERVED}/0", run=run, arm=SERVED, seed=0, learns=False)
    return record, [branch]


def _count(done: Taken, waiting: list[Future[bool]]) -> None:
    """Wait until `waiting` is on the disk, and say what was new."""
    for future in waiting:
        new = future.result()
        done.added += new
        done.known += not new
    waiting.clear()

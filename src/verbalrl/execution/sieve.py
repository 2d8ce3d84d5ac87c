"""Reads a run from its rows, and finds what of it does not rest on a failure.

The lanes themselves are driven: what a lane is handed before it meets a failure is what a run
without the failure would have made too. A lane ends where it meets one, and so does its stream once
the round is over.
"""

from __future__ import annotations

from .._logging import get_logger
from ..lanes import Place, together
from ..methods import BEST_OF_N, LEARNED, growth
from ..records import (
    Commit,
    CompareEpisodes,
    Critique,
    CurateLessons,
    Decision,
    Episode,
    FreezeMemory,
    JudgeLessons,
    LaneKey,
    OpenRound,
    RunEpisode,
    SelectCandidate,
    SharedView,
    Usage,
    Work,
    WriteCritique,
)
from ..store.undoing import Kept
from .bench import Bench
from .retrying import failed
from .streams import streams_of

log = get_logger(__name__)


class Sieve(Bench):
    """A bench that does nothing: work without a row, or whose row is a failure, ends its lane."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.kit, bench.plan, bench.record)
        self._kept: dict[str, set[str]] = {}
        self._failed: dict[str, set[str]] = {}
        self._rounds: dict[str, int] = {}

    async def do(self, work: Work, place: Place, /) -> growth.Result | None:
        """The row of `work`; None where there is none, or it is a failure."""
        key, branch = work.id(place.lane), place.lane.branch
        found = self._row(work, key)
        if found is None:
            return None
        if failed(found):
            self._failed.setdefault(branch, set()).add(key)
            return None
        self._kept.setdefault(branch, set()).add(key)
        if isinstance(found, Episode):
            self.ledger.spent(place, sum(found.usage.values(), Usage()))
        elif not isinstance(found, Decision):
            self.ledger.spent(place, found.usage)
        return self._curated(found, place) if isinstance(found, Commit) else found

    async def pin(self, lane: LaneKey, number: int, opened: OpenRound, view: SharedView, /) -> None:
        """Note how many rounds were reached."""
        self._rounds[lane.branch] = number

    def _row(self, work: Work, key: str) -> Episode | Critique | Commit | Decision | None:
        store = self.kit.store
        match work:
            case RunEpisode():
                return store.episode(key)
            case WriteCritique():
                return store.critique(key)
            case CurateLessons() | JudgeLessons():
                return store.commit(key)
            case SelectCandidate() | CompareEpisodes() | FreezeMemory():
                return store.decision(key)

    def found(self) -> tuple[frozenset[str], dict[str, Kept]]:
        """The keys of failures, and by branch with such what stays of it."""
        stays = {
            branch: Kept(frozenset(self._kept.get(branch, ())), self._rounds.get(branch, 0))
            for branch in self._failed
        }
        # How much best_of_n samples rests on all that learned has spent.
        for lane, _ in self.plan.lanes(self.record.id):
            if lane.arm == BEST_OF_N and lane.replace(arm=LEARNED).branch in stays:
                stays[lane.branch] = Kept(frozenset(), 0)
        return frozenset().union(*self._failed.values()), stays


async def taken_back(bench: Bench) -> frozenset[str]:
    """Delete what rests on failures of the run of `bench`; the keys of these."""
    sieve = Sieve(bench)
    await together(streams_of(sieve))
    failures, stays = sieve.found()
    if stays:
        gone = await bench.kit.store.undo(stays)
        log.info("run.taken_back", run=bench.record.id, failures=len(failures), episodes=gone)
    return failures

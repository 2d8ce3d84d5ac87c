"""How beliefs changed by round, from what the store has of a run; pure but for `read_beliefs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from ..records import Decision, Episode, LessonKind, Operation, Overlap, RoundRecord
from ..result.beliefs import BeliefRound
from ..store import Line, Store
from .tables import Cell, Table

_COMES = {Operation.ADD: "added", Operation.RESTORE: "added"}
_CHANGES = {
    Operation.REVISE: "revised",
    Operation.MERGE: "revised",
    Operation.SUPERSEDE: "revised",
}
_GOES = {
    Operation.RETIRE: "retired",
    Operation.REVOKE: "retired",
    Operation.PURGE: "retired",
    Operation.SUSPEND: "retired",
}
_WORDS = _COMES | _CHANGES | _GOES


class Edits(NamedTuple):
    """What the rounds of one branch did."""

    counts: dict[int, Counter[str]]
    """By round: added, revised, retired."""
    held: dict[int, int]
    overlap: dict[int, float]


def read_beliefs(
    store: Store, branches: Sequence[str], episodes: Iterable[Episode]
) -> tuple[BeliefRound, ...]:
    """The rounds of `branches`, which learn side by side, the mean over them; none without beliefs.

    Branches are seeds of one arm. `episodes` say of which round an episode is.
    """
    of_round = {episode.id: episode.spec.round for episode in episodes}
    found = [
        edits(
            store.lines(branch=branch),
            store.rounds(branch),
            overlaps(store.decisions(branch), of_round),
        )
        for branch in branches
    ]
    told = [one for one in found if any(count.total() for count in one.counts.values())]
    numbers = sorted({number for one in told for number in one.counts})
    return tuple(_mean(number, told) for number in numbers)


def edits(
    lines: Iterable[Line], rounds: Iterable[RoundRecord], agreed: Mapping[int, float]
) -> Edits:
    """What each training round did to the beliefs of a branch.

    A round pins a revision as it opens; what comes between that and the next one is its own.
    """
    trained = [r for r in rounds if not r.opened.evaluate]
    counts: dict[int, Counter[str]] = {r.number: Counter() for r in trained}
    held: dict[int, int] = {}
    beliefs: set[str] = set()
    living: set[str] = set()
    for line in lines:
        update = line.update
        if update.body is not None and update.body.kind is LessonKind.BELIEF:
            beliefs.add(update.lesson)
        word = _WORDS.get(update.op)
        if word is None or update.lesson not in beliefs:
            continue
        living -= {*update.parents, update.lesson}
        if update.op not in _GOES:
            living.add(update.lesson)
        number = max(
            (r.number for r in trained if r.pinned.get(line.scope, 0) < line.revision), default=0
        )
        if number:
            counts[number][word] += 1
            held[number] = len(living)
    last = 0
    for number in sorted(counts):
        last = held.setdefault(number, last)
    return Edits(counts, held, dict(agreed))


def overlaps(decisions: Iterable[Decision], of_round: Mapping[str, int]) -> dict[int, float]:
    """By round, the share of decisions that equal those of the round before, over all instances."""
    sums: dict[int, Overlap] = {}
    for decision in decisions:
        # The later one of those compared stands last.
        number = of_round.get(decision.episodes[-1]) if decision.episodes else None
        if number is not None and decision.overlap is not None:
            sums[number] = sums.get(number, Overlap()) + decision.overlap
    shares = {number: found.share() for number, found in sums.items()}
    return {number: share for number, share in shares.items() if share is not None}


def beliefs_table(found: Sequence[BeliefRound]) -> Table:
    """The data of the plot of beliefs."""
    rows: list[tuple[Cell, ...]] = [
        (
            r.number,
            *(_count(value) for value in (r.added, r.revised, r.retired, r.held)),
            None if r.overlap is None else f"{r.overlap:.1%}",
        )
        for r in found
    ]
    return Table(
        name="beliefs",
        caption="What each training episode did to the beliefs, the mean over seeds; overlap: "
        "decisions that were those of the episode before",
        heads=("episode", "added", "revised", "retired", "held", "overlap"),
        rows=tuple(rows),
    )


def _mean(number: int, found: Sequence[Edits]) -> BeliefRound:
    there = [one for one in found if number in one.counts]
    shares = [one.overlap[number] for one in there if number in one.overlap]
    added, revised, retired = (
        fmean(one.counts[number][word] for one in there) for word in ("added", "revised", "retired")
    )
    return BeliefRound(
        number=number,
        added=added,
        revised=revised,
        retired=retired,
        held=fmean(one.held[number] for one in there),
        overlap=fmean(shares) if shares else None,
    )


def _count(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 2)

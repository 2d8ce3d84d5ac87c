"""The step size of beliefs: of two runs that agree on much, little is changed. Pure.

FinCon (Yu et al. 2024, arXiv 2407.06567, section 3.3) likens the overlap of two runs' decisions to
a learning rate. At most 1 - overlap of the lines may change; at least one always may.
"""

from __future__ import annotations

from ..records import (
    Commit,
    CurateLessons,
    Lesson,
    MemoryUpdate,
    Objection,
    Operation,
    bound_of_step,
)

_MAKES = (Operation.ADD, Operation.RESTORE)
_REPLACES = (Operation.REVISE, Operation.RETIRE)
_JOINS = (Operation.MERGE, Operation.SUPERSEDE)


def within_step(
    commit: Commit, lessons: tuple[Lesson, ...], work: CurateLessons
) -> Objection | None:
    """Objects to a commit that changes more lines than `work.overlap` allows.

    What is left of it where it is refused twice: the changes with most evidence, up to the bound.
    """
    lines = sum(x.usable and x.kind is work.kind for x in lessons)
    most = bound_of_step(lines, work.overlap)
    asked = sum(map(_cost, commit.updates))
    if most is None or asked <= most:
        return None
    why = (
        f"{asked} of {lines} belief lines would change, and at most {most} may: the two runs "
        f"agreed on {work.overlap:.0%} of the decisions; keep the changes with most evidence"
    )
    return Objection(why=why, kept=_repaired(commit, most, max(0, work.max_lessons - lines)))


def _cost(update: MemoryUpdate) -> int:
    """How many lines `update` changes."""
    if update.op in _JOINS:
        return max(1, len(update.parents))
    return int(update.op in (*_MAKES, *_REPLACES))


def _names(update: MemoryUpdate) -> set[str]:
    return {update.lesson, *update.parents}


def _repaired(commit: Commit, most: int, room: int) -> Commit:
    """The changes with most evidence, of equal ones the first, and what changes no line.

    What changes a line that the same commit has made or changed before stays only with that.
    """
    changes = [(n, u) for n, u in enumerate(commit.updates) if _cost(u)]
    needs = {n: {m for m, b in changes if m < n and _names(b) & _names(u)} for n, u in changes}
    changes.sort(key=lambda item: (-len(item[1].evidence), item[0]))
    kept: set[int] = set()
    for n, update in changes:
        adds = update.op in _MAKES
        if needs[n] <= kept and _cost(update) <= most and (room or not adds):
            kept.add(n)
            most -= _cost(update)
            room -= adds
    gone = {name for n, u in changes if n not in kept for name in _names(u)}
    return commit.replace(
        updates=tuple(
            u
            for n, u in enumerate(commit.updates)
            if n in kept or not (_cost(u) or gone & _names(u))
        )
    )

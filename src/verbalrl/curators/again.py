"""What a curator's first answer is still worth when it was asked again: pure.

It is asked for the whole list, yet often gives only what it mended. What it was not asked to mend
still stands, and what it gave up is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ids import normalised
from .apply import title
from .desk import Desk, complaint, completed
from .schema import OperationReply


@dataclass(frozen=True, slots=True)
class Left:
    """What the second answer leaves of the first."""

    kept: tuple[OperationReply, ...] = ()
    """Operations that the second answer does not touch; faulty ones are rejected when settled."""
    replaced: tuple[str, ...] = ()
    """Faultless ones in whose place the second answer has put something else, with the reason."""


def left_of(first: Sequence[OperationReply], second: Sequence[OperationReply], desk: Desk) -> Left:
    """What is left of the operations `first` beside those of `second`."""
    later = [completed(op, desk) for op in second]
    kept: list[OperationReply] = []
    replaced: list[str] = []
    for given in first:
        op = completed(given, desk)
        if not any(_touches(x, op) for x in later):
            kept.append(given)
        elif not complaint(given, desk) and not any(_same(x, op) for x in later):
            replaced.append(f"{title(op)}: replaced when it was asked again")
    return Left(tuple(kept), tuple(replaced))


def _touches(later: OperationReply, op: OperationReply) -> bool:
    """True when the two are about the same lesson, proposal, or text."""
    if set(later.lessons) & set(op.lessons) or set(later.proposals) & set(op.proposals):
        return True
    if later.op != op.op or later.lessons or op.lessons:
        return False
    pairs = ((later.name, op.name), (later.instruction, op.instruction))
    return any(normalised(b) and normalised(a) == normalised(b) for a, b in pairs)


def _same(later: OperationReply, op: OperationReply) -> bool:
    return _key(later) == _key(op)


def _key(op: OperationReply) -> tuple[object, ...]:
    texts = (normalised(text) for text in (op.when, op.when_not, op.instruction))
    return (op.op, frozenset(op.lessons), *texts)

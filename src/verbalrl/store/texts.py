"""The texts in updates: which of them a lesson had, and what is left of one without its text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..records import LessonBody, MemoryUpdate, Operation
from .reduce import is_copy
from .trust import REWRITES


class Text(NamedTuple):
    """A text that a lesson had."""

    version: int
    body: LessonBody
    n: int
    """The number of the update that made it."""


def texts_of(updates: Iterable[tuple[int, MemoryUpdate]]) -> list[Text]:
    """The texts that a lesson had, from its updates on one branch with their numbers, in order.

    A purged lesson has none.
    """
    found: list[Text] = []
    version = 0
    for n, update in updates:
        body = update.body
        if update.op is Operation.PURGE:
            return []
        if is_copy(update) and update.snapshot is not None:
            version, body = update.snapshot.version, update.snapshot.body
        elif body is not None and (update.op in REWRITES or update.op is Operation.ADD):
            version += 1
        else:
            continue
        found.append(Text(version, body, n))
    return found


def blanked(update: MemoryUpdate, *, merged: bool = False) -> MemoryUpdate:
    """What remains of an update once its lesson is purged: that it was, and not what it said.

    `merged`: what it rests on stays, because a lesson that was merged with it rests on that too.
    """
    body = None if update.body is None else LessonBody(kind=update.body.kind)
    changes: dict[str, Any] = {"body": body, "reason": ""}
    gone = {} if merged else {"evidence": (), "without": ()}
    if update.snapshot is not None:
        said = {
            "body": LessonBody(kind=update.snapshot.kind),
            **({} if merged else {"evidence": ()}),
        }
        changes["snapshot"] = update.snapshot.model_copy(update=said)
    return update.model_copy(update=changes | gone)

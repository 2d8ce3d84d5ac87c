"""The lessons of a scope as its newest update left them: a commit need not read them again.

A head is named by the number of that update. Numbers never repeat, and only updates change lessons:
where the number in the file is another, whoever wrote it, the head is out of date and not used.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..records import Lesson
from .trust import LIVE


class Head(NamedTuple):
    """The lessons of a scope of a branch after one update."""

    n: int
    """The number of the update."""
    lessons: Mapping[str, Lesson]
    """By id, in the order (born, position)."""
    owners: Mapping[str, str] | None
    """By content, the id of the live lesson that says it; None where that is not known."""


class Heads:
    """Heads by (branch, scope); the least recently used go."""

    def __init__(self, size: int = 256, lessons: int = 1 << 15) -> None:
        self._size, self._most = size, lessons
        self._kept: OrderedDict[tuple[str, str], Head] = OrderedDict()
        self._count = 0
        """Of lessons in all heads."""
        self._lock = threading.Lock()

    def get(self, branch: str, scope: str, n: int) -> Head | None:
        """The head of a scope whose newest update has number `n`, if it is kept."""
        with self._lock:
            found = self._kept.get((branch, scope))
            if found is None or found.n != n:
                return None
            self._kept.move_to_end((branch, scope))
            return found

    def put(self, branch: str, scope: str, head: Head) -> None:
        """Keep the head that a commit left, once it is durable."""
        with self._lock:
            self._drop((branch, scope))
            self._kept[branch, scope] = head
            self._count += len(head.lessons)
            while len(self._kept) > self._size or (self._kept and self._count > self._most):
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._count = 0

    def _drop(self, key: tuple[str, str]) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._count -= len(gone.lessons)


def owners_of(lessons: Iterable[Lesson]) -> dict[str, str] | None:
    """By content, which live lesson says it; None where two say the same."""
    return owners_after({}, (), lessons)


def owners_after(
    owners: Mapping[str, str], before: Iterable[Lesson | None], after: Iterable[Lesson]
) -> dict[str, str] | None:
    """Who says what once lessons were changed; None where two live ones say the same then."""
    found = dict(owners)
    for old in before:
        if old is not None and old.status in LIVE:
            del found[old.body.content]
    for lesson in after:
        content = lesson.body.content if lesson.status in LIVE else ""
        if content and found.setdefault(content, lesson.id) != lesson.id:
            return None
    return found

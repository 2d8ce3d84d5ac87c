"""What figures and lists need of very many rows, read as columns: no record is made of any."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from ..records import Lesson, Split, Status
from . import lessons, runs
from .lessons import Cache
from .rows import load, where

T = TypeVar("T")

# Whoever was cut short has not succeeded, as in `result.judged`: without a judgement only where the
# task judges others, or before the first action.
_FAILED = """
(e.status <> 'finished' OR (json_extract(e.body, '$.truncated') AND (
  EXISTS (SELECT 1 FROM episodes o WHERE o.run = e.run AND o.purpose = 'attempt'
    AND o.success IS NOT NULL)
  OR NOT EXISTS (SELECT 1 FROM steps s WHERE s.episode = e.id))))"""
_SOLVED = f"""
SELECT instance, seed, max(success IS 1 AND status = 'finished' AND trial <= ?4) + 0.0
FROM (SELECT e.seed, e.instance, e.trial, e.success, e.status,
    CASE WHEN e.success IS NOT NULL THEN 1 ELSE coalesce({_FAILED}, 0) END known
  FROM episodes e WHERE e.run = ?1 AND e.arm = ?2 AND e.purpose = 'attempt' AND e.split = ?3)
GROUP BY seed, instance
HAVING max(known) AND (max(known AND trial <= ?4) OR NOT max(NOT known AND trial <= ?4))"""

# Where success is always known, the index has all that it takes. Whether it was solved, and with 2
# that this is not known, are one number: of a hundred thousand rows each aggregate takes its time.
_KNOWN = """
SELECT instance, seed, max(CASE WHEN status <> 'finished' THEN 0 WHEN success IS NULL THEN 2
  WHEN trial <= ?4 THEN success ELSE 0 END) + 0.0
FROM episodes WHERE run = ?1 AND arm = ?2 AND purpose = 'attempt' AND split = ?3
GROUP BY seed, instance"""
_UNKNOWN = 2


class Words(NamedTuple):
    """What a lesson says."""

    when: str
    when_not: str
    instruction: str


class Place(NamedTuple):
    """What a lesson is sorted and found by, without its body."""

    id: str
    scope: str
    kind: str
    name: str
    words: Words
    content: str
    born: int
    position: int


class Columned(Protocol):
    """What the mixin stands on: a store."""

    _cache: Cache

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class Columns:
    """The part of a store that is read as columns."""

    def solved(
        self: Columned, run: str, arm: str, split: Split, trial: int
    ) -> dict[tuple[str, int], float]:
        """1 or 0 by (instance, seed): solved at or before `trial`, as `result.solved_by` has it."""
        asked = (run, arm, split, trial)

        def read(c: sqlite3.Connection) -> dict[tuple[str, int], float]:
            found = {(instance, seed): value for instance, seed, value in c.execute(_KNOWN, asked)}
            if _UNKNOWN in found.values():
                rows = c.execute(_SOLVED, asked)
                return {(instance, seed): value for instance, seed, value in rows}
            return found

        return self._read(read)

    def said(self: Columned, branch: str, statuses: Sequence[Status]) -> tuple[Words, ...]:
        """What the lessons of a branch said when its run ended, in the order of `current_lessons`.

        What people did since is left out, but for what was erased.
        """

        def read(c: sqlite3.Connection) -> tuple[Words, ...]:
            found: list[Words] = []
            left = _left(c, branch)
            for scope in lessons.scopes(c, branch):
                if scope not in left and lessons.owns(c, branch, scope):
                    found += _said(c, branch, scope, statuses)
                    continue
                for x in lessons.lessons(c, self._cache, branch, scope, left.get(scope)):
                    if x.status in statuses:
                        found.append(Words(x.when, x.when_not, x.instruction))
            return tuple(found)

        return self._read(read)

    def places(self: Columned, branch: str, asked: Mapping[str, str | None]) -> tuple[Place, ...]:
        """The branch's own lessons by kind, status and trust, in the order of `current_lessons`.

        What it reads through from its parent is there.
        """
        clause, arguments = where({"branch": branch, **asked})
        sql = (
            "SELECT id, scope, kind, name, when_text, when_not, instruction, content, born,"
            f" position FROM lessons{clause} ORDER BY scope, born, position, id"
        )
        rows = self._read(lambda c: c.execute(sql, arguments).fetchall())
        return tuple(
            Place(i, scope, kind, name, Words(*words), content, born, position)
            for i, scope, kind, name, *words, content, born, position in rows
        )

    def lessons_of(self: Columned, branch: str, wanted: Sequence[Place]) -> tuple[Lesson, ...]:
        """The branch's own lessons at these places, in this order."""
        sql = "SELECT body FROM lessons WHERE branch = ? AND scope = ? AND id = ?"
        rows = self._read(
            lambda c: [c.execute(sql, (branch, x.scope, x.id)).fetchone() for x in wanted]
        )
        return tuple(load(Lesson, row[0]) for row in rows if row is not None)


def _left(connection: sqlite3.Connection, branch: str) -> dict[str, int]:
    """By scope that people have changed since, the revision at which the run left it."""
    pinned = runs.branch(connection, branch).pinned
    rows = connection.execute(
        "SELECT scope, MAX(CASE WHEN substr(id, 1, 3) IN ('op_', 'im_') THEN 0 ELSE revision END)"
        " AS own, MAX(revision) AS newest FROM commits WHERE branch = ? AND revision > base"
        " GROUP BY scope HAVING own < newest",
        (branch,),
    )
    return {scope: own or pinned.get(scope, 0) for scope, own, _ in rows}


def _said(
    connection: sqlite3.Connection, branch: str, scope: str, statuses: Sequence[Status]
) -> list[Words]:
    marks = ", ".join("?" * len(statuses))
    rows = connection.execute(
        "SELECT when_text, when_not, instruction FROM lessons WHERE branch = ? AND scope = ?"
        f" AND status IN ({marks}) ORDER BY born, position, id",
        (branch, scope, *statuses),
    )
    return list(map(Words._make, rows))

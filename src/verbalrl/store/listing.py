"""Lists as a reader pages through them: filtered, sorted and cut by the database.

Every name of a column or an order comes from this file; what a caller gives is a bound value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ..errors import ConfigurationError
from ..records import Critique, Episode, Lesson, Purpose, Usage
from . import episodes, finding, journal, lessons, runs
from .lessons import Cache
from .rows import load, normalise_if_needed, page
from .runs import RunHead

T = TypeVar("T")
R = TypeVar("R")

# `train/10` comes after `train/9`; `text.natural` says the same of names that end in a number. Of
# numbers inside names it says more: called back by SQLite, for every comparison (25 × the time of
# this) or once for every row (12 ×), it would take a list of 100,000 past 300 ms.
_INSTANCE = "rtrim({0}instance, '0123456789'), length({0}instance), {0}instance"
EPISODE_SORTS: Mapping[str, str] = {
    "lane": f"run, arm, seed, {_INSTANCE.format('')}, trial, candidate, purpose",
    "reward": "reward DESC, seq",
    "worst": "reward, seq",
    "new": "seq DESC",
    "old": "seq",
}
CRITIQUE_SORTS: Mapping[str, str] = {
    "lane": f"c.branch, {_INSTANCE.format('c.')}, c.trial, c.template, c.sample",
    "new": "c.seq DESC",
    "old": "c.seq",
}
_SUPPORT = "coalesce(json_extract(body, '$.votes.support'), json_array_length(body, '$.evidence'))"
LESSON_SORTS: Mapping[str, str] = {
    "status": "instr('active provisional quarantined superseded retired revoked purged', status),"
    f" {_SUPPORT} DESC, born, position",
    "support": f"{_SUPPORT} DESC, born, position",
    "new": "born DESC, position DESC",
    "old": "born, position",
    "name": "name COLLATE NOCASE, when_text COLLATE NOCASE",
}
_OUTCOMES: Mapping[str, str] = {
    "solved": "success = 1",
    "failed": "success = 0 AND status = 'finished'",
    "unknown": "success IS NULL AND status = 'finished'",
    "error": "status <> 'finished'",
    "not-solved": "(success = 0 OR status <> 'finished')",
}
OUTCOMES = tuple(_OUTCOMES)
"""How episodes may be filtered by how they went."""


class UseCounts(NamedTuple):
    """Of one lesson, in episodes."""

    injected: int = 0
    """That carried it."""
    solved: int = 0
    """Of these."""
    left_out: int = 0
    """That were to do without it."""
    simulated: int = 0
    """Of those that carried it, in runs with a simulated model."""
    simulated_solved: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some of the rows that match, and how many match in all."""

    rows: tuple[R, ...]
    total: int
    offset: int = 0

    @property
    def after(self) -> int | None:
        """Where the next page begins; None on the last one."""
        end = self.offset + len(self.rows)
        return end if end < self.total else None


class Group(NamedTuple):
    """The episodes of one arm and seed, counted."""

    arm: str
    seed: int
    episodes: int
    solved: int
    errors: int
    instances: int


class Listed(Protocol):
    """What the mixin stands on: a store."""

    _cache: Cache

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class Lists:
    """The part of a store that is paged through."""

    def episode_page(
        self: Listed,
        asked: Mapping[str, Any],
        *,
        outcome: str | None = None,
        sort: str = "lane",
        limit: int | None = None,
        offset: int = 0,
    ) -> Page[Episode]:
        """Episodes without their steps.

        Args:
            asked: Conditions by column: run, arm, seed, purpose, trial; `instance` may be the end
                of an id, such as `train/3`.
            outcome: One of `OUTCOMES`.
            sort: One of `EPISODE_SORTS`.
            limit: None: all.
            offset: How many are left out before.
        """
        clause, arguments = _episodes_where(asked, outcome)
        order = _order(EPISODE_SORTS, sort)
        few = _few("episodes e", "e.seq", clause, order, (limit, offset))
        sql = f"SELECT id, reward, components, body {few}"

        def read(c: sqlite3.Connection) -> Page[Episode]:
            total = _count(c, f"FROM episodes{clause}", arguments)
            rows = c.execute(sql, arguments)
            return Page(tuple(episodes.bare(*row) for row in rows), total, offset)

        return self._read(read)

    def is_long(self: Listed, episode: str) -> bool:
        """Whether an episode has more steps, or more in them, than are read in a moment."""
        return self._read(lambda c: episodes.is_long(c, episode))

    def bill(self: Listed, run: str) -> tuple[Usage, Usage]:
        """What a run's answered calls took, whatever became of their owners.

        First those whose cost is known, then those without one.
        """
        return self._read(lambda c: journal.bill(c, run))

    def groups(self: Listed, run: str, purpose: Purpose = "attempt") -> tuple[Group, ...]:
        """The episodes of one purpose of a run by arm and seed."""
        sql = (
            "SELECT arm, seed, count(*), count(*) FILTER (WHERE success = 1),"
            " count(*) FILTER (WHERE status <> 'finished'), count(DISTINCT instance)"
            " FROM episodes WHERE run = ? AND purpose = ?"
            " GROUP BY arm, seed ORDER BY min(seq)"
        )
        rows = self._read(lambda c: c.execute(sql, (run, purpose)).fetchall())
        return tuple(Group._make(row) for row in rows)

    def critique_page(
        self: Listed,
        asked: Mapping[str, Any],
        *,
        text: str = "",
        sort: str = "lane",
        limit: int | None = None,
        offset: int = 0,
        counted: bool = True,
    ) -> Page[Critique]:
        """Critiques by branch, run, status or the end of an instance, that say all words of `text`.

        `sort` is one of `CRITIQUE_SORTS`. Not counted, `total` says no more than whether there is a
        next page: then a search ends with the rows of this one.
        """
        named = {f"c.{k}": v for k, v in asked.items() if k != "run"}
        of_run = [(_OF_RUN, (asked["run"],))] if asked.get("run") is not None else []
        clause, arguments = _where(named, [*of_run, *_said(text)])
        order = _order(CRITIQUE_SORTS, sort)
        source = f"FROM critiques c{clause}"

        def read(c: sqlite3.Connection) -> Page[Critique]:
            total = _count(c, source, arguments) if counted else None
            more = limit if limit is None or counted else limit + 1
            few = _few("critiques c", "c.seq", clause, order, (more, offset))
            bodies = [body for (body,) in c.execute(f"SELECT c.body {few}", arguments)]
            whole = offset + len(bodies) if total is None else total
            return Page(tuple(load(Critique, body) for body in bodies[:limit]), whole, offset)

        return self._read(read)

    def ids_beginning(self: Listed, prefix: str, limit: int = 9) -> dict[str, list[str]]:
        """By table, the first ids of runs, episodes, critiques, lessons and so on."""
        return self._read(lambda c: finding.beginning(c, prefix, limit))

    def lesson_page(
        self: Listed,
        asked: Mapping[str, Any],
        *,
        text: str = "",
        sort: str = "status",
        limit: int | None = None,
        offset: int = 0,
    ) -> Page[tuple[str, Lesson]]:
        """(branch, lesson) by branch, scope, kind, status or trust, that say all words of `text`.

        Only rows of the branch itself: what it reads through from its parent is there.
        `sort` is one of `LESSON_SORTS`.
        """
        clause, arguments = _where(asked, _written(text))
        order = _order(LESSON_SORTS, sort)

        def read(c: sqlite3.Connection) -> Page[tuple[str, Lesson]]:
            total = _count(c, f"FROM lessons{clause}", arguments)
            sql = f"SELECT branch, body FROM lessons{clause} ORDER BY {order}{page(limit, offset)}"
            rows = c.execute(sql, arguments)
            return Page(tuple((b, load(Lesson, body)) for b, body in rows), total, offset)

        return self._read(read)

    def lesson_counts(self: Listed, run: str) -> dict[str, int]:
        """How many lessons each branch of a run has of its own, in the order of the branches."""
        sql = (
            "SELECT b.id, (SELECT count(*) FROM lessons l WHERE l.branch = b.id)"
            " FROM branches b WHERE b.run = ? ORDER BY b.rowid"
        )
        return dict(self._read(lambda c: c.execute(sql, (run,)).fetchall()))

    def branches_with(self: Listed, statuses: Sequence[str]) -> tuple[str, ...]:
        """The branches that have a lesson of any of these statuses, by name."""
        marks = ", ".join("?" * len(statuses))
        # Stops at the first such lesson of a branch, where a count would read them all.
        sql = (
            "SELECT b.id FROM branches b WHERE EXISTS (SELECT 1 FROM lessons l"
            f" WHERE l.branch = b.id AND l.status IN ({marks})) ORDER BY b.id"
        )
        return tuple(b for (b,) in self._read(lambda c: c.execute(sql, statuses).fetchall()))

    def open_run(self: Listed, branch: str) -> str | None:
        """The run of a branch, where it can still be resumed."""
        sql = (
            "SELECT r.id FROM branches b JOIN runs r ON r.id = b.run"
            " WHERE b.id = ? AND r.status <> 'done'"
        )
        row = self._read(lambda c: c.execute(sql, (branch,)).fetchone())
        return None if row is None else str(row[0])

    def run_page(
        self: Listed, arms: Sequence[str] = (), *, limit: int | None = None, offset: int = 0
    ) -> Page[RunHead]:
        """Runs, the newest first, with the success rates of `arms`."""

        def read(c: sqlite3.Connection) -> Page[RunHead]:
            heads = runs.newest(c, arms, page(limit, offset))
            whole = not offset and (limit is None or len(heads) < limit)
            return Page(heads, len(heads) if whole else _count(c, "FROM runs", ()), offset)

        return self._read(read)

    def use_counts(self: Listed, wanted: Sequence[str]) -> dict[str, UseCounts]:
        """By lesson, how many episodes carried it and how these went."""
        count, had = "count(DISTINCT u.episode) FILTER (WHERE u.outcome", "= 'injected'"
        sql = (
            f"SELECT {count} {had}), {count} {had} AND e.success = 1), {count} <> 'injected'),"
            f" {count} {had} AND r.simulated), {count} {had} AND e.success = 1 AND r.simulated)"
            " FROM uses u JOIN episodes e ON e.id = u.episode JOIN runs r ON r.id = e.run"
            " WHERE u.lesson = ?"
        )

        def read(c: sqlite3.Connection) -> dict[str, UseCounts]:
            return {name: UseCounts(*c.execute(sql, (name,)).fetchone()) for name in wanted}

        return self._read(read)

    def revisions(
        self: Listed, branch: str, scope: str, limit: int | None = None
    ) -> tuple[tuple[int, int, str], ...]:
        """(revision, updates, when) of a scope of a branch, the newest first."""
        sql = (
            "SELECT c.revision, (SELECT count(*) FROM updates u WHERE u.commit_id = c.id), c.at"
            " FROM commits c WHERE c.branch = ? AND c.scope = ? AND c.revision > c.base"
            f" ORDER BY c.revision DESC{page(limit, 0)}"
        )
        return tuple(self._read(lambda c: c.execute(sql, (branch, scope)).fetchall()))

    def reads_through(self: Listed, branch: str) -> bool:
        """Whether some lessons of the branch stand with its parent alone."""
        return self._read(
            lambda c: any(not lessons.owns(c, branch, s) for s in lessons.scopes(c, branch))
        )


def _few(table: str, number: str, clause: str, order: str, cut: tuple[int | None, int]) -> str:
    """FROM and what follows it: the rows of one page, chosen by number.

    Sorting whole rows would carry all their bodies along, of which a page shows a few.
    """
    limit, offset = cut
    if limit is None:
        return f"FROM {table}{clause} ORDER BY {order}{page(limit, offset)}"
    chosen = f"SELECT {number} FROM {table}{clause} ORDER BY {order}{page(limit, offset)}"
    return f"FROM {table} WHERE {number} IN ({chosen}) ORDER BY {order}"


def like(text: str) -> str:
    """`text` for LIKE with ESCAPE, with nothing in it that stands for more than itself."""
    return "".join(f"\\{char}" if char in "\\%_" else char for char in text)


def _episodes_where(asked: Mapping[str, Any], outcome: str | None) -> tuple[str, list[Any]]:
    more: list[tuple[str, tuple[Any, ...]]] = []
    if outcome is not None:
        if outcome not in _OUTCOMES:
            raise ConfigurationError(f"unknown outcome {outcome!r}; known: {', '.join(_OUTCOMES)}")
        more.append((_OUTCOMES[outcome], ()))
    return _where(asked, more)


_COLUMNS = frozenset(
    ("run", "arm", "seed", "purpose", "trial", "branch", "scope", "kind", "status", "trust")
)


def _where(
    asked: Mapping[str, Any], more: Sequence[tuple[str, tuple[Any, ...]]]
) -> tuple[str, list[Any]]:
    parts: list[str] = []
    arguments: list[Any] = []
    for column, value in asked.items():
        name = column.rpartition(".")[2]
        if name not in _COLUMNS and name != "instance":
            raise ConfigurationError(f"a list cannot be filtered by {name!r}")
        if value is None:
            continue
        value = normalise_if_needed(value) if isinstance(value, str) else value
        if name == "instance":
            parts.append(f"({column} = ? OR {column} LIKE ? ESCAPE '\\')")
            arguments += [value, f"%/{like(value)}"]
        else:
            parts.append(f"{column} = ?")
            arguments.append(value)
    for condition, values in more:
        parts.append(condition)
        arguments += [normalise_if_needed(v) if isinstance(v, str) else v for v in values]
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), arguments


# A join would be read along the index of critiques, past those of all other runs.
_OF_RUN = "c.branch IN (SELECT id FROM branches WHERE run = ?)"
_SAYS = ("why", "quote", "instruction", "when", "when_not", "name", "detail", "refinement")


def _said(text: str) -> list[tuple[str, tuple[Any, ...]]]:
    """One condition per word: some words of the critique hold it."""
    keys = ", ".join(f"'{key}'" for key in _SAYS)
    # The first LIKE passes over most rows without taking their JSON apart.
    condition = (
        "c.body LIKE ? ESCAPE '\\' AND EXISTS (SELECT 1 FROM json_tree(c.body) t WHERE"
        f" t.key IN ({keys}) AND t.type = 'text' AND t.atom LIKE ? ESCAPE '\\')"
    )
    return [(condition, (f"%{like(_in_json(w))}%", f"%{like(w)}%")) for w in text.split()]


def _in_json(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def _written(text: str) -> list[tuple[str, tuple[Any, ...]]]:
    condition = (
        "(name || ' ' || when_text || ' ' || when_not || ' ' || instruction || ' ' || id)"
        " LIKE ? ESCAPE '\\'"
    )
    return [(condition, (f"%{like(word)}%",)) for word in text.split()]


def _order(sorts: Mapping[str, str], name: str) -> str:
    if name not in sorts:
        raise ConfigurationError(f"unknown order {name!r}; known: {', '.join(sorts)}")
    return sorts[name]


def _count(connection: sqlite3.Connection, source: str, arguments: Sequence[Any]) -> int:
    found: int = connection.execute(f"SELECT count(*) {source}", arguments).fetchone()[0]
    return found

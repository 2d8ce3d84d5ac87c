"""Which lessons may have a part in what becomes of another one: those that its lineage touches.

Found along the rows, so that of thousands of lessons only these are read. It may name some too
many, and never too few: texts are followed wherever an update takes them, from parents, from a
copied lesson, and to whoever says the same, since one text lives once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from ..records import MemoryUpdate
from .rows import load
from .tombstones import Barred

# Inside of a text a quote is escaped, so that these stand for the fields alone. A copy from the
# parent branch keeps its id.
_LINKS = """
SELECT lesson, json_extract(body, '$.parents'), json_extract(body, '$.snapshot.id') FROM updates
WHERE copied = 0 AND (instr(body, '"parents":[]') = 0 OR instr(body, '"snapshot":null') = 0)"""
_RESTS = """
SELECT DISTINCT lesson FROM updates WHERE (?2 AND instr(body, '"sources":["') > 0)
  OR EXISTS (SELECT 1 FROM json_each(?1) n WHERE instr(body, n.value) > 0)"""
_SAYING = "SELECT DISTINCT id FROM lessons WHERE content IN (SELECT value FROM json_each(?))"
# A branch that pins an earlier revision reads texts that a lesson no longer has.
_CHANGED = " OR version > 1 OR status = 'purged'"
_PINNING = "SELECT EXISTS (SELECT 1 FROM branches WHERE pinned <> '{}')"


def around(
    connection: sqlite3.Connection, lessons: Collection[str], barred: Barred
) -> frozenset[str]:
    """The ids of `lessons`, of what rests on what is `barred`, and of all that these touch."""
    links = _links(connection)
    found: set[str] = set()
    new = set(lessons) | barred.lessons | _resting(connection, barred)
    while new:
        reached = _reached(new, links) - found
        found |= reached
        new = _saying(connection, reached) - found
    return frozenset(found)


def _links(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """By lesson, those with which it shares an update, either way."""
    links: dict[str, set[str]] = {}
    for lesson, parents, copied in connection.execute(_LINKS):
        for other in (*json.loads(parents or "[]"), *([copied] if copied else ())):
            if other != lesson:
                links.setdefault(lesson, set()).add(other)
                links.setdefault(other, set()).add(lesson)
    return links


def _reached(start: Iterable[str], links: dict[str, set[str]]) -> set[str]:
    found, waiting = set(start), list(start)
    while waiting:
        near = links.get(waiting.pop(), set()) - found
        found |= near
        waiting += near
    return found


def _resting(connection: sqlite3.Connection, barred: Barred) -> set[str]:
    """Lessons with an update that names something barred; of sources only hashes may be known."""
    if not barred:
        return set()
    names = sorted(barred.episodes | barred.critiques)
    quoted = json.dumps([json.dumps(name, ensure_ascii=False) for name in names])
    rows = connection.execute(_RESTS, (quoted, bool(barred.sources)))
    return {lesson for (lesson,) in rows}


def _saying(connection: sqlite3.Connection, lessons: Iterable[str]) -> set[str]:
    """Lessons that say now what one of `lessons` has ever said."""
    contents: set[str] = set()
    for name in lessons:
        rows = connection.execute("SELECT body FROM updates WHERE lesson = ?", (name,))
        for update in (load(MemoryUpdate, body) for (body,) in rows):
            then = None if update.snapshot is None else update.snapshot.body
            contents |= {body.content for body in (update.body, then) if body is not None}
    pinning: int = connection.execute(_PINNING).fetchone()[0]
    rows = connection.execute(
        _SAYING + (_CHANGED if pinning else ""), (json.dumps(sorted(contents)),)
    )
    return {name for (name,) in rows}

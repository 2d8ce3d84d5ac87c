"""Erasing what was said: texts of lessons, steps of episodes, journaled calls, critiques.

What remains says that there was something, and nothing of what it said.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..records import (
    Critique,
    Episode,
    Guidance,
    GuidanceLine,
    Lesson,
    LessonBody,
    MemoryUpdate,
    Operation,
    StopReason,
    Trajectory,
)
from . import schema, served
from .locks import FileLock
from .reduce import apply
from .rows import dump, load
from .texts import blanked
from .vectors import forget


@dataclass(frozen=True, slots=True)
class Erase:
    """What is to be erased."""

    lessons: frozenset[str] = frozenset()
    """On every branch; they must be purged already."""
    episodes: frozenset[str] = frozenset()
    critiques: frozenset[str] = frozenset()
    texts: frozenset[tuple[str, str, int]] = frozenset()
    """Single texts of lessons that live on: (branch, lesson, version)."""


_IN_LOG = "erased"
"""The fact that the write-ahead log may still hold what was erased."""


def cut_log(path: Path, lock: FileLock, patience_s: float = 30.0) -> bool:
    """Take over the write-ahead log and cut it, so that nothing erased stands in it.

    False where others read for longer than `patience_s`; whoever opens the store next tries again.
    """
    with lock.hold(), closing(schema.connect(path)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {round(patience_s * 1000)}")
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            connection.execute("DELETE FROM facts WHERE name = ?", (_IN_LOG,))
    return not busy


def settle(connection: sqlite3.Connection, path: Path, lock: FileLock) -> None:
    """Cut the log where something was erased and that not done: its process was ended between."""
    if connection.execute("SELECT 1 FROM facts WHERE name = ?", (_IN_LOG,)).fetchone():
        # Who is at work on the store may be about to do so; then there is no hurry.
        with suppress(StorageError, sqlite3.Error):
            cut_log(path, lock, patience_s=1.0)
    lock.close()


def erase(connection: sqlite3.Connection, what: Erase) -> None:
    """Erase, within the caller's transaction; every connection of ours overwrites what it frees.

    What was erased stands in the write-ahead log until `cut_log`.
    """
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, '')", (_IN_LOG,))
    for lesson in sorted(what.lessons):
        _lesson(connection, lesson)
    for branch, lesson, version in sorted(what.texts):
        blank_updates(connection, branch, lesson, version)
    for episode in sorted(what.episodes):
        _episode(connection, episode)
    for critique in sorted(what.critiques):
        _critique(connection, critique)


def blank_updates(
    connection: sqlite3.Connection, branch: str, lesson: str, version: int | None = None
) -> None:
    """Take the texts of a lesson out of the updates of one branch: all, or those of one version.

    What status each update left it in may follow from texts, so it is written down first.
    """
    rows = connection.execute(
        "SELECT n, scope, revision, ordinal, body FROM updates WHERE branch = ?1 AND scope IN"
        " (SELECT scope FROM updates WHERE branch = ?1 AND lesson = ?2)"
        " ORDER BY scope, revision, ordinal",
        (branch, lesson),
    ).fetchall()
    state: dict[str, Lesson] = {}
    read = [
        (n, scope, (revision, i), load(MemoryUpdate, body)) for n, scope, revision, i, body in rows
    ]
    merged = any(lesson in update.parents for *_, update in read)
    for n, scope, place, update in read:
        before = state.get(lesson)
        apply(state, update, scope, place)
        after = state.get(lesson)
        if update.lesson != lesson or after is None or update.op is Operation.PURGE:
            continue
        made = before is None or before.version != after.version
        if version is None or (made and after.version == version):
            forget(connection, update)
        if version is None:
            bare = blanked(update, merged=merged)
        else:
            bare = _unworded(update, version, whole=made and after.version == version)
        bare = bare.model_copy(update={"status": after.status})
        connection.execute("UPDATE updates SET body = ? WHERE n = ?", (dump(bare), n))


def _unworded(update: MemoryUpdate, version: int, *, whole: bool) -> MemoryUpdate:
    """An update of a lesson that lives on, without the words of one of its versions.

    `whole`: it has made that version, so whatever text it holds is that.
    """
    changes: dict[str, Any] = {}
    if whole and update.body is not None:
        changes["body"] = LessonBody(kind=update.body.kind)
    then = update.snapshot
    if then is not None and (whole or (then.id == update.lesson and then.version == version)):
        blank = LessonBody(kind=then.kind)
        changes["snapshot"] = then.model_copy(update={"body": blank})
    return update.model_copy(update=changes)


def _lesson(connection: sqlite3.Connection, lesson: str) -> None:
    _prompts(connection, lesson)
    branches = connection.execute("SELECT DISTINCT branch FROM updates WHERE lesson = ?", (lesson,))
    for (branch,) in branches.fetchall():
        blank_updates(connection, branch, lesson)


def _prompts(connection: sqlite3.Connection, lesson: str) -> None:
    """Take the lesson's words out of the prompts that carried it; what was answered remains."""
    carried = connection.execute(
        "SELECT DISTINCT episode FROM uses WHERE lesson = ?", (lesson,)
    ).fetchall()
    for (identity,) in carried:
        (body,) = connection.execute(
            "SELECT body FROM episodes WHERE id = ?", (identity,)
        ).fetchone()
        kept = load(Episode, body)
        guidance = {role: _without(g, lesson) for role, g in kept.guidance.items()}
        text = dump(kept.replace(guidance=guidance))
        connection.execute("UPDATE episodes SET body = ? WHERE id = ?", (text, identity))
        # Of a critic that was shown it, too: its requests hold the attempt's guidance.
        connection.execute(
            "UPDATE calls SET request = '' WHERE owner = ?1 OR owner IN"
            " (SELECT critique FROM critique_episodes WHERE episode = ?1)",
            (identity,),
        )
    connection.execute(
        "UPDATE calls SET request = '' WHERE owner IN"
        " (SELECT commit_id FROM updates WHERE lesson = ?)",
        (lesson,),
    )


def _without(guidance: Guidance, lesson: str) -> Guidance:
    def bare(line: GuidanceLine) -> GuidanceLine:
        gone = {"name": "", "when": "", "when_not": "", "instruction": ""}
        return line.replace(**gone) if line.lesson == lesson else line

    return guidance.replace(
        stable=tuple(map(bare, guidance.stable)),
        volatile=tuple(map(bare, guidance.volatile)),
        text="",
    )


def _episode(connection: sqlite3.Connection, identity: str) -> None:
    """Its steps, its journal, the texts that its prompts got; where and how it ended remains."""
    row = connection.execute("SELECT body FROM episodes WHERE id = ?", (identity,)).fetchone()
    if row is None:
        return
    kept = load(Episode, row[0])
    bare = kept.replace(
        spec=kept.spec.replace(prefix=(), revises=None, guidance={}),
        trajectory=Trajectory(),
        answer=None,
        guidance={role: Guidance() for role in kept.guidance},
        failure=None,
        stop_reason=kept.stop_reason or StopReason.ABANDONED,
    )
    connection.execute("UPDATE episodes SET body = ? WHERE id = ?", (dump(bare), identity))
    connection.execute("DELETE FROM steps WHERE episode = ?", (identity,))
    _served(connection, identity)
    _calls(connection, identity)


def _served(connection: sqlite3.Connection, identity: str) -> None:
    """What was said of an episode that was served, and who it was with."""
    connection.execute(
        "UPDATE served SET goal = '', source = NULL, body = ? WHERE episode = ?",
        (served.ERASED, identity),
    )
    connection.execute(
        "UPDATE feedback SET text = '', source = NULL WHERE episode = ?", (identity,)
    )
    connection.execute(
        "DELETE FROM sources WHERE NOT EXISTS (SELECT 1 FROM served s WHERE s.source = name)"
        " AND NOT EXISTS (SELECT 1 FROM feedback f WHERE f.source = name)"
    )


def _critique(connection: sqlite3.Connection, identity: str) -> None:
    row = connection.execute("SELECT body FROM critiques WHERE id = ?", (identity,)).fetchone()
    if row is None:
        return
    changes = {"causes": (), "proposals": (), "refinement": "", "raw": "", "detail": ""}
    bare = load(Critique, row[0]).model_copy(update=changes)
    connection.execute("UPDATE critiques SET body = ? WHERE id = ?", (dump(bare), identity))
    _calls(connection, identity)
    # A curation has read it, so the calls of that hold its words too.
    consumed = connection.execute(
        "SELECT commit_id FROM commit_critiques WHERE critique = ?", (identity,)
    ).fetchall()
    for (commit,) in consumed:
        _calls(connection, commit)
        # Errors may say again what was asked; that there was one remains.
        connection.execute(
            "UPDATE commits SET rejected = '[]', failure = iif(failure = '', '', 'erased'),"
            " lacking = iif(lacking = '', '', 'erased') WHERE id = ?",
            (commit,),
        )


def _calls(connection: sqlite3.Connection, owner: str) -> None:
    # What stays is that it was asked, and what it cost.
    connection.execute(
        "UPDATE calls SET request = '', reply = '', request_sha = '' WHERE owner = ?", (owner,)
    )

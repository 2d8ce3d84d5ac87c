"""Runs, branches, rounds and decisions: rows that are written once, runs aside."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import StorageError, UnknownNameError, some
from ..records import BranchRecord, Decision, OpenRound, RoundRecord, RunRecord, RunStatus
from .rows import dump, dump_json, insert, load, load_json, load_object, now

_RUN = "id, task, method, model, simulated, config, status, stop_reason, created_at, result"
_HEAD = "id, task, method, model, simulated, status, created_at"
_BRANCH = "id, run, arm, seed, parent, pinned, learns"


def create_run(connection: sqlite3.Connection, run: RunRecord) -> RunRecord:
    """The run as stored, with the time; raises when there is one of that id."""
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
        raise StorageError(f"run {run.id} is in the store already; resume it, or take another id")
    made = run.model_copy(update={"created_at": now()})
    values: dict[str, Any] = dict(made) | {
        "config": dump_json(made.config),
        "result": None if made.result is None else dump_json(made.result),
    }
    insert(connection, "runs", values)
    return made


def update_run(connection: sqlite3.Connection, identity: str, changes: dict[str, Any]) -> RunRecord:
    """The run with `changes`."""
    for column, value in changes.items():
        text = dump_json(value) if column in ("config", "result") else value
        connection.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (text, identity))
    return run(connection, identity)


def run(connection: sqlite3.Connection, prefix: str) -> RunRecord:
    """The run of that id, or the only one whose id begins with it."""
    row = connection.execute(f"SELECT {_RUN} FROM runs WHERE id = ?", (prefix,)).fetchone()
    if row is None:
        sql = f"SELECT {_RUN} FROM runs WHERE id >= ? AND id < ? ORDER BY seq"
        bounds = (prefix, f"{prefix}\U0010ffff")
        found = connection.execute(sql, bounds).fetchall() if prefix else []
        if len(found) > 1:
            listed = some([str(r[0]) for r in found])
            raise UnknownNameError(f"run {prefix!r} is not unique; it may be: {listed}")
        if not found:
            known = [r[0] for r in connection.execute("SELECT id FROM runs ORDER BY seq")]
            hint = "" if known else "there are no runs in this store"
            raise UnknownNameError.of("run", prefix, known, hint)
        row = found[0]
    return _run(row)


def all_runs(connection: sqlite3.Connection) -> tuple[RunRecord, ...]:
    """All runs, oldest first."""
    rows = connection.execute(f"SELECT {_RUN} FROM runs ORDER BY seq")
    return tuple(_run(row) for row in rows)


class RunHead(NamedTuple):
    """What a list tells of a run, which needs neither its settings nor most of its figures."""

    id: str
    task: str
    method: str
    model: str
    simulated: bool
    status: RunStatus
    created_at: str
    rates: dict[str, float]
    """Success by arm, of those arms that were asked for and have ended."""


def newest(connection: sqlite3.Connection, arms: Sequence[str], page: str) -> tuple[RunHead, ...]:
    """Some runs, the newest first, with the rates of `arms`; `page` is a LIMIT clause."""
    # Of the figures of a run, which are kilobytes, SQLite takes out three numbers ten times sooner.
    rates = ", json_extract(result, ?)" * len(arms)
    sql = f"SELECT {_HEAD}{rates} FROM runs ORDER BY seq DESC{page}"
    paths = [f'$.arms."{arm}".success_rate' for arm in arms]
    try:
        rows = connection.execute(sql, paths).fetchall()
    except sqlite3.OperationalError as error:
        if "JSON" not in str(error):
            raise
        raise StorageError(f"a stored run is damaged: {error}") from error
    return tuple(_head(row, arms) for row in rows)


def _head(row: tuple[Any, ...], arms: Sequence[str]) -> RunHead:
    identity, task, method, model, simulated, status, created, *found = row
    rates = {arm: rate for arm, rate in zip(arms, found, strict=True) if rate is not None}
    return RunHead(identity, task, method, model, bool(simulated), status, created, rates)


def create_branch(connection: sqlite3.Connection, made: BranchRecord) -> BranchRecord:
    """The branch as stored; one that is there stays as it is."""
    row = connection.execute(f"SELECT {_BRANCH} FROM branches WHERE id = ?", (made.id,)).fetchone()
    if row is not None:
        return _branch(row)
    values: dict[str, Any] = dict(made) | {"pinned": dump_json(made.pinned)}
    insert(connection, "branches", values)
    return made


def branch(connection: sqlite3.Connection, identity: str) -> BranchRecord:
    """The branch of that id."""
    row = connection.execute(f"SELECT {_BRANCH} FROM branches WHERE id = ?", (identity,)).fetchone()
    if row is None:
        known = [r[0] for r in connection.execute("SELECT id FROM branches")]
        raise UnknownNameError.of("branch", identity, known)
    return _branch(row)


def branches(connection: sqlite3.Connection, of_run: str | None) -> tuple[BranchRecord, ...]:
    """All branches, or those of one run: `main`, then as they were made."""
    sql = f"SELECT {_BRANCH} FROM branches WHERE ?1 IS NULL OR run = ?1 ORDER BY rowid"
    return tuple(_branch(row) for row in connection.execute(sql, (of_run,)))


def pin_round(connection: sqlite3.Connection, made: RoundRecord) -> RoundRecord:
    """The round as first pinned."""
    stored = rounds(connection, made.branch, made.number)
    if stored:
        return stored[0]
    values = {
        "branch": made.branch,
        "number": made.number,
        "opened": dump(made.opened),
        "pinned": dump_json(made.pinned),
    }
    insert(connection, "rounds", values)
    return made


def rounds(
    connection: sqlite3.Connection, of_branch: str, number: int | None = None
) -> tuple[RoundRecord, ...]:
    """The pinned rounds of a branch, by number."""
    rows = connection.execute(
        "SELECT number, opened, pinned FROM rounds WHERE branch = ?1"
        " AND (?2 IS NULL OR number = ?2) ORDER BY number",
        (of_branch, number),
    )
    return tuple(
        RoundRecord(branch=of_branch, number=n, opened=load(OpenRound, o), pinned=load_json(p))
        for n, o, p in rows
    )


def put_decision(connection: sqlite3.Connection, made: Decision) -> Decision:
    """The decision as first recorded."""
    stored = decision(connection, made.id)
    if stored is not None:
        return stored
    values = {"id": made.id, "branch": made.branch, "kind": made.kind, "body": dump(made)}
    insert(connection, "decisions", values | {"at": now()})
    return made


def decision(connection: sqlite3.Connection, identity: str) -> Decision | None:
    """The decision of that id."""
    row = connection.execute("SELECT body FROM decisions WHERE id = ?", (identity,)).fetchone()
    return None if row is None else load(Decision, row[0])


def decisions(connection: sqlite3.Connection, of_branch: str) -> tuple[Decision, ...]:
    """The decisions of a branch, by id: their order of arrival means nothing."""
    rows = connection.execute(
        "SELECT body FROM decisions WHERE branch = ? ORDER BY id", (of_branch,)
    )
    return tuple(load(Decision, body) for (body,) in rows)


def _run(row: tuple[Any, ...]) -> RunRecord:
    identity, task, method, model, simulated, config, status, reason, created, result = row
    state: RunStatus = status
    # What a JSON reader gives is JSON; to look at each of its values again takes most of the time.
    return RunRecord.model_construct(
        id=identity,
        task=task,
        method=method,
        model=model,
        simulated=bool(simulated),
        config=load_object(config, "run"),
        status=state,
        stop_reason=reason,
        created_at=created,
        result=None if result is None else load_object(result, "run"),
    )


def _branch(row: tuple[Any, ...]) -> BranchRecord:
    identity, run_id, arm, seed, parent, pinned, learns = row
    return BranchRecord(
        id=identity,
        run=run_id,
        arm=arm,
        seed=seed,
        parent=parent,
        pinned=load_json(pinned),
        learns=bool(learns),
    )

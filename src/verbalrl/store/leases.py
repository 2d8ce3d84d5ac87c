"""Leases: who may change the lessons of a branch.

A row says who; a locked file says whether they still live (`locks.Liveness`), so the lease of a
killed process is free at once, without heart-beats. Each taking raises the fence, and a commit
names its fence: whoever was taken over while asleep cannot write.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ..errors import LeaseError
from .locks import is_alive


class Lease:
    """The right to change the lessons of `branch`, until released; a context manager."""

    def __init__(self, branch: str, owner: str, fence: int, release: Callable[[], None]) -> None:
        self.branch = branch
        self.owner = owner
        self.fence = fence
        """To be given with every commit."""
        self._release = release

    def release(self) -> None:
        """Give it up; a second call, or one after it was taken over, does nothing."""
        self._release()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def take(connection: sqlite3.Connection, folder: Path, branch: str, owner: str, token: str) -> int:
    """The fence of a new lease; raises `LeaseError` while somebody living holds it."""
    holder = _holder(_row(connection, branch), folder)
    if holder is not None:
        raise _held(branch, *holder)
    connection.execute(
        "INSERT INTO leases (branch, owner, token, pid, fence, held) VALUES (?, ?, ?, ?, 1, 1)"
        " ON CONFLICT (branch) DO UPDATE SET owner = excluded.owner, token = excluded.token,"
        " pid = excluded.pid, fence = fence + 1, held = 1",
        (branch, owner, token, os.getpid()),
    )
    row = connection.execute("SELECT fence FROM leases WHERE branch = ?", (branch,)).fetchone()
    fence: int = row[0]
    return fence


def give_up(connection: sqlite3.Connection, branch: str, fence: int) -> None:
    """Mark the lease as free, if it is still that one."""
    connection.execute("UPDATE leases SET held = 0 WHERE branch = ? AND fence = ?", (branch, fence))


class Row(NamedTuple):
    """The lease of a branch as it is stored, held or given up."""

    owner: str
    pid: int
    token: str
    fence: int
    held: int


def verify(connection: sqlite3.Connection, folder: Path, branch: str, fence: int | None) -> None:
    """Raise `LeaseError` unless a commit with this fence may change the branch.

    Without a fence it may while nobody holds the lease.
    """
    check(_row(connection, branch), folder, branch, fence)


def check(row: Row | None, folder: Path, branch: str, fence: int | None) -> None:
    """The same, once the row is read."""
    if fence is None:
        holder = _holder(row, folder)
        if holder is not None:
            raise _held(branch, *holder)
    elif row is None or not row.held or row.fence != fence:
        by = f", now held by {row.owner} (process {row.pid})" if row and row.held else ""
        raise LeaseError(f"lease {fence} on branch {branch} is over{by}; nothing was written")


def living(connection: sqlite3.Connection, folder: Path) -> frozenset[str]:
    """The owners of leases whose process still runs."""
    rows = connection.execute("SELECT DISTINCT owner, token FROM leases WHERE held = 1")
    return frozenset(owner for owner, token in rows if _lives(folder, token))


def _lives(folder: Path, token: str) -> bool:
    try:
        return is_alive(folder, token)
    except OSError:
        return True  # a lock that we may not open is not known to be free


def _row(connection: sqlite3.Connection, branch: str) -> Row | None:
    row = connection.execute(
        "SELECT owner, pid, token, fence, held FROM leases WHERE branch = ?", (branch,)
    ).fetchone()
    return None if row is None else Row._make(row)


def _holder(row: Row | None, folder: Path) -> tuple[str, int] | None:
    if row is None or not row.held or not is_alive(folder, row.token):
        return None
    return row.owner, row.pid


def _held(branch: str, owner: str, pid: int) -> LeaseError:
    return LeaseError(
        f"the lessons of branch {branch} are being changed by {owner} (process {pid}); "
        "wait for it, or end it"
    )

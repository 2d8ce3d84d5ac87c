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
    holder = _holder(connection, folder, branch)
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


def verify(connection: sqlite3.Connection, folder: Path, branch: str, fence: int | None) -> None:
    """Raise `LeaseError` unless a commit with this fence may change the branch.

    Without a fence it may while nobody holds the lease.
    """
    if fence is None:
        holder = _holder(connection, folder, branch)
        if holder is not None:
            raise _held(branch, *holder)
        return
    row = connection.execute(
        "SELECT owner, pid, fence, held FROM leases WHERE branch = ?", (branch,)
    ).fetchone()
    if row is None or not row[3] or row[2] != fence:
        by = f", now held by {row[0]} (process {row[1]})" if row and row[3] else ""
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


def _holder(connection: sqlite3.Connection, folder: Path, branch: str) -> tuple[str, int] | None:
    row = connection.execute(
        "SELECT owner, pid, token FROM leases WHERE branch = ? AND held = 1", (branch,)
    ).fetchone()
    if row is None or not is_alive(folder, row[2]):
        return None
    return row[0], row[1]


def _held(branch: str, owner: str, pid: int) -> LeaseError:
    return LeaseError(
        f"the lessons of branch {branch} are being changed by {owner} (process {pid}); "
        "wait for it, or end it"
    )

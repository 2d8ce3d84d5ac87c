"""Locks of the operating system: they vanish with their holder, so none can be left behind.

`flock` where there is one, `msvcrt` elsewhere.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """True once the file behind `fd` is locked; False at once when somebody else holds it."""
    try:
        if sys.platform == "win32":
            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unlock(fd: int) -> None:
    """Let go of the lock behind `fd`."""
    if sys.platform == "win32":
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


class FileLock:
    """The right to write to a store, over all processes; held for one transaction.

    It covers the checkpoint that SQLite does at the end of a commit too: before 3.51.3 a checkpoint
    that races a commit of another connection can corrupt the file. It also queues writers without
    SQLite's sleeping between two looks.
    """

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._path = path
        self._timeout = timeout
        self._fd: int | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock, at most the timeout; raises `StorageError` after that."""
        if self._fd is None:
            self._fd = _open(self._path)
        self._wait(self._fd)
        try:
            yield
        finally:
            unlock(self._fd)

    def close(self) -> None:
        """Close the file; the lock can be held again afterwards."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _wait(self, fd: int) -> None:
        deadline = time.monotonic() + self._timeout
        pause = 0.0002
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise StorageError(
                    f"another process has been writing to {self._path.parent} for "
                    f"{self._timeout:g} s; end it, or try again"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)


class Liveness:
    """Proof that this store object lives: a locked file, named by a token that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(8)
        self._path = _liveness_path(folder, self.token)
        self._fd: int | None = None

    def start(self) -> None:
        """Create and lock the file, if that is not done yet."""
        if self._fd is None:
            self._fd = _open(self._path)
            if not try_lock(self._fd):
                raise StorageError(f"cannot lock {self._path}; is this a network file system?")

    def stop(self) -> None:
        """Let the file go and remove it."""
        if self._fd is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._fd)
            self._fd = None


def is_alive(folder: Path, token: str) -> bool:
    """Whether the holder of `token` still runs; clears away what a dead one left."""
    path = _liveness_path(folder, token)
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at the same time do not take each other for the holder.
        if not try_lock(fd, shared=True):
            return True
        with suppress(OSError):
            path.unlink()
        return False
    finally:
        os.close(fd)


def _liveness_path(folder: Path, token: str) -> Path:
    return folder / f"alive-{token}.lock"

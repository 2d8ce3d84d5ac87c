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
from weakref import WeakSet

from ..errors import StorageError, StoreHeldError

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


class _Held:
    """A file that is open while its lock may be held, in this process and no child of it.

    A forked child has the open files of its parent, and with them its locks: it would keep those of
    a dead parent for as long as it lives. So it closes them at once, which takes nothing from the
    parent. Programs that are started get none of them.
    """

    _all: WeakSet[_Held] = WeakSet()
    _told = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def _opened(self) -> int:
        """The open file, opened if it is not yet."""
        if self._fd is None:
            self._fd = _open(self._path)
            _Held._note(self)
        return self._fd

    def _shut(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @staticmethod
    def _note(held: _Held) -> None:
        _Held._all.add(held)
        if not _Held._told and hasattr(os, "register_at_fork"):
            _Held._told = True
            os.register_at_fork(after_in_child=_Held._let_go)

    @staticmethod
    def _let_go() -> None:
        for held in tuple(_Held._all):
            held._shut()


class FileLock(_Held):
    """The right to write to a store, over all processes; held for one transaction.

    It covers the checkpoint that SQLite does at the end of a commit too: before 3.51.3 a checkpoint
    that races a commit of another connection can corrupt the file. It also queues writers without
    SQLite's sleeping between two looks.
    """

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        super().__init__(path)
        self._timeout = timeout

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock, at most the timeout; raises `StorageError` after that."""
        fd = self._opened()
        self._wait(fd)
        try:
            yield
        finally:
            unlock(fd)

    def close(self) -> None:
        """Close the file; the lock can be held again afterwards."""
        self._shut()

    def _wait(self, fd: int) -> None:
        deadline = time.monotonic() + self._timeout
        pause = 0.0002
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise StoreHeldError(
                    f"another process has been writing to {self._path.parent} for "
                    f"{self._timeout:g} s; end it, or try again"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)


class OwnerLock(_Held):
    """The right to have something open; held until it is let go, or the process ends."""

    @property
    def fd(self) -> int | None:
        """The locked file, for a program that is started and is to hold the lock on."""
        return self._fd

    def take(self) -> bool:
        """Whether it is ours now; False at once while somebody else has it."""
        if self._fd is not None:
            return True
        taken = try_lock(self._opened())
        if not taken:
            self._shut()
        return taken

    def let_go(self) -> None:
        """Leave it to others; a second call does nothing."""
        self._shut()


class Liveness(_Held):
    """Proof that this store object lives: a locked file, named by a token that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(8)
        super().__init__(_liveness_path(folder, self.token))

    def start(self) -> None:
        """Create and lock the file, if that is not done yet."""
        if self._fd is None and not try_lock(self._opened()):
            raise StorageError(f"cannot lock {self._path}; is this a network file system?")

    def stop(self) -> None:
        """Let the file go and remove it."""
        if self._fd is not None:
            with suppress(OSError):
                self._path.unlink()
            self._shut()


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

"""A child process in a tier: started, spoken to with a deadline, and gone afterwards."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from . import worker
from .tiers import Tier, command, fresh_user

_STARTS = 3
_START = 30.0
"""Seconds for a child to say that it started, before anything of the program runs."""
_GONE = 5.0
_CHUNK = 1 << 16


class SandboxError(RuntimeError):
    """The sandbox itself failed; nothing follows from it about the program."""


class Ended(Exception):
    """The child answers no more; the message says why."""


class Limits(NamedTuple):
    """What a program may use."""

    seconds: float = 5.0
    """On the wall, from the start of the program to its last answer."""
    memory: int = 512 << 20
    """Bytes of address space of each process."""
    file: int = 1 << 20
    """Bytes of each file."""
    processes: int = 16
    """Processes and threads at a time."""

    def by_system(self) -> dict[str, int]:
        """The limits by the names that the system uses."""
        return {
            "RLIMIT_AS": self.memory,
            "RLIMIT_FSIZE": self.file,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CPU": int(self.seconds) + 2,
            "RLIMIT_NOFILE": 64,
            "RLIMIT_CORE": 0,
        }


class Child:
    """One sandboxed process; use it as a context manager."""

    def __init__(self, tier: Tier, limits: Limits) -> None:
        self._tier = tier
        self._limits = limits
        self._until = 0.0
        self._rest = b""
        self._folder = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Child:
        """Start it.

        Raises:
            SandboxError: It does not start.
        """
        with ExitStack() as undo:
            undo.callback(self.close)
            try:
                self._started()
            except OSError as error:
                raise SandboxError(f"{self._tier.name}: {error.strerror or error}") from error
            except Ended as error:
                why = self._complaint() or str(error)
                raise SandboxError(f"{self._tier.name} starts no program: {why}") from error
            undo.pop_all()
        self.begin()
        return self

    def _started(self) -> None:
        # Another process of ours may have taken the same fresh user in the same moment, and its
        # program used up that user's processes. No foreign text has run yet, so another is tried.
        for _ in range(_STARTS - 1):
            try:
                return self._start(fresh_user())
            except Ended:
                if time.monotonic() >= self._until:
                    raise
                self.close()
                self._rest = b""
        return self._start(fresh_user())

    def _start(self, user: int) -> None:
        self._folder = tempfile.mkdtemp(prefix="verbalrl-run-")
        if user:
            os.chown(self._folder, user, user)
        self._process = subprocess.Popen(
            command(self._tier.name, Path(worker.__file__).read_text("utf-8"), user),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._folder,
            # Nothing of ours: no key, no path to a home.
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        self._until = time.monotonic() + _START
        if self.receive() != {"ready": True}:
            raise Ended("it says something else than that it is ready")

    def begin(self, more: float = 0.0) -> None:
        """Count the limit, and `more` seconds, from now on."""
        self._until = time.monotonic() + self._limits.seconds + more

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it and all that it started."""
        self.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """One message to the child.

        Raises:
            Ended: It is gone or does not read in time.
        """
        pipe = self._process.stdin if self._process else None
        data = json.dumps(message).encode("ascii") + b"\n"
        while data and pipe is not None:
            self._wait([], [pipe.fileno()])
            try:
                data = data[os.write(pipe.fileno(), data[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Ended("the program ended its process") from error

    def receive(self) -> dict[str, Any]:
        """The child's next message; whatever it is, it is an object.

        Raises:
            Ended: None came in time, or something that is no message.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            self._wait([pipe], [])
            found = os.read(pipe, _CHUNK)
            self._rest += found
            if not found:
                raise Ended("the program ended its process")
            if len(self._rest) > worker.MAX_LINE:
                raise Ended("the program sent too much")
        line, self._rest = self._rest.split(b"\n", 1)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Ended("the program sent something that is no value") from error
        if not isinstance(message, dict):
            raise Ended("the program sent something that is no value")
        return message

    def _wait(self, read: list[int], write: list[int]) -> None:
        left = self._until - time.monotonic()
        waiter = select.poll()  # select itself cannot see descriptors above 1023
        for number in read:
            waiter.register(number, select.POLLIN)
        for number in write:
            waiter.register(number, select.POLLOUT)
        if left <= 0 or not waiter.poll(left * 1000):
            raise Ended(f"the program was stopped after {self._limits.seconds:g} s")

    def _complaint(self) -> str:
        assert self._process is not None
        assert self._process.stderr is not None
        try:
            said = os.read(self._process.stderr.fileno(), _CHUNK).decode("utf-8", "replace")
        except OSError:
            return ""
        return " ".join(said.split())[:200]

    def close(self) -> None:
        """End the child and all that it started, and wait until they are gone."""
        if self._process is not None:
            # The first process of the namespace takes the others along; its parent reaps it.
            for child in _children(self._process.pid):
                _kill(child)
            try:
                self._process.wait(_GONE)
            except subprocess.TimeoutExpired:
                _kill(self._process.pid)
                self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        if self._folder:
            # Not TemporaryDirectory: it may change rights of what a link in the folder leads to.
            shutil.rmtree(self._folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

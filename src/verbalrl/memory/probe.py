"""Looks at a Chroma folder in a process of its own, which a damaged file may end.

`python -m verbalrl.memory.probe FOLDER COLLECTION ROWS SECONDS` ends with 0 where the index is
sound, and says what is wrong on its output otherwise; after SECONDS an alarm ends it, whatever it
reads. `look` starts that and gives its answer.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from ..errors import IndexFailure
from ..store.locks import OwnerLock
from .chroma import ChromaIndex

PROBE_S = 120.0
"""A look that takes longer has found a fault."""


def look(folder: Path, collection: str, rows: int, lock: OwnerLock | None) -> str:
    """What a child process says is wrong with the index in `folder`; empty when it is sound."""
    # Should we be killed meanwhile, the child holds the lock on until it has closed the folder, and
    # nobody else ends it.
    seconds = str(PROBE_S + 10)
    command = [sys.executable, "-m", __name__, str(folder), collection, str(rows), seconds]
    fd = None if lock is None or sys.platform == "win32" else lock.fd
    held = () if fd is None else (fd,)
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PROBE_S, check=False, pass_fds=held
        )
    except subprocess.TimeoutExpired:
        return f"looking at it took more than {PROBE_S:g} s"
    if done.returncode == 0:
        return ""
    said = done.stdout.decode("utf-8", "replace").strip()
    return said or f"reading it ends a process (exit code {done.returncode})"


def main(arguments: list[str]) -> int:
    """Check the collection; the exit code."""
    folder, collection, rows, seconds = arguments
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, float(seconds))
    index = ChromaIndex(folder, collection)
    try:
        wrong = index.check(int(rows), samples=64)
    except IndexFailure as error:
        wrong = str(error)
    sys.stdout.write(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The command line in a process that a signal meets once its run has come so far.

`python -m tests.loop.doomed SIGNAL EPISODES FILE ARGUMENTS…` is `verbalrl ARGUMENTS…`, and sends
itself SIGNAL when the store in FILE holds EPISODES of them. It does so itself, because on a busy
machine another process may come too late.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from verbalrl.__main__ import run


def has_episodes(file: Path, wanted: int) -> bool:
    """Whether the store in `file`, which may be under way elsewhere, holds as many."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            done: int = connection.execute("SELECT count(*) FROM episodes").fetchone()[0]
            return done >= wanted
    except sqlite3.OperationalError:
        # Nobody may read it before it is whole.
        return False


def watch(number: int, wanted: int, file: Path) -> None:
    while not has_episodes(file, wanted):
        time.sleep(0.002)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    number, wanted, file, *rest = sys.argv[1:]
    given = (int(number), int(wanted), Path(file))
    threading.Thread(target=watch, args=given, daemon=True).start()
    sys.argv[1:] = rest
    sys.exit(run())

"""Runs queries on a SQLite file in a child process: read only, bounded in time and rows.

A query that a model wrote may loop for ever inside SQLite; a thread cannot be stopped there, a
process can. This file is also the child's program, so it imports the standard library alone.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

MAX_ROWS = 10_000
MAX_VALUE = 10_000
_GRACE = 5.0
"""For the child to start, in seconds."""
_LATE = 0.3
"""How much later than a query its process is ended."""
_OPCODES = 10_000
_LONGEST = 10 << 20
_MEMORY = 1 << 30


class Answer(NamedTuple):
    """What a query returned, or the reason why it did not."""

    rows: tuple[tuple[Any, ...], ...] = ()
    error: str = ""


def run_queries(
    database: Path | None, queries: Sequence[str], seconds: float = 10.0, *, script: str = ""
) -> list[Answer]:
    """What each of `queries` returns, each with at most `seconds`; the child is gone afterwards.

    Without a `database` they run on one in memory, made by `script`, which has to be trusted.
    """
    answers: list[Answer] = []
    while len(answers) < len(queries):
        left = queries[len(answers) :]
        found, why = _child(str(database) if database else "", script, left, seconds)
        answers += found
        if len(found) < len(left):
            # The query that it died of is answered; the others get a process of their own.
            answers.append(Answer(error=why))
    return answers


def _child(
    database: str, script: str, queries: Sequence[str], seconds: float
) -> tuple[list[Answer], str]:
    """The answers of one child, and why there are fewer than queries."""
    request = {"database": database, "script": script, "queries": list(queries), "seconds": seconds}
    out, why = "", "the process that ran the query ended early"
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__).resolve())],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=seconds * len(queries) + _GRACE,
            # Nothing of ours: an extension or a view has no key to find.
            env={"PATH": os.environ.get("PATH", "")},
            check=False,
        )
        out = done.stdout
        if hasattr(signal, "SIGALRM") and done.returncode == -signal.SIGALRM:
            why = f"stopped after {seconds:g} s"
    except subprocess.TimeoutExpired as error:
        out = error.stdout.decode("utf-8", "replace") if isinstance(error.stdout, bytes) else ""
        why = f"stopped after {seconds:g} s"
    return _read(out), why


def _read(out: str) -> list[Answer]:
    found = []
    for line in out.split("\n")[:-1]:  # a line that was cut short has no end
        item = json.loads(line)
        found.append(Answer(tuple(map(tuple, item["rows"])), item["error"]))
    return found


def _opened(path: str, script: str, seconds: float) -> sqlite3.Connection:
    if path:
        uri = f"{Path(path).resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True)
    else:
        connection = sqlite3.connect(":memory:")
        connection.executescript(script)
    # Some published databases hold text that is not UTF-8.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    allowed = {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }

    def authorise(action: int, *about: Any) -> int:
        loads = action == sqlite3.SQLITE_FUNCTION and "load_extension" in map(str, about)
        good = action in allowed and not loads
        return sqlite3.SQLITE_OK if good else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorise)
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, _OPCODES)
    return connection


def _answer(path: str, script: str, query: str, seconds: float) -> dict[str, Any]:
    connection = None
    try:
        connection = _opened(path, script, seconds)
        rows = connection.execute(query).fetchmany(MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            return {"rows": [], "error": f"more than {MAX_ROWS} rows"}
        return {"rows": [[_plain(value) for value in row] for row in rows], "error": ""}
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError, OverflowError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return {
            "rows": [],
            "error": f"stopped after {seconds:g} s" if said == "interrupted" else said,
        }
    finally:
        if connection is not None:
            connection.close()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"x'{value[:MAX_VALUE].hex()}'"
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value[:MAX_VALUE] if isinstance(value, str) else value


def _bounded() -> None:
    """Hold this process to its memory, where the system can."""
    try:
        resource = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    except (ImportError, OSError, ValueError):
        return


def _alarm(seconds: float) -> None:
    """Have the system end this process after `seconds`, whatever it is in the middle of; 0: not."""
    # SQLite looks at no clock within one call of a function, so only a signal can end that.
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _main() -> None:
    _bounded()
    request = json.loads(sys.stdin.read())
    seconds = request["seconds"]
    for query in request["queries"]:
        _alarm(seconds + _LATE)
        found = _answer(request["database"], request["script"], query, seconds)
        _alarm(0)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()

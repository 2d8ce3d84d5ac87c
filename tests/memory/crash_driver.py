"""Writers that are killed while a store and its index grow; a script of its own.

`python -m tests.memory.crash_driver FOLDER INDEX PROCESSES KILLS` prints one line of JSON;
`… child FOLDER INDEX NAME` is one writer, which tells on its output what was acknowledged.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.memory.following import (
    BRANCH,
    SCOPE,
    ask,
    asked_until_it_serves,
    commit,
    new_store,
    recaller,
)
from verbalrl.errors import LeaseError
from verbalrl.memory import Recaller
from verbalrl.store import Store, open_store

PER_COMMIT = 25


def made(store: Store, index: str, folder: Path) -> Recaller:
    return Recaller(store) if index == "exact" else recaller(store, folder / "index")


def child(folder: Path, index: str, name: str) -> None:
    """Commit, tell, recall what was committed last by anybody, tell; until killed."""
    with open_store(folder / "store") as store:
        memory = made(store, index, folder)
        for turn in range(1000):
            names = [f"x{name}n{turn}m{n}" for n in range(PER_COMMIT)]
            while True:
                try:
                    with store.acquire_lease(BRANCH, name) as lease:
                        commit(store, *names, fence=lease.fence)
                    break
                except LeaseError:
                    time.sleep(0.01)
            sys.stdout.write(f"ack {names[0]}\n")
            sys.stdout.flush()
            newest = store.lessons(BRANCH, SCOPE)[-1].instruction.rpartition(" ")[2]
            found = newest in ask(memory, store, newest).text
            sys.stdout.write(f"{'found' if found else 'missed'} {newest}\n")
            sys.stdout.flush()


class Writer:
    """A child process and the lines that it told."""

    def __init__(self, folder: Path, index: str, name: str) -> None:
        command = [sys.executable, "-m", "tests.memory.crash_driver", "child"]
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [*command, str(folder), index, name], stdout=subprocess.PIPE, text=True
        )
        self.began = threading.Event()
        """Set with its first line."""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # A line may be cut by the kill.
            if line.endswith("\n"):
                self.lines.append(line.strip())
                self.began.set()

    def kill(self) -> int:
        """SIGKILL; the exit code, which is another one if it had died before."""
        self._process.send_signal(signal.SIGKILL)
        code = self._process.wait()
        self._thread.join()
        return code


def drive(folder: Path, index: str, processes: int, kills: int) -> dict[str, object]:
    """Kill one writer after the other, each replaced; what was told, and what is left."""
    new_store(folder / "store").close()
    draw = random.Random(11)
    names = iter(f"{n}" for n in range(100_000))
    writers = [Writer(folder, index, next(names)) for _ in range(processes)]
    lines: list[str] = []
    deaths: list[int] = []
    for _ in range(kills):
        victim = draw.randrange(processes)
        writers[victim].began.wait(60)
        time.sleep(draw.uniform(0.0, 0.5 if index == "exact" else 3.0))
        deaths.append(writers[victim].kill())
        lines += writers[victim].lines
        writers[victim] = Writer(folder, index, next(names))
    for writer in writers:
        deaths.append(writer.kill())
        lines += writer.lines
    acknowledged = [line.removeprefix("ack ") for line in lines if line.startswith("ack ")]
    return {
        "acknowledged": len(acknowledged),
        "missed": [line for line in lines if line.startswith("missed")],
        "found": sum(line.startswith("found") for line in lines),
        "died_otherwise": [code for code in deaths if code != -signal.SIGKILL],
        **_left(folder, index, acknowledged),
    }


def _left(folder: Path, index: str, acknowledged: list[str]) -> dict[str, object]:
    with open_store(folder / "store") as store:
        held = {x.instruction.rpartition(" ")[2] for x in store.current_lessons(BRANCH)}
        memory = made(store, index, folder)
        follower = memory.nearest.far
        if follower is not None:
            # What looked at the folder for one that was killed has it open for as long as it reads.
            asked_until_it_serves(memory, store, "x", 240)
        last = acknowledged[-20:]
        lost = [name for name in last if name not in ask(memory, store, name).text]
        result = {
            "lessons": len(held),
            "lost": [name for name in acknowledged if name not in held],
            "not_recalled": lost,
            "why_not_index": "" if follower is None else follower.reason,
            "generation": 0 if follower is None else follower.generation,
            "damage": store._read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]),
        }
        memory.close()
        return result


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        told = drive(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        sys.stdout.write(json.dumps(told))
        sys.stdout.flush()
        os._exit(0)

"""Children that propose the same lesson to one store at once: run as a script, so that no thread
is forked.

`python proposing.py together FOLDER` and `… killed FOLDER PROCESSES KILLS` print one line of JSON;
the tests judge it.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from tests.store import builders as make
from verbalrl.errors import LeaseError, StorageError
from verbalrl.records import Operation
from verbalrl.store import LIVE, open_store

CHILDREN = 8
BRANCH = make.lane().branch


def propose(folder: Path, child: int, text: str) -> None:
    """Add the lesson, or support it where it is there by now; again until it is written."""
    with open_store(folder) as store:
        while True:
            try:
                with store.acquire_lease(BRANCH, f"child {child}") as lease:
                    base = store.revision(BRANCH, "s")
                    same = [
                        x
                        for x in store.lessons(BRANCH, "s")
                        if x.status in LIVE and x.body.content == make.body(text).content
                    ]
                    seen = (make.seen(f"i{child}"),)
                    if same:
                        update = make.change(Operation.SUPPORT, same[0].id, evidence=seen)
                    else:
                        name = f"le_{text}"
                        update = make.add(name, text, evidence=seen, votes={"support": 1})
                    commit = make.a_commit(BRANCH, base, update, identity=f"cu_{text}_{child}")
                    make.wait(store.put_commit(commit, lease.fence))
                    return
            except (LeaseError, StorageError):
                time.sleep(0.005 * (child + 1))


def fork(folder: Path, child: int, text: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        propose(folder, child, text)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def together(folder: Path) -> dict[str, object]:
    """All children at once, each once."""
    with make.new_store(folder) as store:
        make.open_lane(store)
    pids = [fork(folder, child, "same") for child in range(CHILDREN)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    with open_store(folder) as store:
        lessons = store.current_lessons(BRANCH)
        return {
            "codes": codes,
            "rows": len(lessons),
            "supports": lessons[0].votes["support"],
            "episodes": len({e.episode for e in lessons[0].evidence}),
            "versions": len(store.lines(branch=BRANCH)),
        }


def killed(folder: Path, processes: int, kills: int) -> dict[str, object]:
    """Several at a time, one of them killed; what was acknowledged must be there."""
    with make.new_store(folder) as store:
        make.open_lane(store)
    acknowledged, lost = 0, 0
    for turn in range(kills):
        text = f"t{turn}"
        victim, *others = [fork(folder, child, text) for child in range(processes)]
        # Over all kills, at every moment of the first hundredths of its life.
        time.sleep(0.04 * turn / kills)
        os.kill(victim, signal.SIGKILL)
        done = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]) == 0
        for other in others:
            assert os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) == 0
        acknowledged += len(others) + done
        with open_store(folder) as store:
            found = [x for x in store.current_lessons(BRANCH) if x.id == f"le_{text}"]
            lost += len(found) != 1 or found[0].votes["support"] < len(others) + done
            lost += store.projected(BRANCH, "s") != store.replayed(BRANCH, "s")
    return {"kills": kills, "acknowledged": acknowledged, "lost": lost}


if __name__ == "__main__":
    place = Path(sys.argv[2])
    told = killed(place, *map(int, sys.argv[3:])) if sys.argv[1] == "killed" else together(place)
    sys.stdout.write(json.dumps(told))

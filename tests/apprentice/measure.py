"""Prints the apprentice's figures on the toy tasks: `python tests/apprentice/measure.py [FIRST LAST]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import mean, stdev

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import harness as h  # noqa: E402
import toys  # noqa: E402


def figure(values):
    spread = stdev(values) if len(values) > 1 else 0
    return f"{mean(values):.2f}±{spread:.2f}[{min(values):.2f}]"


GRIDS = {
    "grid 3 pits": {},
    "grid 4 pits": {"pits": 4},
    "grid 6x6 4p": {"size": 6, "pits": 4},
    "grid nohint": {"hint": False},
}
TICKETS = {
    "tickets 5q": lambda s: toys.tickets(s),
    "tickets 4q": lambda s: toys.tickets(s, queues=4),
    "tickets 2ph": lambda s: toys.tickets(s, phrases=2),
    "tickets all": lambda s: toys.tickets(s, override="all"),
    "tickets none": lambda s: toys.tickets(s, override="none"),
    "tickets 5t": lambda s: toys.tickets(s, topics=5),
    "pieces": toys.pieces,
}


def main():
    first, last = (int(x) for x in sys.argv[1:3]) if len(sys.argv) > 2 else (0, 4)
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    seeds = range(first, last + 1)
    for name, options in GRIDS.items():
        if only not in name: continue
        t = time.time()
        retry = [h.run_instances(h.Loop(), toys.fields(s, **options), s, False) for s in seeds]
        learned = [h.run_instances(h.Loop(), toys.fields(s, **options), s, True) for s in seeds]
        window = [h.run_instances(h.Loop(no_keeps=True), toys.fields(s, **options), s, True) for s in seeds]
        print(name, "none", figure([r[0] for r in retry]), "retry", figure([r[-1] for r in retry]),
              "learned", figure([r[-1] for r in learned]), "gap", figure([b[-1] - a[-1] for a, b in zip(retry, learned)]),
              "nokeeps", figure([r[-1] for r in window]), f"{time.time()-t:.0f}s", flush=True)
    for name, make in TICKETS.items():
        if only not in name: continue
        t = time.time()
        none = [h.run_test(h.Loop(), make(s).test, [], s) for s in seeds]
        runs = [h.run_shared(h.Loop(), make(s), s) for s in seeds]
        print(name, "none", figure(none), "learned", figure([r[0] for r in runs]),
              "gap", figure([r[0] - n for r, n in zip(runs, none)]), "lessons", figure([len(r[1]) for r in runs]),
              "train", [round(x, 2) for x in runs[0][2]], f"{time.time()-t:.0f}s", flush=True)


if __name__ == "__main__":
    main()

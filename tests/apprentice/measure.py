"""Prints the apprentice's figures on the toy tasks.

`python -m tests.apprentice.measure [FIRST LAST [PART OF A NAME]]`. It was tuned on seeds 0 to 4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from statistics import mean
from typing import Any

from tests.apprentice import honesty, toys
from tests.apprentice.harness import Loop, run_instances, run_shared, run_test

FIELDS: dict[str, dict[str, Any]] = {
    "field, 3 pits": {},
    "field, 4 pits": {"pits": 4},
    "field 6x6, 4 pits": {"size": 6, "pits": 4},
    "field, no hint": {"hint": False},
}
CHOICES: dict[str, Callable[[int], toys.Shared]] = {
    "tickets, 5 queues": toys.tickets,
    "tickets, 4 queues": lambda seed: toys.tickets(seed, queues=4),
    "tickets, 2 phrases a topic": lambda seed: toys.tickets(seed, phrases=2),
    "tickets, a plan overrides all": lambda seed: toys.tickets(seed, override="all"),
    "tickets, no exception": lambda seed: toys.tickets(seed, override="none"),
    "tickets, 5 topics": lambda seed: toys.tickets(seed, topics=5),
    "pieces, two cues": toys.pieces,
}


def fields(options: dict[str, Any], seeds: Iterable[int]) -> dict[str, list[float]]:
    """Figures of one kind of field by name of the arm, one for each seed."""
    found: dict[str, list[float]] = {}

    def note(arm: str, value: float) -> None:
        found.setdefault(arm, []).append(value)

    for seed in seeds:
        made = toys.fields(seed, **options)
        loop = Loop()
        learned = run_instances(loop, made, seed, learn=True)
        retry = run_instances(Loop(), made, seed)
        blank = honesty.changed(loop.trace, honesty.blanked)
        assert run_instances(Loop(), made, seed, given=blank) == retry
        note("first", retry[0])
        note("retry", retry[-1])
        note("learned", learned[-1])
        note("gap", learned[-1] - retry[-1])
        note("window only", run_instances(Loop(no_keeps=True), made, seed, learn=True)[-1])
        for name, given in (
            ("of another", honesty.of_another(loop.trace)),
            ("negated", honesty.changed(loop.trace, honesty.negated)),
        ):
            note(name, run_instances(Loop(), made, seed, given=given)[-1])
        for name, worded in (("sentence", honesty.plain_sentence), ("bare", honesty.bare_words)):
            note(name, run_instances(Loop(as_text=worded), made, seed, learn=True)[-1])
        for name, keep in (("gap renamed", True), ("gap respelled", False)):
            loop = Loop(rename=honesty.renamer(seed, keep))
            gain = run_instances(loop, made, seed, learn=True)[-1]
            note(name, gain - run_instances(loop, made, seed)[-1])
    return found


def choices(make: Callable[[int], toys.Shared], seeds: Iterable[int]) -> dict[str, list[float]]:
    """Figures of one shared task by name of the arm, one for each seed."""
    found: dict[str, list[float]] = {}

    def note(arm: str, value: float) -> None:
        found.setdefault(arm, []).append(value)

    for seed in seeds:
        task = make(seed)
        learned, lessons, _ = run_shared(Loop(), task, seed)
        none = run_test(Loop(), task.test, [], seed)
        assert run_test(Loop(), task.test, [honesty.blanked(x) for x in lessons], seed) == none
        note("none", none)
        note("learned", learned)
        note("gap", learned - none)
        note("lessons", len(lessons))
        for name, given in (
            ("re-paired", honesty.paired_anew(lessons)),
            ("negated", [honesty.negated(line) for line in lessons]),
        ):
            note(name, run_test(Loop(), task.test, given, seed))
        for name, worded in (("sentence", honesty.plain_sentence), ("bare", honesty.bare_words)):
            note(name, run_test(Loop(as_text=worded), task.test, lessons, seed))
        for name, keep in (("gap renamed", True), ("gap respelled", False)):
            loop = Loop(rename=honesty.renamer(seed, keep))
            note(name, run_shared(loop, task, seed)[0] - run_test(loop, task.test, [], seed))
    return found


def report(name: str, found: dict[str, list[float]]) -> str:
    """One line: means, and the least gap."""
    figures = ", ".join(f"{arm} {mean(values):.2f}" for arm, values in found.items())
    return f"{name}: {figures}; least gap {min(found['gap']):.2f}\n"


def main(arguments: Sequence[str]) -> None:
    """Prints a line for each task."""
    first, last = (int(a) for a in arguments[:2]) if len(arguments) > 1 else (0, 4)
    part = arguments[2] if len(arguments) > 2 else ""
    for name, options in FIELDS.items():
        if part in name:
            sys.stdout.write(report(name, fields(options, range(first, last + 1))))
    for name, make in CHOICES.items():
        if part in name:
            sys.stdout.write(report(name, choices(make, range(first, last + 1))))


if __name__ == "__main__":
    main(sys.argv[1:])

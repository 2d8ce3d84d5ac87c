"""Steps per second of the text worlds, beside a bare Python loop over the same strings.

    python -m benchmarks.worlds

Both are timed in the same process, in turn, by CPU time and the best of five rounds, so that their
ratio holds on a machine that does other things too. The bare loop has the strings of recorded
episodes at hand. For each step it folds the listed actions, looks the one taken up among them, and
puts observation and feedback together: what any text game does, without a world, without records.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from verbalrl.ids import normalised
from verbalrl.records import Action, Instance
from verbalrl.tasks import WorldTask, load_task

TASKS = ("gridnav-v1", "household-v1", "wordle-v1", "twenty-questions-v1")
INSTANCES = 60
ROUNDS = 5
LEAST = 0.1


class Seen(NamedTuple):
    """The strings of one step."""

    observation: str
    actions: tuple[str, ...]
    action: str
    feedback: str


def played(task: WorldTask, instances: Sequence[Instance], record: list[Seen] | None = None) -> int:
    """Random episodes on `instances`; the number of steps."""
    draw, count = Random(0), 0
    for instance in instances:
        environment = task.environment(instance)
        observation = environment.reset(0)
        for _ in range(task.max_steps):
            actions = observation.actions or ("",)
            text = draw.choice(actions)
            result = environment.step(Action(text=text))
            count += 1
            if record is not None:
                record.append(Seen(observation.text, actions, text, result.feedback))
            observation = result.observation
            if result.terminated:
                break
    return count


def bare(steps: Sequence[Seen]) -> int:
    """The same strings without a world."""
    size = 0
    for step in steps:
        known = {normalised(action): action for action in step.actions}
        taken = known.get(normalised(step.action), "")
        size += len(f"{step.observation} {taken} {step.feedback}")
    return size


def seconds(*works: Callable[[], object]) -> list[float]:
    """CPU of each of `works`, the best of a few rounds in which they take turns."""
    rounds = [[_taken(work) for work in works] for _ in range(ROUNDS)]
    return [min(taken) for taken in zip(*rounds, strict=True)]


def _taken(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main(arguments: Sequence[str] = ()) -> int:
    """Print a line per world; 1 when one is slower than a tenth of the bare loop."""
    del arguments
    slow = False
    for name in TASKS:
        task, steps = load_task(name), list[Seen]()
        instances = task.instances("test", 0, INSTANCES)
        played(task, instances, steps)
        ours, plain = seconds(partial(played, task, instances), partial(bare, steps))
        held = plain / ours >= LEAST
        slow = slow or not held
        print(
            f"{name:<20} {len(steps) / ours:>9,.0f} steps/s  {plain / ours:.2f} of the bare loop's "
            f"speed  {'held' if held else 'MISSED'}: at least {LEAST}"
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

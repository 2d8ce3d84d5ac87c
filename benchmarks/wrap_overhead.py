"""Time that a wrapped client adds to a call of 200 ms, beside the bare client in the same run.

Calls of both take turns against one server on loopback. Each has a conversation of 20 messages; the
wrapped ones carry about 1,500 tokens of lessons, recalled from a store, and are recorded there.
Every fifth of them is the first of an episode, so that it waits for recall too. Where Linux tells
it, p95 is given once more without the time in which the calling thread could have run and other
programs had the processor: more of that falls on a call that computes longer.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._server import running, url
from verbalrl import serve
from verbalrl.memory.review import review
from verbalrl.memory.transfer import Exported, import_lessons
from verbalrl.serving import Coach
from verbalrl.store import open_store

LATENCY_S, CALLS, GOAL = 0.2, 100, 0.05
SCOPE, LESSONS, EACH = "support", 100, 5
SAID = [{"role": ("user", "assistant")[n % 2], "content": "In transit. " * 40} for n in range(21)]


async def teach(folder: str) -> None:
    """Make a store with more active lessons than one prompt takes, about 1,500 tokens."""
    lines = [
        Exported(
            scope=SCOPE, kind="behavior", instruction=f"Look matter {n} of the order up first."
        )
        for n in range(LESSONS)
    ]
    with open_store(folder, create=True) as store:
        await import_lessons(store, lines, "main")
        names = [lesson.id for lesson in store.current_lessons("main", scope=SCOPE)]
        await review(store, names, "approve", branch="main")


def unasked(episodes: object) -> None:
    """A critic: without one nobody could learn. None is asked here."""


def ask_openai(client: Any) -> None:
    system = {"role": "system", "content": "Be brief."}
    client.chat.completions.create(model="m", messages=[system, *SAID])


def ask_anthropic(client: Any) -> None:
    client.messages.create(model="m", max_tokens=9, system="Be brief.", messages=SAID)


class Took(NamedTuple):
    """What a call took, in seconds."""

    wall: float
    cpu: float
    """Of all threads."""
    queued: float
    """For which the calling thread waited for a processor; 0 where nobody tells."""

    @property
    def alone(self) -> float:
        """As on a machine that has nothing else to do, as far as the calling thread goes."""
        return self.wall - self.queued


def took(ask: Callable[[Any], None], client: Any) -> Took:
    """Make one call."""
    queued, wall, cpu = _queued(), time.perf_counter(), time.process_time()
    ask(client)
    return Took(time.perf_counter() - wall, time.process_time() - cpu, _queued() - queued)


def _queued() -> float:
    told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0


def alternating(
    coach: Coach, ask: Callable[[Any], None], bare: Any, calls: int
) -> list[list[Took]]:
    """What a bare and a wrapped call took, pair by pair; which is first changes each time."""
    wrapped, pairs = coach.wrap(bare), list[list[Took]]()
    for first in range(0, calls, EACH):
        with coach.episode(goal="Where is my order?") as episode:
            for n in range(first, first + EACH):
                turn = (bare, wrapped)[:: 1 - 2 * (n % 2)]
                pairs.append([took(ask, client) for client in turn][:: 1 - 2 * (n % 2)])
        assert "Look matter" in episode.guidance
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert len(kept.trajectory.steps) == EACH
    return pairs


def compare(name: str, bare: Any, ask: Callable[[Any], None], calls: int) -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(teach(folder))
        with serve(folder, SCOPE, critic=unasked, strict=True) as coach:
            ask(bare)
            alternating(coach, ask, bare, EACH)
            pairs = alternating(coach, ask, bare, calls)
    without, with_us = ([pair[k] for pair in pairs] for k in (0, 1))
    slowest = p95([t.wall for t in without])
    added = p95([t.wall for t in with_us]) - slowest
    alone = p95([t.alone for t in with_us]) - p95([t.alone for t in without])
    more = [(wrapped.wall - bare.wall) * 1e3 for bare, wrapped in pairs]
    first, later = (statistics.median(part) for part in (more[::EACH], _later(more)))
    cpu = statistics.mean(t.cpu for t in with_us) - statistics.mean(t.cpu for t in without)
    told = "holds" if added <= GOAL * LATENCY_S else "MISSED"
    print(
        f"{name}: p95 {slowest * 1e3:.1f} ms bare,"
        f" {added * 1e3:+.2f} ms wrapped = {added / LATENCY_S:+.1%} of a call"
        f" (goal at most {GOAL:.0%}: {told}); without waits for a processor"
        f" {alone * 1e3:+.2f} ms = {alone / LATENCY_S:+.1%}; median {first:+.2f} ms of first calls,"
        f" {later:+.2f} ms of later ones; CPU {cpu * 1e3:+.2f} ms"
    )


def _later(values: list[float]) -> list[float]:
    return [value for n, value in enumerate(values) if n % EACH]


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(len(values) * 0.95)]


def main() -> None:
    """Print one line per SDK; an argument sets the number of calls."""
    import anthropic
    import openai

    calls = int(sys.argv[-1]) if sys.argv[-1].isdigit() else CALLS
    with running(LATENCY_S) as port:
        with openai.OpenAI(api_key="none", base_url=url("openai", port)) as speaks:
            compare("openai chat", speaks, ask_openai, calls)
        with anthropic.Anthropic(api_key="none", base_url=url("anthropic", port)) as says:
            compare("anthropic messages", says, ask_anthropic, calls)


if __name__ == "__main__":
    main()

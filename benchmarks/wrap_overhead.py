"""Time that a wrapped client adds to a call of 200 ms, beside the bare client in the same run.

Calls of both take turns against one server on loopback. Each has a conversation of 20 messages and
guidance of about 1,500 tokens; the episode keeps what it is told and stores nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks._server import running, url
from verbalrl.wrap import Blocks, Exchange, wrap

LATENCY_S, CALLS, GOAL = 0.2, 100, 0.05
SAID = [{"role": ("user", "assistant")[n % 2], "content": "In transit. " * 40} for n in range(21)]


class Episode:
    """An episode whose memory costs nothing."""

    def __init__(self) -> None:
        self.kept: list[Exchange] = []
        line = "- When a customer asks: look up the order first.\n"
        block = f"<guidance>\n{line * 50}</guidance>"
        self._blocks = Blocks(block, block.replace("customer", "dealer"))

    def see(self, request: tuple[Mapping[str, Any], ...]) -> None:
        """Nothing is looked up."""

    def blocks(self) -> Blocks:
        """Always the same."""
        return self._blocks

    def record(self, exchange: Exchange) -> None:
        """Kept in a list."""
        self.kept.append(exchange)


class Coach:
    """A coach with one episode."""

    strict = True

    def __init__(self, episode: Episode) -> None:
        self._episode = episode

    def current(self) -> Episode:
        """That episode."""
        return self._episode


def ask_openai(client: Any) -> None:
    system = {"role": "system", "content": "Be brief."}
    client.chat.completions.create(model="m", messages=[system, *SAID])


def ask_anthropic(client: Any) -> None:
    client.messages.create(model="m", max_tokens=9, system="Be brief.", messages=SAID)


def seconds(ask: Callable[[Any], None], client: Any) -> tuple[float, float]:
    """Wall and CPU time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    ask(client)
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(name: str, bare: Any, ask: Callable[[Any], None], calls: int) -> None:
    """Print one line."""
    episode = Episode()
    clients = (bare, wrap(bare, Coach(episode)))
    for client in clients:
        ask(client)
    # Which of them is first alternates, so that what drifts hits both.
    rounds = [[seconds(ask, c) for c in clients[:: 1 - 2 * (n % 2)]] for n in range(calls)]
    turned = [pair[:: 1 - 2 * (n % 2)] for n, pair in enumerate(rounds)]
    without, with_us = ([r[k] for r in turned] for k in (0, 1))
    assert len(episode.kept) == calls + 1
    added = p95([w for w, _ in with_us]) - p95([w for w, _ in without])
    median = statistics.median(a[0] - b[0] for a, b in zip(with_us, without, strict=True))
    cpu = statistics.mean(c for _, c in with_us) - statistics.mean(c for _, c in without)
    told = "holds" if added <= GOAL * LATENCY_S else "MISSED"
    rest = f"median {median * 1e3:+.2f} ms, CPU {cpu * 1e3:+.2f} ms"
    print(
        f"{name}: p95 {p95([w for w, _ in without]) * 1e3:.1f} ms bare,"
        f" {added * 1e3:+.2f} ms wrapped = {added / LATENCY_S:+.1%} of a call"
        f" (goal at most {GOAL:.0%}: {told}); {rest}"
    )


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

"""What the loop costs above the bare SDK, and how well it fills its slots.

    python -m benchmarks.loop --api openai --latency 0.2 --instances 128 --steps 6

A server of fixed latency on loopback, in a process of its own, answers over HTTP. All figures hold
for one machine and one run of this command; compare ratios and CPU, not seconds.

*CPU per call*: the process time of a run of `ChatAgent` with a store, all of it, over its calls,
beside the process time of the same requests sent with the bare SDK by as many tasks as there are
calls in flight. The bare SDK is `create` of its own client, on the transport of the run, with
nothing of ours below; the last figure is that client as it comes, on httpx. The median of the
repeats.

*Slots in use*: calls × latency / (slots × wall), the time in which the server really worked on an
answer over what the slots could have had; the wall includes making the learner and the store, the
first wave and the last. Modules are loaded before.

*Efficiency*: the ideal wall time of what was asked over the wall time. The ideal is a lower bound
in whole waves of one latency, taken from the journal: in each round of an arm and seed the longest
lane (the calls of one instance come one after the other) or all its calls over the slots, whichever
is more; then its curation, groups side by side and the merging call after them; summed over rounds,
and never less than all calls of the run over the slots. Beside it, what the bare SDK reaches: the
same requests in the same rounds, lanes and curations, by as many tasks and with nothing between a
reply and the next request (a run has at most 100 requests in flight, the SDK's own client 1,000).
It tells a slow loop from a busy machine. It is not a ceiling: requests that are begun together
advance together in an event loop, and all leave late; with one built after the other it gets
further (`docs/performance.md`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from itertools import cycle, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import verbalrl as vrl
from benchmarks import _server
from benchmarks._walk import walks
from verbalrl.methods import Method
from verbalrl.models import Model, load_model
from verbalrl.models.transport import Transport

GOALS = {"cpu": 0.0015, ("reflexion", 32): 0.8, ("handbook", 32): 0.6}
EFFICIENCY = {32: 0.9, 128: 0.6}


class Written(NamedTuple):
    """One request as the SDK's method gets it."""

    arguments: dict[str, Any]
    headers: dict[str, str]


def model_at(api: str, port: int, transport: Transport = "fastest") -> Model:
    """The model behind the server."""
    url = _server.url(api, port)
    return load_model(f"{api}:bench", base_url=url, offline=True, transport=transport)


async def run(task: Any, model: Model, method: Method, slots: int, **settings: Any) -> Ran:
    """One run in a store of its own, with all that belongs to it."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        learner = vrl.Learner(
            vrl.ChatAgent(model),
            method=method,
            store=folder,
            limits=vrl.Limits(concurrency=slots),
        )
        result = await learner.run(task, **settings)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        await model.aclose()
        tokens = [t for arm in result.arms.values() for t in arm["tokens"].values()]
        calls = sum(t["calls"] for t in tokens)
        return Ran(calls, wall, cpu, streams_of(Path(folder)))


class Round(NamedTuple):
    """The calls of one round."""

    lanes: list[int]
    """By instance; they come one after the other."""
    curation: int = 0
    """Calls of the curation that comes after; the last of them merges the others."""


class Ran(NamedTuple):
    """What one run took."""

    calls: int
    wall: float
    cpu: float
    streams: list[list[Round]]
    """By arm and seed, the rounds in their order."""


LANES = """
SELECT e.arm, e.seed, e.round, e.instance, count(*) FROM calls c
  LEFT JOIN critique_episodes k ON k.critique = c.owner AND k.i = 0
  JOIN episodes e ON e.id = coalesce(k.episode, c.owner)
  GROUP BY 1, 2, 3, 4
"""
COMMITS = """
SELECT m.branch, count(*) FROM calls c JOIN commits m ON m.id = c.owner
  GROUP BY m.id ORDER BY m.rowid
"""


def streams_of(folder: Path) -> list[list[Round]]:
    """The journaled calls of a run, by arm and seed, in their rounds."""
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        lanes = connection.execute(LANES).fetchall()
        commits = connection.execute(COMMITS).fetchall()
    rounds: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for arm, seed, number, _instance, calls in lanes:
        rounds[f"{arm}/{seed}"][number].append(calls)
    curated: dict[str, list[int]] = defaultdict(list)
    for branch, calls in commits:
        curated[branch.partition("/")[2]].append(calls)
    return [
        [
            Round(by_number[number], curation)
            for number, curation in zip_longest(sorted(by_number), curated[stream], fillvalue=0)
        ]
        for stream, by_number in rounds.items()
    ]


def ideal_waves(streams: Sequence[Sequence[Round]], slots: int) -> int:
    """The least number of latencies in which the calls of a run fit; see above."""
    total = sum(sum(r.lanes) + r.curation for rounds in streams for r in rounds)
    return max(*(sum(waves(r, slots) for r in rounds) for rounds in streams), over(total, slots))


def waves(of: Round, slots: int) -> int:
    """The least number of latencies in which one round fits, its curation included."""
    curation = over(of.curation - 1, slots) + 1 if of.curation else 0
    return max(max(of.lanes), over(sum(of.lanes), slots)) + curation


def over(calls: int, slots: int) -> int:
    """Waves that `calls` take."""
    return -(-calls // slots)


def sender(model: Any, client: Any) -> Callable[[Written], Awaitable[Any]]:
    """What sends a request with the bare SDK: `create` of the protocol."""
    create = {
        "openai": lambda: client.chat.completions.create,
        "openai-responses": lambda: client.responses.create,
        "anthropic": lambda: client.messages.create,
    }[model.provider]()
    return lambda request: create(**request.arguments, extra_headers=request.headers)


def bare_client(model: Any, *, as_it_comes: bool = False) -> Any:
    """The SDK's client with its own HTTP, on the transport of `model` or as it comes."""
    ours = model.client()
    below: Any = type(ours._client).__base__
    if as_it_comes:
        below = model.sdk().module.DefaultAsyncHttpxClient
    return ours.copy(http_client=below())


async def bare(
    model: Any, requests: Sequence[Written], in_flight: int, *, as_it_comes: bool = False
) -> float:
    """CPU seconds of sending `requests` with the bare SDK."""
    client = bare_client(model, as_it_comes=as_it_comes)
    send = sender(model, client)
    left = iter(requests)

    async def work() -> None:
        for request in left:
            await send(request)

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    spent = time.process_time() - before
    await client.close()
    return spent


async def bare_wall(
    model: Any, requests: Sequence[Written], streams: Sequence[Sequence[Round]], slots: int
) -> float:
    """Seconds in which the bare SDK sends `requests` in the rounds of `streams`."""
    began = time.perf_counter()
    client = bare_client(model)
    send, left, free = sender(model, client), cycle(requests), asyncio.Semaphore(slots)

    async def lane(calls: int) -> None:
        for _ in range(calls):
            async with free:
                await send(next(left))

    async def stream(rounds: Sequence[Round]) -> None:
        for each in rounds:
            await asyncio.gather(*map(lane, each.lanes))
            if each.curation:
                await asyncio.gather(*(lane(1) for _ in range(each.curation - 1)))
                await lane(1)

    await asyncio.gather(*map(stream, streams))
    await client.close()
    return time.perf_counter() - began


def recorded(model: Any) -> list[Written]:
    """A list that fills with what `model` sends."""
    requests: list[Written] = []
    send = model.send

    def recording(client: Any, written: dict[str, Any], headers: dict[str, str]) -> Any:
        requests.append(Written(written, headers))
        return send(client, written, headers)

    model.send = recording
    return requests


async def cpu_per_call(api: str, port: int, in_flight: int, given: Any) -> list[float]:
    """Seconds per call: of a run, of the bare SDK, and of the bare SDK as it comes."""
    task, method = walks(given.steps), vrl.methods.reflexion(trials=1)
    settings: dict[str, Any] = {"instances": given.instances, "arms": ("none",)}
    first = model_at(api, port, given.transport)
    requests = recorded(first)
    await run(task, first, method, in_flight, **settings)
    taken: list[list[float]] = [[], [], []]
    for _ in range(given.repeats):
        done = await run(task, model_at(api, port, given.transport), method, in_flight, **settings)
        assert done.calls == len(requests)
        taken[0].append(done.cpu)
        for n, as_it_comes in ((1, False), (2, True)):
            model = model_at(api, port, given.transport)
            taken[n].append(await bare(model, requests, in_flight, as_it_comes=as_it_comes))
    return [statistics.median(each) / len(requests) for each in taken]


def cpu_figures(given: Any) -> bool:
    """Print the CPU per call; True when the goal is met."""
    met = True
    for api in given.api:
        for in_flight in given.in_flight:
            # One at a time the latency only makes it longer.
            with _server.running(0.005 if in_flight == 1 else given.latency) as port:
                ours, theirs, default = asyncio.run(cpu_per_call(api, port, in_flight, given))
            above = ours - theirs
            met = met and above <= GOALS["cpu"]
            print(
                f"  {api:<17}{in_flight:>4} in flight  {1e3 * ours:.2f} ms, bare SDK"
                f" {1e3 * theirs:.2f} ms: {1e3 * above:+.2f} ms, ×{ours / theirs:.2f}"
                f"  {verdict(above <= GOALS['cpu'])}"
                f"  (as it comes {1e3 * default:.2f} ms: ×{ours / default:.2f})",
                flush=True,
            )
    return met


async def beside_bare(
    given: Any, port: int, method: Method, slots: int, settings: dict[str, Any]
) -> tuple[Ran, float]:
    """A run, and the seconds that the bare SDK needs for the same calls."""
    model = model_at(given.api[0], port, given.transport)
    requests = recorded(model)
    done = await run(walks(given.steps), model, method, slots, **settings)
    bare_model = model_at(given.api[0], port, given.transport)
    return done, await bare_wall(bare_model, requests, done.streams, slots)


def loop_figures(given: Any) -> bool:
    """Print slots in use and efficiency; True when the goals are met."""
    met = True
    methods: dict[str, Method] = {
        "reflexion": vrl.methods.reflexion(),
        "handbook": vrl.methods.handbook(),
    }
    # Modules are loaded on use: `benchmarks.import_cost` has what they take.
    with _server.running(0.005) as port:
        first = model_at(given.api[0], port, given.transport)
        asyncio.run(run(walks(given.steps), first, methods["reflexion"], 1, instances=1))
    for slots in given.slots:
        for name, method in methods.items():
            settings: dict[str, Any] = {"instances": given.instances}
            if name == "handbook":
                settings = {"train_instances": given.instances, "instances": 32}
            with _server.running(given.latency) as port:
                settings |= {"arms": tuple(given.arms), "seeds": given.seeds}
                done, theirs = asyncio.run(beside_bare(given, port, method, slots, settings))
            in_use = done.calls * given.latency / (slots * done.wall)
            ideal = ideal_waves(done.streams, slots) * given.latency
            efficiency = ideal / done.wall
            goal = GOALS.get((name, slots), 0.0)
            holds = in_use >= goal and efficiency >= EFFICIENCY.get(slots, 0.0)
            met = met and holds
            print(
                f"  {name:<10}{slots:>4} slots  {done.calls} calls  {done.wall:.1f} s"
                f"  slots in use {in_use:.0%}  efficiency {efficiency:.2f}, bare SDK"
                f" {ideal / theirs:.2f}: ×{theirs / done.wall:.2f}"
                f"  CPU {1e3 * done.cpu / done.calls:.2f} ms per call  {verdict(holds)}",
                flush=True,
            )
    return met


def verdict(holds: bool) -> str:
    """The last word of a line."""
    return "met" if holds else "MISSED"


def numbers(text: str) -> tuple[int, ...]:
    """`1,32,128` as numbers."""
    return tuple(int(part) for part in text.split(","))


def main(arguments: Iterable[str] = ()) -> int:
    """Print all figures; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", action="append", choices=tuple(_server.APIS))
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--instances", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--seeds", type=numbers, default=(0,))
    parser.add_argument("--arms", type=lambda text: text.split(","), default=["learned"])
    parser.add_argument("--slots", type=numbers, default=(32, 128))
    parser.add_argument("--in-flight", type=numbers, default=(1, 32, 128))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--transport", choices=("fastest", "httpx"), default="fastest")
    parser.add_argument("--only", choices=("cpu", "loop"))
    given = parser.parse_args(list(arguments))
    given.api = given.api or list(_server.APIS)
    print(
        f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs, latency {given.latency:g} s,"
        f" transport {given.transport}"
    )
    met = True
    if given.only != "loop":
        print(f"CPU per call, {given.instances} instances × {given.steps} steps")
        met = cpu_figures(given) and met
    if given.only != "cpu":
        print(f"loops, {given.instances} instances × {given.steps} steps, arms {given.arms}")
        met = loop_figures(given) and met
    return int(not met)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The limiter learns how much a server takes, waits when it is told to, and forgets nobody."""

from __future__ import annotations

import asyncio
import heapq
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from random import Random
from typing import Any

import pytest

from tests.models.faultd import APIS, Asked, Faultd
from verbalrl.errors import ProviderDown
from verbalrl.models import Message, Request, RetryPolicy, load_model
from verbalrl.models.limiter import Limiter, limiter_of
from verbalrl.models.retry import Transient

POLICY = RetryPolicy(attempts=12, first_wait_s=0.01, backoff_cap_s=0.05)


class Narrow:
    """Something that takes `room` requests at a time and refuses what is more."""

    def __init__(self, room: int, wait_s: float | None = None, takes_s: float = 0.002) -> None:
        self.room, self.wait_s, self.takes_s = room, wait_s, takes_s
        self.busy = self.refused = 0
        self.order: list[str] = []

    async def __call__(self, name: str = "") -> str:
        if self.busy >= self.room:
            self.refused += 1
            raise Transient("429", self.wait_s, overloaded=True)
        self.busy += 1
        self.order.append(name)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.busy -= 1
        return "ok"


def called(
    limiter: Limiter, server: Narrow, role: str = "actor", policy: RetryPolicy = POLICY
) -> Callable[[str], Awaitable[str]]:
    async def call(name: str = "") -> str:
        turn = limiter.turn(role, policy)
        await turn.take()
        try:
            return await policy.call(lambda: turn.send(lambda: server(name)), "m")
        finally:
            turn.give_back()

    return call


class Deaf(Limiter):
    """A limiter that hears no complaint: what there would be without one."""

    def overloaded(self, *_: Any) -> None:
        return None


def test_fewer_refusals_than_without_and_every_call_succeeds() -> None:
    refused = {}
    for limiter in (Limiter("x"), Deaf("x")):
        server = Narrow(room=5)

        async def run(limiter: Limiter = limiter, server: Narrow = server) -> list[str]:
            call = called(limiter, server, policy=RetryPolicy(attempts=60, first_wait_s=0.001))
            return await asyncio.gather(*(call(str(n)) for n in range(120)))

        assert asyncio.run(run()) == ["ok"] * 120
        assert set(server.order) == {str(n) for n in range(120)}
        assert limiter.in_flight == 0
        refused[type(limiter)] = server.refused
    assert refused[Limiter] < refused[Deaf] / 2


def test_one_halving_per_window_and_one_more_per_window_of_answers() -> None:
    limiter = Limiter("x", ceiling=32)
    limiter.in_flight = 32
    for _ in range(20):
        limiter.overloaded(0, POLICY, None)
    assert (limiter.limit, limiter.window) == (16, 1)
    limiter.overloaded(1, POLICY, None)
    limiter.overloaded(2, POLICY, None)
    assert limiter.limit == 4
    for _ in range(3):
        limiter.answered(3)
        limiter.answered(1)
    assert limiter.limit == 4
    limiter.answered(3)
    assert limiter.limit == 5
    for window in range(3, 9):
        limiter.overloaded(window, POLICY, None)
    assert limiter.limit == 1


def test_answers_widen_only_what_is_full_and_never_beyond_the_ceiling() -> None:
    limiter = Limiter("x", ceiling=3)
    limiter.in_flight = 3
    limiter.overloaded(0, POLICY, None)
    assert limiter.limit == 1
    limiter.in_flight = 0
    limiter.answered(1)
    assert limiter.limit == 1
    limiter.in_flight = 3
    for _ in range(50):
        limiter.answered(1)
    assert limiter.limit == 3


def test_urgent_calls_go_first_and_a_retry_keeps_its_place() -> None:
    async def run() -> list[str]:
        limiter, server = Limiter("x", ceiling=1), Narrow(room=9)
        failing = iter([True])

        async def refused_once() -> str:
            if next(failing, False):
                await asyncio.sleep(0.01)
                raise Transient("500")
            return await server("first")

        now = RetryPolicy(sleep=lambda _: asyncio.sleep(0))
        turn = limiter.turn("actor", now)
        await turn.take()
        first = asyncio.create_task(now.call(lambda: turn.send(refused_once), "m"))
        others = [
            asyncio.ensure_future(called(limiter, server, role, now)(name))
            for name, role in [
                ("actor 1", "actor"), ("actor 2", "actor"), ("critic", "critic"),
                ("curator", "curator"),
            ]
        ]  # fmt: skip
        await asyncio.gather(first, *others)
        return server.order

    assert asyncio.run(run()) == ["curator", "critic", "first", "actor 1", "actor 2"]


def test_nobody_sends_before_the_time_that_the_server_named() -> None:
    now, sent = 100.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        now = max(now, now + seconds)
        await asyncio.sleep(0)

    policy = RetryPolicy(sleep=sleep, clock=lambda: now)

    async def attempt() -> str:
        sent.append(now)
        if len(sent) == 1:
            raise Transient("429", 30.0, overloaded=True)
        return "ok"

    async def run() -> list[str]:
        limiter = Limiter("x", ceiling=1)

        async def call() -> str:
            turn = limiter.turn("actor", policy)
            return await policy.call(lambda: turn.send(attempt), "m")

        return await asyncio.gather(*(call() for _ in range(6)))

    assert asyncio.run(run()) == ["ok"] * 6
    assert sent[0] == 100.0
    assert all(at >= 130.0 for at in sent[1:])


def test_a_time_that_nobody_waits_for_holds_up_nobody() -> None:
    async def run() -> str:
        limiter = Limiter("x")

        async def refused() -> str:
            raise Transient("429", 9999.0, overloaded=True)

        turn = limiter.turn("actor", POLICY)
        with pytest.raises(ProviderDown):
            await POLICY.call(lambda: turn.send(refused), "m")
        return await called(limiter, Narrow(1))("next")

    assert asyncio.run(asyncio.wait_for(run(), 5)) == "ok"


def test_the_wait_for_the_first_turn_is_not_under_the_deadline() -> None:
    async def run() -> list[str]:
        limiter, server = Limiter("x", ceiling=1), Narrow(room=1, takes_s=0.02)
        slow = RetryPolicy(deadline_s=1.0)
        call = called(limiter, server, policy=slow)
        return await asyncio.gather(*(call(str(n)) for n in range(75)))

    # 75 calls of 20 ms, one after the other: the last ones wait longer than their deadline, which
    # none of them comes near to by itself.
    assert asyncio.run(run()) == ["ok"] * 75


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_cancelled_call_does_not_lose_the_turn(handed_over: bool) -> None:
    async def run() -> int:
        limiter, server = Limiter("x", ceiling=1), Narrow(room=1)
        turn = limiter.turn("actor", POLICY)
        await turn.take()
        waiting = asyncio.ensure_future(called(limiter, server)("a"))
        other = asyncio.ensure_future(called(limiter, server)("b"))
        await asyncio.sleep(0)
        if handed_over:
            turn.give_back()
        waiting.cancel()
        await asyncio.sleep(0)
        turn.give_back()
        await asyncio.wait_for(other, 5)
        return limiter.in_flight

    assert asyncio.run(run()) == 0


class Timeline:
    """Time that stands still while anything is on its way, so that no load changes what is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held = 0
        """Requests that the server works on; they are waits of its own thread."""
        self._moving = 0
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, bool, Future[None]]] = []
        self._waits = 0

    async def wait(self, seconds: float, *, at_server: bool = False) -> None:
        over: Future[None] = Future()
        with self._lock:
            self._waits += 1
            self.held += at_server
            heapq.heappush(self._due, (self.now + seconds, self._waits, at_server, over))
        await asyncio.wrap_future(over)
        self._moving -= not at_server

    async def pass_by(self, limiter: Limiter) -> None:
        """End what is due first, whenever all requests that are in flight are worked on."""
        while True:
            await asyncio.sleep(0.0005)
            with self._lock:
                if self._moving or limiter.in_flight != self.held or not self._due:
                    continue
                self.now, _, at_server, over = heapq.heappop(self._due)
                self.held -= at_server
                self._moving += not at_server
            over.set_result(None)


class Crowded(Faultd):
    """A server that takes `room` requests at a time; more get a 429."""

    room, busy, refused = 4, 0, 0
    timeline: Timeline

    async def _answer(self, asked: Asked, fault: str, writer: asyncio.StreamWriter) -> bool:
        if self.busy >= self.room:
            self.refused += 1
            return await super()._answer(asked, "429", writer)
        self.busy += 1
        try:
            await self.timeline.wait(0.01, at_server=True)
            return await super()._answer(asked, fault, writer)
        finally:
            self.busy -= 1


def crowd(api: str, calls: int = 32) -> tuple[int, Counter[str]]:
    """How often a crowd at a narrow server was refused, and the answers."""
    with Crowded(lambda asked: json.dumps(asked.messages[-1][1])) as server:
        assert isinstance(server, Crowded)
        server.timeline = timeline = Timeline()
        policy = RetryPolicy(
            attempts=40,
            first_wait_s=0.01,
            backoff_cap_s=0.02,
            sleep=timeline.wait,
            clock=lambda: timeline.now,
            chance=Random(0).random,
        )
        url = server.url(api)
        model = load_model(f"{api}:any", base_url=url, offline=True, policy=policy)

        async def run() -> list[str]:
            async def ask(n: int) -> str:
                message = Message(role="user", text=str(n))
                return (await model.complete(Request(messages=(message,)))).text

            limiter = limiter_of(f"{api.partition('-')[0]} {url}")
            passing = asyncio.ensure_future(timeline.pass_by(limiter))
            try:
                return await asyncio.gather(*map(ask, range(calls)))
            finally:
                passing.cancel()
                await model.aclose()

        answers = Counter(asyncio.run(run()))
        return server.refused, answers


@pytest.mark.parametrize("api", APIS)
def test_a_narrow_server_is_asked_less_over_http(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limited, answers = crowd(api)
    assert answers == Counter(f'"{n}"' for n in range(32))
    monkeypatch.setattr(Limiter, "overloaded", Deaf.overloaded)
    unlimited, same = crowd(api)
    assert same == answers
    assert limited < unlimited / 3


def test_models_at_one_server_share_a_limiter_and_loops_do_not() -> None:
    async def found() -> Limiter:
        assert limiter_of("openai http://a") is limiter_of("openai http://a")
        assert limiter_of("openai http://a") is not limiter_of("anthropic http://a")
        return limiter_of("openai http://a")

    assert asyncio.run(found()) is not asyncio.run(found())

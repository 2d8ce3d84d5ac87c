"""The benchmark of the loop: its server, what it counts, and what it calls ideal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _server
from benchmarks.flat import Sample, measure, slope
from benchmarks.loop import (
    Round,
    bare,
    bare_client,
    bare_wall,
    ideal_waves,
    model_at,
    over,
    recorded,
    run,
)
from tests.loop.world import safes
from verbalrl.methods import handbook, reflexion


@pytest.mark.parametrize("api", _server.APIS)
def test_calls_and_ideal_waves_follow_from_the_journal(api: str) -> None:
    with _server.running(0.0) as port:
        # Four lanes of two steps, a critique and two steps more, on two slots.
        done = asyncio.run(
            run(
                safes("green green green", *["red red red"] * 3),
                model_at(api, port),
                reflexion(trials=2),
                2,
                arms=("learned",),
            )
        )
    assert (done.calls, ideal_waves(done.streams, 2)) == (20, 10)


def test_a_round_waits_for_its_longest_lane_and_its_curation() -> None:
    with _server.running(0.0) as port:
        settings = {"train_instances": 9, "instances": 1, "arms": ("learned",)}
        task = safes(*["blue blue blue"] * 9, test=["blue blue blue"])
        method = handbook(trials=1)
        done = asyncio.run(run(task, model_at("openai", port), method, 32, **settings))
    # 9 lanes of 2 steps and a critique; 2 groups and a merge; one test lane of 2 steps.
    assert done.streams == [[Round([3] * 9, 3), Round([2])]]
    assert (done.calls, ideal_waves(done.streams, 32)) == (27 + 3 + 2, 3 + 2 + 2)


def test_the_bare_sdk_sends_what_the_run_sent() -> None:
    with _server.running(0.0) as port:
        model = model_at("anthropic", port)
        requests = recorded(model)
        task = safes("red red red", "blue blue blue")
        done = asyncio.run(run(task, model, reflexion(trials=1), 2, arms=("none",)))
        assert len(requests) == done.calls == 4
        assert asyncio.run(bare(model_at("anthropic", port), requests, 2)) > 0


@pytest.mark.parametrize("api", _server.APIS)
def test_nothing_of_ours_is_below_the_bare_sdk(api: str) -> None:
    async def look() -> None:
        model: Any = model_at(api, 1)
        sdk = model.sdk().module
        ours, theirs = model.client(), bare_client(model)
        assert type(theirs._client) is sdk.DefaultAioHttpClient
        assert type(bare_client(model, as_it_comes=True)._client) is sdk.DefaultAsyncHttpxClient
        assert (theirs.base_url, theirs.max_retries) == (ours.base_url, 0)
        # What is joined but once for ours.
        assert "_prepare_url" in vars(ours)
        assert "_prepare_url" not in vars(theirs)

    asyncio.run(look())


def test_the_bare_sdk_is_asked_by_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def recording(model: Any, *, as_it_comes: bool = False) -> Any:
        made.append(as_it_comes)
        return bare_client(model, as_it_comes=as_it_comes)

    monkeypatch.setattr("benchmarks.loop.bare_client", recording)
    asyncio.run(bare(model_at("openai", 1), [], 1))
    asyncio.run(bare(model_at("openai", 1), [], 1, as_it_comes=True))
    asyncio.run(bare_wall(model_at("openai", 1), [], [], 1))
    assert made == [False, True, False]


def test_the_bare_sdk_keeps_to_the_plan_of_the_run() -> None:
    latency, streams = 0.02, [[Round([2, 1, 1], 3), Round([1])], [Round([3])]]
    with _server.running(latency) as port:
        model = model_at("openai", port)
        requests = recorded(model)
        asyncio.run(run(safes("red red red"), model, reflexion(trials=1), 2, arms=("none",)))
        wall = asyncio.run(bare_wall(model_at("openai", port), requests, streams, 8))
    # Two steps, a curation of two waves, one step: no sooner, however fast the machine.
    assert wall >= ideal_waves(streams, 8) * latency == 5 * latency


def test_over_rounds_up() -> None:
    assert [over(n, 32) for n in (0, 1, 32, 33)] == [0, 1, 1, 2]


def test_the_slope_is_that_of_a_line() -> None:
    assert slope([Sample(n, 500 + 3 * n, 0, 0) for n in range(5)]) == pytest.approx(3.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_stays_flat_and_files_are_closed() -> None:
    samples = asyncio.run(measure(3000, 10, 2))
    half = samples[len(samples) // 2 :]
    assert slope(half) < 4 * 1024
    assert min(s.files for s in half) <= min(s.files for s in samples[1 : len(samples) // 2])

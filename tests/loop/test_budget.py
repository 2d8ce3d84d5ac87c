"""A run stops where its budget ends, keeps what it paid for, and goes on with a larger one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import budget as bench
from tests.loop.child import session
from tests.loop.test_resume import REFLEXION, Session, keys, paid_once, reached, read
from tests.loop.world import Player, pressing, rows, run, safes
from verbalrl import Budget, ChatAgent, Learner, Limits, ScriptedModel, load_task
from verbalrl.errors import ConfigurationError, RunHalted
from verbalrl.methods import reflexion
from verbalrl.models import Model, OfflineModel, Reply, Request
from verbalrl.records import CallRecord, Situation, Usage
from verbalrl.result import RunResult
from verbalrl.rollout import Hook
from verbalrl.store import Store, open_store

SMALL: dict[str, Any] = {
    **REFLEXION,
    "concurrency": 4,
    "run": {"instances": 3, "seeds": [0], "arms": ("retry", "learned")},
}


@pytest.mark.parametrize("slots", [1, 8, 32])
@pytest.mark.parametrize("bound", ["tokens", "cost_usd"])
def test_no_overshoot_and_no_call_twice(bound: str, slots: int) -> None:
    row = bench.stopped(3, slots, bound, bench.whole(3))
    assert (row.over_tokens, row.over_usd, row.repeated) == (0, 0.0, 0)
    assert row.stopped
    assert row.same


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(20))
def test_no_overshoot_over_many_seeds(seed: int) -> None:
    there = bench.whole(seed)
    for slots in (1, 8, 32):
        for bound in ("tokens", "cost_usd"):
            row = bench.stopped(seed, slots, bound, there)
            assert (row.over_tokens, row.over_usd, row.repeated) == (0, 0.0, 0)
            assert row.same


def test_a_killed_run_keeps_its_bill(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    result = session({**SMALL, "longest": 0.0}, tmp_path / "whole" / "s", tmp_path / "w.txt")
    there = reached(result.figures, len(keys(tmp_path / "w.txt")))
    child = Session(SMALL, tmp_path, 0, most=30)
    child.kill()
    (first,) = read(tmp_path, "SELECT id FROM runs")
    kept = read(tmp_path, "SELECT usage FROM calls ORDER BY seq")
    billed = sum(u["input"] + u["output"] for u in map(json.loads, kept))
    asked, journals = [keys(child.calls)], [set(read(tmp_path, "SELECT key FROM calls"))]
    for turn, bounds in enumerate(({"tokens": billed + 9_000}, {"calls": 10_000}), start=1):
        calls = tmp_path / f"calls-{turn}.txt"
        case = {**SMALL, "budget": {"max_output": 1_500, **bounds}}
        result = session(case, tmp_path / "store", calls, resume=first, turn=turn)
        if turn == 1:
            # What the killed session paid is no longer to be had.
            assert result.figures["status"] == "stopped"
            assert billed < spent(result)["tokens"] <= billed + 9_000
        asked.append(keys(calls))
        journals.append(set(read(tmp_path, "SELECT key FROM calls")))
    paid_once(asked, journals, SMALL["concurrency"])
    assert spent(result)["calls"] == len(read(tmp_path, "SELECT key FROM calls"))
    assert reached(result.figures, len({k for s in asked for k in s})) == there


def learner(store: Store | Path, model: Model, *, slots: int = 2, **bounds: Any) -> Learner:
    return Learner(
        ChatAgent(model),
        method=reflexion(trials=2),
        store=store,
        limits=Limits(concurrency=slots, budget=Budget(**bounds)),
    )


def spent(result: RunResult) -> Any:
    """What the run has spent over all its sessions."""
    budget: Any = result.figures["budget"]
    return budget["spent"]


GRID: dict[str, Any] = {"instances": 3, "arms": ("learned",)}


def test_what_is_under_way_is_left_unrecorded_and_its_answers_are_kept(store: Store) -> None:
    task = load_task("gridnav-v1")
    result = learner(store, OfflineModel(), calls=7).run_sync(task, **GRID)
    said = "the budget of 7 calls: 7 spent, the next call may take 1"
    assert (result.figures["status"], result.figures["stop_reason"]) == ("stopped", said)
    assert len(rows(store.path, "calls")["calls"]) == 7
    assert [e.status for e in store.episodes()] == ["finished"] * len(store.episodes())
    assert store.run(result.run).status == "stopped"
    assert f"stopped: {said}" in result.table()


def test_resuming_without_a_larger_bound_is_refused_before_anything(store: Store) -> None:
    task = load_task("gridnav-v1")
    first = learner(store, OfflineModel(), calls=7).run_sync(task, **GRID)
    with pytest.raises(
        ConfigurationError, match=r"stopped by the budget of 7 calls; resume it with a larger"
    ):
        learner(store, OfflineModel(), calls=7).resume_sync(first.run, task)
    assert store.run(first.run).status == "stopped"
    # Another bound in its place is the user's to choose.
    done = learner(store, OfflineModel(), tokens=10**6).resume_sync(first.run, task)
    assert done.figures["status"] == "done"
    limits: Any = store.run(first.run).config["limits"]
    assert limits["budget"]["tokens"] == 10**6


def test_the_output_cap_of_a_run_stays_and_a_run_without_one_takes_one(store: Store) -> None:
    task = load_task("gridnav-v1")
    sent: list[int | None] = []

    class Heard(OfflineModel):
        async def complete(self, request: Request, /) -> Reply:
            sent.append(request.max_output)
            return await super().complete(request)

    first = learner(store, Heard(), calls=4).run_sync(task, **GRID)
    second = learner(store, Heard(), tokens=12_000).resume_sync(first.run, task)
    third = learner(store, Heard(), tokens=10**6).resume_sync(first.run, task)
    assert [r.figures["status"] for r in (first, second, third)] == ["stopped", "stopped", "done"]
    assert list(dict.fromkeys(sent)) == [None, 1_024]
    assert spent(third)["calls"] == len(sent)


def test_a_cost_bound_without_a_price_refuses_to_start(tmp_path: Path) -> None:
    model = bench.Spender()
    with pytest.raises(ConfigurationError, match="no price is known for spender"):
        learner(tmp_path / "store", model, cost_usd=1).run_sync(load_task("gridnav-v1"), **GRID)
    assert model.keys == []
    assert not (tmp_path / "store").exists()


def test_known_prices_reach_the_figures(store: Store) -> None:
    model = bench.Spender()
    result = learner(store, model, prices=bench.PRICES).run_sync(load_task("gridnav-v1"), **GRID)
    assert result.arms["learned"]["cost_usd"] == pytest.approx(model.cost, abs=1e-6)
    assert f"${model.cost:.4f}" in result.table()
    assert "budget" not in result.figures


def test_what_was_paid_before_prices_were_known_counts_as_the_dearest(store: Store) -> None:
    task, before = load_task("gridnav-v1"), bench.Spender()
    first = learner(store, before, calls=6).run_sync(task, **GRID)
    after = bench.Spender()
    bounds: dict[str, Any] = {"cost_usd": 100.0, "prices": bench.PRICES}
    done = learner(store, after, **bounds).resume_sync(first.run, task)
    assert spent(done)["cost_usd"] >= before.cost + after.cost - 1e-9


def test_seconds_end_a_session_and_not_the_run(store: Store) -> None:
    task = load_task("gridnav-v1")
    first = learner(store, OfflineModel(), slots=1, seconds=0.01).run_sync(task, **GRID)
    assert first.figures["stop_reason"] == "the budget of 0.01 seconds"
    assert first.figures["status"] == "stopped"
    last = learner(store, OfflineModel(), seconds=600).resume_sync(first.run, task)
    assert last.figures["status"] == "done"


def test_whoever_swallows_the_stop_is_not_believed(store: Store) -> None:
    model = ScriptedModel(["green", "Press another colour next time."] * 2)

    async def agent(situation: Situation) -> str:
        try:
            return await model.ask("Which colour?")
        except RunHalted:
            return "red"

    async def critic(_: Any) -> str:
        try:
            return await model.ask("What went wrong?")
        except RunHalted:
            return "Never press anything."

    task = safes("blue", max_steps=1)
    limits = Limits(budget=Budget(calls=1))
    result = run(store, agent, reflexion(trials=2), task, critic=critic, limits=limits)
    assert result.figures["status"] == "stopped"
    assert len(store.episodes()) == 1
    assert store.critiques() == ()
    limits = Limits(budget=Budget(calls=2))
    more = Learner(agent, method=reflexion(trials=2), critic=critic, store=store, limits=limits)
    more.resume_sync(result.run, task)
    assert [c.status for c in store.critiques()] == ["accepted"]
    assert len(store.episodes()) == 1


def test_a_hook_that_swallows_the_stop_leaves_no_answer(store: Store) -> None:
    model = ScriptedModel(lambda _: "Try another one.")

    class Adviser(Hook):
        async def before_action(self, situation: Any, draft: Any) -> Any:
            try:
                await model.ask("Is that right?")
            except RunHalted:
                return None
            return None

    player: Player = pressing("green")
    task = safes("blue", "blue", max_steps=1)
    advised = Learner(
        player,
        method=reflexion(trials=1),
        critic=lambda _: "No.",
        store=store,
        hooks=[Adviser()],
        limits=Limits(concurrency=1, budget=Budget(calls=1)),
    )
    result = advised.run_sync(task, arms=("learned",))
    assert result.figures["status"] == "stopped"
    kinds = [row[5] for row in rows(store.path, "calls")["calls"]]
    assert sorted(kinds) == ["hook", "model"]
    assert len(store.episodes()) == 1


def test_an_old_store_gets_the_bill_of_what_was_recorded(tmp_path: Path) -> None:
    task = load_task("gridnav-v1")
    with open_store(tmp_path, create=True) as store:
        first = learner(store, OfflineModel()).run_sync(task, **GRID)
        priced, bare = store.bill(first.run)
    with closing(sqlite3.connect(tmp_path / "verbalrl.db")) as connection:
        connection.execute("DROP INDEX calls_run")
        connection.execute("ALTER TABLE calls DROP COLUMN run")
        connection.execute("ALTER TABLE commits DROP COLUMN lacking")
        for table in ("facts", "embedders", "embeddings", "index_state"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
    with open_store(tmp_path) as store:
        assert store.bill(first.run) == (priced, bare)
    assert (priced.calls, bare.calls > 0) == (0, True)


def test_answers_of_earlier_runs_are_on_nobodys_bill(store: Store) -> None:
    usage = Usage(input=10, output=5, calls=1)
    given = [usage, usage.replace(cost_usd=0.25), usage.replace(cost_usd=0.0, reused=15)]
    for n, one in enumerate(given):
        record = CallRecord(
            key=f"call_{n}",
            owner="ep",
            role="actor",
            run="run_1",
            request_sha="",
            reply="{}",
            usage=one,
        )
        asyncio.run(store.append(record))
    assert store.bill("run_1") == (given[1], usage)
    assert store.bill("run_2") == (Usage(cost_usd=0.0), Usage())

"""Failures that were recorded are tried again, if somebody asks: the rest is neither done nor paid.

A run whose failures were of the moment ends as one in which nothing ever failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.loop.world import episodes, pressing, rows, run, safes
from tests.rollout.corridor import context
from tests.store.builders import an_episode
from verbalrl import ChatAgent, Learner, Limits, ScriptedModel, load_task
from verbalrl.cli import main
from verbalrl.errors import ConfigurationError, ProviderDown
from verbalrl.execution.retrying import repeats
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.models import (
    MemoryJournal,
    Message,
    Model,
    OfflineModel,
    Reply,
    Request,
    run_sync,
)
from verbalrl.records import Situation
from verbalrl.result import RunResult
from verbalrl.store import Store


class Outage(Model):
    """The offline model, down from one call to another; keeps what was asked and answered."""

    name, simulated = "offline:apprentice", True

    def __init__(self, down: Callable[[int], bool] = lambda _: False) -> None:
        self.down = down
        self.asked: list[str] = []
        self.answered: list[str] = []
        self._inner = OfflineModel()

    async def complete(self, request: Request, /) -> Reply:
        self.asked.append(request.call_key)
        if self.down(len(self.asked)):
            raise ProviderDown("503: down")
        self.answered.append(request.call_key)
        return await self._inner.complete(request)


ARMS: dict[str, Any] = {"arms": ("none", "retry", "learned")}


def learner(store: Store, model: Model, method: Method, slots: int = 1) -> Learner:
    limits = Limits(concurrency=slots)
    return Learner(ChatAgent(model), method=method, store=store, limits=limits)


def digests(result: RunResult) -> list[Any]:
    return [(a["memory_digest"], a["episodes_digest"]) for a in result.arms.values()]


def failed(store: Store, result: RunResult) -> bool:
    """Whether a failure was recorded: which work it met depends on what was under way."""
    commits = (store.commit(row[1]) for row in rows(store.path, "commits")["commits"])
    return (
        any(e.status == "failed" for e in episodes(store, result))
        or bool(store.critiques(run=result.run, status="failed"))
        or any(commit.failure for commit in commits if commit)
    )


METHODS: dict[str, tuple[Method, dict[str, Any]]] = {
    "reflexion": (reflexion(trials=3), {"instances": 5}),
    "handbook": (handbook(trials=2, round_size=3), {"instances": 3, "train_instances": 6}),
}


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("at", [3, 40, 75])
def test_an_outage_that_stopped_the_run_leaves_no_trace(
    store: Store, name: str, at: int, slots: int
) -> None:
    method, amounts = METHODS[name]
    task = load_task("gridnav-v1")
    whole = Outage()
    there = learner(store, whole, method, slots).run_sync(task, **amounts, **ARMS)
    broken = Outage(lambda n: n >= at)
    first = learner(store, broken, method, slots).run_sync(task, **amounts, **ARMS)
    assert first.figures["status"] == "failed"
    assert failed(store, first)
    mended = Outage()
    last = learner(store, mended, method).resume_sync(first.run, task, retry_failed=True)
    assert last.figures["status"] == "done"
    assert digests(last) == digests(there)
    # What was answered is not asked again.
    assert not set(broken.answered) & set(mended.asked)
    assert len(broken.answered) + len(mended.asked) == len(whole.asked)
    assert Counter(mended.asked).most_common(1)[0][1] == 1
    assert store.damage() == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_failures_that_stopped_nothing_are_tried_again_too(store: Store, name: str) -> None:
    method, amounts = METHODS[name]
    task = load_task("gridnav-v1")
    whole = Outage()
    there = learner(store, whole, method, 4).run_sync(task, **amounts, **ARMS)
    first = learner(store, Outage(lambda n: n % 13 == 0), method, 4).run_sync(
        task, **amounts, **ARMS
    )
    assert first.figures["status"] == "done"
    assert digests(first) != digests(there)
    # Final, unless somebody asks for it.
    again = learner(store, Outage(), method).resume_sync(first.run, task)
    assert digests(again) == digests(first)
    last = learner(store, Outage(), method).resume_sync(first.run, task, retry_failed=True)
    assert digests(last) == digests(there)
    assert store.damage() == ()
    for branch in store.branches(last.run):
        for scope in store.owned(branch.id):
            assert store.replayed(branch.id, scope) == store.projected(branch.id, scope)


def test_what_does_not_rest_on_a_failure_is_left_as_it_is(store: Store) -> None:
    task = load_task("gridnav-v1")
    method = reflexion(trials=2)
    first = learner(store, Outage(lambda n: n == 9), method).run_sync(
        task, instances=4, arms=("retry", "learned")
    )
    found = episodes(store, first)
    bad = [e for e in found if e.status == "failed"]
    assert len(bad) == 1
    before = {row[1]: row for row in rows(store.path, "episodes")["episodes"]}
    learner(store, Outage(), method).resume_sync(first.run, task, retry_failed=True)
    after = {row[1]: row for row in rows(store.path, "episodes")["episodes"]}
    mine = [e.id for e in found if (e.arm, e.instance) == (bad[0].arm, bad[0].instance)]
    assert {name for name in before if before[name] != after.get(name)} <= set(mine)
    assert before[bad[0].id] != after[bad[0].id]


def test_what_failed_on_a_new_answer_is_not_asked_a_third_time() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["one", "two"])
    request = Request(messages=(Message(role="user", text="?"),))
    broken = an_episode(status="failed")

    async def asks(times: int) -> bool:
        held = context(journal)
        for _ in range(times):
            await held.ask(model, request)
        return repeats(broken, held)

    assert [run_sync(asks(n)) for n in (0, 1, 1, 2)] == [False, False, True, False]


def test_looks_of_the_gate_are_taken_again_too(store: Store) -> None:
    task = load_task("gridnav-v1")
    method = handbook(trials=1, round_size=3, gate="measured")
    amounts: dict[str, Any] = {"instances": 2, "train_instances": 9, "arms": ("learned",)}
    there = learner(store, Outage(), method).run_sync(task, **amounts)
    first = learner(store, Outage(lambda n: n == 3), method).run_sync(task, **amounts)
    assert [e.status for e in episodes(store, first)].count("failed") == 1
    last = learner(store, Outage(), method).resume_sync(first.run, task, retry_failed=True)
    assert digests(last) == digests(there)


PRESS_BLUE: dict[str, Any] = {
    "verdict": "failure",
    "causes": [],
    "lessons": [{"when": "the lamp is lit", "instruction": "Press another colour first."}],
}


def test_answers_that_were_of_no_use_are_asked_for_anew(store: Store) -> None:
    task = safes("blue", "blue", max_steps=1)
    awake: list[bool] = []
    critic = ScriptedModel(lambda _: PRESS_BLUE if awake else "I would rather not.")
    method = reflexion(trials=2)
    there = run(store, pressing("green"), method, task, critic=ScriptedModel(lambda _: PRESS_BLUE))
    first = run(store, pressing("green"), method, task, critic=critic)
    assert first.arms["learned"]["critiques"]["failed"] == 2
    awake.append(True)
    again = Learner(pressing("green"), method=method, critic=critic, store=store)
    last = again.resume_sync(first.run, task, retry_failed=True)
    assert last.arms["learned"]["critiques"] == there.arms["learned"]["critiques"]
    assert digests(last) == digests(there)


def test_an_agent_that_broke_is_called_again_once(store: Store) -> None:
    broken = [True]
    seen: list[str] = []

    def act(situation: Situation) -> str:
        assert situation.instance is not None
        seen.append(situation.instance.id)
        if broken and situation.instance.id.endswith("/1"):
            raise KeyError("no idea")
        return "green"

    task = safes("green", "green", max_steps=1)
    method = reflexion(trials=1)
    first = run(store, act, method, task)
    assert first.arms["learned"]["errors"] == 1
    del seen[:]
    again = Learner(act, method=method, critic=lambda _: "Press on.", store=store)
    same = again.resume_sync(first.run, task, retry_failed=True)
    assert (same.arms["learned"]["errors"], len(seen)) == (1, 1)
    broken.clear()
    last = again.resume_sync(first.run, task, retry_failed=True)
    assert (last.arms["learned"]["errors"], last.arms["learned"]["success_rate"]) == (0, 1.0)


def test_what_others_have_read_is_not_taken_back(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    task = load_task("gridnav-v1")
    method, amounts = METHODS["handbook"]
    first = learner(store, Outage(lambda n: n == 9), method).run_sync(
        task, **amounts, arms=("learned",)
    )
    branch = f"{first.run}/learned/0"
    assert store.current_lessons(branch)
    before = rows(store.path, "episodes", "critiques", "commits", "updates", "lessons")
    learner(store, Outage(), method).run_sync(task, **amounts, arms=("learned",), start=branch)
    resumed = learner(store, Outage(), method)
    with pytest.raises(ConfigurationError, match="was started from its lessons; start a new run"):
        resumed.resume_sync(first.run, task, retry_failed=True)
    kept = rows(store.path, *before)
    assert all(set(before[table]) <= set(kept[table]) for table in before)
    assert store.run(first.run).status == "done"
    assert main(["resume", first.run, "--retry-failed", "--store", str(store.path)]) == 2
    reader = store.branches()[-1].id
    # On a machine that is busy lines of progress come before it.
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"verbalrl: {branch} cannot be tried again: {reader} was started from its lessons; start a"
        " new run instead"
    )

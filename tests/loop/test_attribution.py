"""Whatever foreign code raises is its own: exits, cancellations by hand, errors of our classes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import verbalrl as vrl
from tests.loop.world import Player, Safe, pressing, run, safes
from verbalrl.errors import (
    PASSING,
    AgentError,
    ConfigurationError,
    DataError,
    MethodError,
    VerbalRLError,
    boundary,
)
from verbalrl.methods import reflexion
from verbalrl.models import run_sync
from verbalrl.records import Action, Situation, StepResult
from verbalrl.result import RunResult
from verbalrl.rollout import Hook
from verbalrl.store import Store

OUTSIDE = [
    SystemExit(3),
    asyncio.CancelledError("by hand"),
    ConfigurationError("no key"),
    DataError("the file is gone"),
    MethodError("not mine"),
    VerbalRLError("of nobody"),
]
CASES = pytest.mark.parametrize("error", OUTSIDE, ids=lambda e: type(e).__name__)


def once_in_two(error: BaseException) -> Callable[[Situation], str]:
    """Presses green, and raises at the second safe."""

    def act(situation: Situation) -> str:
        assert situation.instance is not None
        if situation.instance.id.endswith("/1"):
            raise error
        return "green"

    return act


def recorded(store: Store, result: RunResult, kind: str, error: BaseException) -> None:
    assert result.figures["status"] == "done"
    good, bad = store.episodes(run=result.run)
    assert good.success is True
    assert bad.failure is not None
    assert bad.failure.kind == kind
    assert f"raised {type(error).__name__}: {error}" in bad.failure.message


@CASES
def test_an_async_agent_that_raises_it_fails_its_episode(
    store: Store, error: BaseException
) -> None:
    result = run(store, Player(once_in_two(error)), reflexion(trials=1), safes("green", "green"))
    recorded(store, result, "agent_error", error)


@CASES
@pytest.mark.parametrize("inline", [True, False])
def test_an_environment_that_raises_it_fails_its_episode(
    store: Store, error: BaseException, inline: bool
) -> None:
    class Bad(Safe):
        def step(self, action: Action, /) -> StepResult:
            if self.code == ["red"]:
                raise error
            return super().step(action)

    task = safes("green", "red", make=Bad, inline=inline)
    result = run(store, pressing("green"), reflexion(trials=1), task)
    good, bad = store.episodes(run=result.run)
    assert result.figures["status"] == "done"
    assert (good.success, bad.failure is not None) == (True, True)
    assert bad.failure is not None
    assert bad.failure.kind == "task_error"
    assert type(error).__name__ in bad.failure.message


@CASES
def test_a_hook_that_raises_it_fails_its_episode(store: Store, error: BaseException) -> None:
    class Bad(Hook):
        async def before_action(self, situation: Situation, draft: Action, /) -> None:
            once_in_two(error)(situation)

    learner = vrl.Learner(
        pressing("green"),
        method=reflexion(trials=1),
        critic=lambda _: "x",
        store=store,
        hooks=Bad(),
    )
    result = learner.run_sync(safes("green", "green"), arms=("learned",))
    recorded(store, result, "hook_error", error)


@CASES
def test_a_critic_that_raises_it_fails_its_critique(store: Store, error: BaseException) -> None:
    async def critic(_: Any) -> str:
        raise error

    result = run(store, pressing("red"), reflexion(trials=2), safes("green"), critic=critic)
    (critique,) = store.critiques(run=result.run)
    assert (critique.status, result.figures["status"]) == ("failed", "done")
    assert type(error).__name__ in critique.detail


def test_a_real_cancellation_still_ends_the_run(store: Store) -> None:
    started = asyncio.Event()

    async def agent(situation: Situation) -> str:
        started.set()
        await asyncio.Event().wait()
        return "green"

    async def go() -> None:
        learner = vrl.Learner(agent, method=reflexion(trials=1), critic=lambda _: "x", store=store)
        work = asyncio.ensure_future(learner.run(safes("green"), arms=("learned",)))
        await asyncio.wait_for(started.wait(), 20)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(go())
    assert [r.status for r in store.runs()] == ["interrupted"]
    assert store.episodes() == ()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_run_sync_gives_back_what_would_end_its_thread(error: BaseException) -> None:
    async def leaves() -> None:
        raise error

    async def stays() -> str:
        task = asyncio.ensure_future(leaves())
        await asyncio.wait([task])
        assert task.exception() is error
        return "still here"

    with pytest.raises(type(error)):
        run_sync(leaves())
    # Neither it nor a task beside it takes the loop along.
    assert run_sync(stays()) == "still here"


def test_an_interrupt_passes_the_boundary() -> None:
    with pytest.raises(KeyboardInterrupt), boundary(AgentError, "the agent"):
        raise KeyboardInterrupt


def test_every_kind_of_our_errors_is_somebodys_or_passes() -> None:
    """A new kind must be put on one side or the other."""
    attributed = {ConfigurationError, MethodError}
    assert set(VerbalRLError.__subclasses__()) == attributed | set(PASSING)
    for kind in PASSING:
        with pytest.raises(kind), boundary(AgentError, "the agent"):
            raise kind("passes")

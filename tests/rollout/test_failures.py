"""Whatever breaks is attributed, recorded with what there was by then, and blocks nobody."""

import asyncio
import contextlib
import math
import re
import threading
import time
from typing import Any

import pytest

from tests.rollout.corridor import Corridor, CorridorTask, actions, context, play, played, spec
from verbalrl.agents import ChatAgent, adapt
from verbalrl.errors import StorageError, StuckThreadsError
from verbalrl.models import DelayedModel, MemoryJournal, Reply, ScriptedModel
from verbalrl.records import (
    Action,
    CallRecord,
    Observation,
    Situation,
    StepResult,
    StopReason,
    Usage,
)
from verbalrl.rollout import Limits


async def right(situation: Situation) -> str:
    return "right"


async def left(situation: Situation) -> str:
    return "left"


def test_agent_that_raises_keeps_its_steps() -> None:
    def agent(situation: Situation) -> str:
        if situation.step == 3:
            raise ValueError("lost\nand more")
        return "left"

    task = CorridorTask()
    episode = play(agent, task)
    assert (episode.status, episode.stop_reason) == ("failed", StopReason.AGENT_ERROR)
    assert len(episode.trajectory.steps) == 2
    assert episode.failure is not None
    assert (episode.failure.kind, episode.failure.step) == ("agent_error", 3)
    said = r".*agent raised ValueError: lost \(test_failures\.py:\d+, in agent\)"
    assert re.fullmatch(said, episode.failure.message)
    assert task.made[0].closed == 1


class Halfway(Corridor):
    """Calls every cell but the first a success, and goes on."""

    def step(self, action: Action, /) -> StepResult:
        return super().step(action).model_copy(update={"success": self.at > 0})


@pytest.mark.parametrize("action", ["right", "left"])
def test_what_broke_has_neither_succeeded_nor_failed(action: str) -> None:
    def agent(situation: Situation) -> str:
        if situation.history:
            raise ValueError("lost")
        return action

    broken = play(agent, CorridorTask(Halfway))
    assert (len(broken.trajectory.steps), broken.status) == (1, "failed")
    assert broken.success is None
    whole = play(right, CorridorTask(Halfway), limits=Limits(max_steps=1))
    assert (whole.success, whole.stop_reason) == (True, StopReason.MAX_STEPS)


@pytest.mark.parametrize("garbage", [None, 7, {"action": "right"}])
def test_agent_that_returns_garbage_fails_its_episode(garbage: Any) -> None:
    assert play(lambda situation: garbage).stop_reason is StopReason.AGENT_ERROR


def test_failed_model_call_is_the_models_fault_and_keeps_usage() -> None:
    model = ScriptedModel([{"action": "left"}, ConnectionError("down")])
    episode = play(ChatAgent(model))
    assert (episode.stop_reason, episode.usage["actor"].calls) == (StopReason.MODEL_ERROR, 1)
    assert len(episode.trajectory.steps) == 1


class Breaks(Corridor):
    where = "step"

    def _maybe(self, where: str) -> None:
        if where == self.where:
            raise ZeroDivisionError("in " + where)

    def __init__(self) -> None:
        super().__init__()
        self._maybe("environment()")

    def reset(self, seed: int, /) -> Observation:
        self._maybe("reset")
        return super().reset(seed)

    def step(self, action: Action, /) -> StepResult:
        if self.at == 1:
            self._maybe("step")
        return super().step(action)

    def close(self) -> None:
        super().close()
        self._maybe("close")


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(("where", "steps"), [("environment()", 0), ("reset", 0), ("step", 2)])
def test_environment_that_raises_is_attributed(where: str, steps: int, inline: bool) -> None:
    task = CorridorTask(type("B", (Breaks,), {"where": where}), inline=inline)
    episode = play(right, task)
    assert episode.stop_reason is StopReason.TASK_ERROR
    assert episode.failure is not None
    assert f"{where} raised ZeroDivisionError" in episode.failure.message
    assert episode.failure.step == (steps or None)
    assert len(episode.trajectory.steps) == steps
    assert [e.closed for e in task.made] == [1] * len(task.made)


def test_close_that_raises_changes_nothing() -> None:
    episode = play(right, CorridorTask(type("B", (Breaks,), {"where": "close"})))
    assert (episode.status, episode.success) == ("finished", True)


@pytest.mark.parametrize("result", [None, ("obs", 1.0, True), {"observation": "x"}])
def test_step_that_returns_something_else_is_named(result: Any) -> None:
    class Odd(Corridor):
        def step(self, action: Action, /) -> Any:
            return result

    failure = play(right, CorridorTask(Odd)).failure
    assert failure is not None
    assert "not a StepResult" in failure.message


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_reward_must_be_finite(reward: float) -> None:
    class Odd(Corridor):
        def step(self, action: Action, /) -> StepResult:
            return StepResult(observation=Observation(), reward=reward)

    assert play(right, CorridorTask(Odd)).stop_reason is StopReason.TASK_ERROR


def test_foreign_environment_lives_in_one_thread_of_its_own() -> None:
    task = CorridorTask(inline=False)
    assert play(right, task).success is True
    assert len(task.made[0].threads) == 1
    assert threading.get_ident() not in task.made[0].threads
    assert task.made[0].closed == 1


def test_blocking_step_is_given_up_and_the_run_goes_on() -> None:
    release = threading.Event()

    class Blocks(Corridor):
        def step(self, action: Action, /) -> StepResult:
            release.wait()
            return super().step(action)

    blocking, good = CorridorTask(Blocks, inline=False), CorridorTask(inline=False)
    agent = adapt(right)

    async def run() -> None:
        # Only who blocks is under the limit, which on a busy machine anybody may pass.
        blocked, fine = await asyncio.gather(
            played(agent, blocking, limits=Limits(step_timeout_s=0.5)), played(agent, good)
        )
        assert not release.is_set()
        assert fine.success is True
        assert blocked.stop_reason is StopReason.TASK_ERROR
        assert blocked.failure is not None
        assert "longer than 0.5 s" in blocked.failure.message
        assert agent.workers.stuck == 1
        release.set()
        await agent.workers.check()
        while not blocking.made[0].closed:
            await asyncio.sleep(0.01)

    asyncio.run(run())
    assert blocking.made[0].closed == 1


def test_fifth_episode_after_four_stuck_threads_stops_the_run() -> None:
    release = threading.Event()

    def blocks(situation: Situation) -> str:
        release.wait()
        return "right"

    agent = adapt(blocks)

    async def run() -> None:
        limits = Limits(step_timeout_s=0.02)
        tasks = [CorridorTask() for _ in range(5)]
        for task in tasks[:4]:
            episode = await played(agent, task, limits=limits)
            assert (episode.status, episode.stop_reason) == ("finished", StopReason.TIMEOUT)
        with pytest.raises(StuckThreadsError):
            await played(agent, tasks[4], limits=limits)
        assert [len(t.made) for t in tasks] == [1, 1, 1, 1, 0]
        assert all(t.made[0].closed == 1 for t in tasks[:4])
        release.set()

    asyncio.run(run())


def test_late_result_of_a_timed_out_agent_is_dropped() -> None:
    release = threading.Event()

    def slow(situation: Situation) -> str:
        release.wait()
        return "right"

    agent = adapt(slow)
    episode = play(agent, limits=Limits(step_timeout_s=0.02))
    release.set()
    while not agent.workers.late:
        time.sleep(0.01)
    assert (episode.trajectory.steps, episode.truncated) == ((), True)
    assert (agent.workers.stuck, agent.workers.late) == (0, 1)


def test_time_of_the_episode_is_bounded() -> None:
    async def slow(situation: Situation) -> str:
        await asyncio.sleep(0.2)
        return "left"

    episode = play(slow, limits=Limits(timeout_s=0.5, max_steps=1000))
    assert (episode.status, episode.stop_reason) == ("finished", StopReason.TIMEOUT)
    assert len(episode.trajectory.steps) <= 2


def test_agent_that_swallows_its_cancellation_is_stopped_all_the_same() -> None:
    async def stubborn(situation: Situation) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
        return "left"

    episode = play(stubborn, limits=Limits(timeout_s=0.05, max_steps=1000))
    assert episode.stop_reason is StopReason.TIMEOUT


def test_timeout_error_of_the_agents_own_is_its_error() -> None:
    async def agent(situation: Situation) -> str:
        raise TimeoutError("mine")

    assert play(agent).stop_reason is StopReason.AGENT_ERROR


def test_journal_that_cannot_be_written_stops_the_run() -> None:
    class Full(MemoryJournal):
        async def append(self, record: CallRecord, /) -> None:
            raise StorageError("disk full")

    model, task = ScriptedModel(lambda _: "right"), CorridorTask()

    async def shrugs(situation: Situation) -> str:
        with contextlib.suppress(Exception):
            return await model.ask("?")
        return "right"

    with pytest.raises(StorageError, match="disk full"):
        play(shrugs, task, own=context(Full()))
    assert task.made[0].closed == 1


def test_tokens_are_a_stop_reason_at_a_step_boundary() -> None:
    reply = Reply(text='{"action": "left"}', usage=Usage(input=60, output=40))
    model = ScriptedModel(lambda _: reply)
    episode = play(ChatAgent(model), limits=Limits(max_tokens=150))
    assert (episode.status, episode.stop_reason) == ("finished", StopReason.TOKENS)
    assert len(model.requests) == len(episode.trajectory.steps) == 2


def test_tokens_stop_inside_a_step_too() -> None:
    model = ScriptedModel(lambda _: Reply(text="x", usage=Usage(input=60, output=40)))

    async def talks(situation: Situation) -> str:
        while True:
            await model.ask("?")

    episode = play(talks, limits=Limits(max_tokens=250))
    assert (episode.stop_reason, episode.failure) == (StopReason.TOKENS, None)
    assert len(model.requests) == 3


def test_prefix_longer_than_the_limit_is_cut() -> None:
    episode = play(left, spec=spec(prefix=actions(*["left"] * 9), max_steps=4))
    assert (len(episode.trajectory.steps), episode.stop_reason) == (4, StopReason.MAX_STEPS)


@pytest.mark.parametrize("inline", [True, False])
def test_cancelled_episode_closes_its_environment(inline: bool) -> None:
    task = CorridorTask(inline=inline)
    model = DelayedModel(ScriptedModel(lambda _: "x"), seed=1, low=5, high=5)

    async def run() -> None:
        own = context()
        running = asyncio.create_task(played(ChatAgent(model), task, own=own))
        while not task.made:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(run())
    assert task.made[0].closed == 1

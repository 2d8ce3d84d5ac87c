"""What no name loads is resumed from Python: own methods, own agents, the limits of the run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loop.test_failures import critic_that_raises
from tests.loop.test_guidance import GENERAL, curator
from tests.loop.world import Player, pressed, pressing, safes
from verbalrl import Learner, Limits
from verbalrl.errors import ConfigurationError, MethodError
from verbalrl.methods import Method, Reflexion, handbook, reflexion
from verbalrl.records import Batch, Done, InstanceView, OpenRound, SharedView, Situation
from verbalrl.result import RunResult
from verbalrl.store import Store
from verbalrl.tasks.base import WorldTask

TASK = safes(*(["green"] * 6), max_steps=3)


class Patient(Reflexion):
    """Attempts everything twice, solved or not: a plan that no name loads."""

    name: Any = "patient"

    def plan(self, view: InstanceView, /) -> Batch | Done:
        if len(view.attempts) == 1 and view.solved:
            return self._attempt(view, 2)
        return super().plan(view)


class Impatient(Patient):
    name: Any = "impatient"


def learner(
    store: Store, method: Method | None, agent: Player | None = None, limits: Limits | None = None
) -> Learner:
    return Learner(
        agent or pressing("green"),
        method=method,
        critic=critic_that_raises,
        store=store,
        limits=limits or Limits(concurrency=1),
    )


def half(store: Store, method: Method, task: WorldTask, limits: Limits | None = None) -> str:
    """A run that was told to stop when it asked its agent the third time."""
    learners: list[Learner] = []

    def act(_: Situation) -> str:
        if len(agent.seen) == 3:
            learners[0].stop("half way")
        return "green"

    agent = Player(act)
    learners.append(learner(store, method, agent, limits))
    result = learners[0].run_sync(task, arms=("learned",))
    assert result.figures["status"] == "stopped"
    assert len(store.episodes(run=result.run)) < 12
    return result.run


def trials(store: Store, result: RunResult) -> list[int]:
    return [e.trial for e in store.episodes(run=result.run)]


def test_an_own_method_is_resumed_with_the_settings_of_the_run(store: Store) -> None:
    run = half(store, Patient(trials=2), TASK)
    before = len(store.episodes(run=run))
    agent = pressing("green")
    resumed = learner(store, Patient(trials=9), agent).resume_sync(run, TASK)
    assert resumed.figures["status"] == "done"
    assert trials(store, resumed) == [1, 2] * 6
    # Its calls are in no journal: what is committed is not acted again.
    assert len(agent.seen) == 12 - before


@pytest.mark.parametrize("method", [reflexion(trials=2), handbook(trials=2)])
def test_what_is_done_is_asked_of_nobody_again(store: Store, method: Method) -> None:
    asked: list[str] = []

    def critic(tried: Any) -> str:
        asked.append("critic")
        return f"After trial {tried[-1].trial} press another one then."

    def curate(inputs: Any) -> Any:
        asked.append("curator")
        return curator(GENERAL)(inputs)

    def act(_: Situation) -> str:
        asked.append("agent")
        return "red"

    task = safes("green", "green", test=["green"], max_steps=1)
    own = Learner(Player(act), method=method, critic=critic, curator=curate, store=store)
    first = own.run_sync(task)
    assert set(asked) >= {"agent", "critic"}
    asked.clear()
    again = own.resume_sync(first.run, task)
    assert asked == []
    assert again.arms == first.arms


def test_another_method_is_refused(store: Store) -> None:
    run = half(store, Patient(trials=2), TASK)
    with pytest.raises(ConfigurationError, match="method was 'patient' and is 'impatient'"):
        learner(store, Impatient(trials=2)).resume_sync(run, TASK)
    with pytest.raises(ConfigurationError, match="patient"):
        learner(store, None).resume_sync(run, TASK)


def test_limits_that_decide_the_course_are_those_of_the_run(store: Store) -> None:
    task = safes(*(["red green"] * 6), max_steps=3)
    run = half(store, reflexion(trials=1), task, Limits(max_steps=1, concurrency=1))
    before = len(store.episodes(run=run))
    # Somebody else goes on, with limits of their own.
    learner(store, None, limits=Limits(max_steps=2, concurrency=4)).resume_sync(run, task)
    assert before < len(store.episodes(run=run)) == 6
    assert {len(pressed(e)) for e in store.episodes(run=run)} == {1}


class Backwards(Patient):
    """The same name, and another plan: its round runs the instances from the last."""

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        step = super().plan_shared(view)
        if isinstance(step, OpenRound):
            return step.replace(instances=step.instances[::-1])
        return step


def test_a_round_that_a_resumed_plan_opens_otherwise_is_refused(store: Store) -> None:
    run = half(store, Patient(trials=2), TASK)
    before, agent = store.episodes(run=run), pressing("green")
    with pytest.raises(MethodError, match=r"round 1 of .* was opened otherwise before"):
        learner(store, Backwards(trials=2), agent).resume_sync(run, TASK)
    # Nothing is paid for what would lead elsewhere; the plan of before goes on.
    assert (agent.seen, store.episodes(run=run)) == ([], before)
    assert learner(store, Patient(), agent).resume_sync(run, TASK).figures["status"] == "done"

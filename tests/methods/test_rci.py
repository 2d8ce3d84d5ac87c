"""RCI: which prompt is asked in which order, what the agent sees of it, and when it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import safes
from tests.methods.world import acts, roles, tell
from verbalrl import ChatAgent, Learner, ScriptedModel
from verbalrl.errors import MethodError
from verbalrl.methods import Rci, check_method, rci
from verbalrl.models import Request
from verbalrl.records import HookSpec, StopReason
from verbalrl.store import open_store

TWO = safes("red green", max_steps=3)


def planner(text: str) -> dict[str, Any]:
    """Plans badly, finds the problem, plans well."""
    if "Find problems" in text:
        return {"problems": ["red must come first"] if "1. press green" in text else []}
    return {"steps": ["press red", "press green"] if "<problems>" in text else ["press green"]}


def following(text: str) -> dict[str, Any]:
    """Takes the steps of the plan in order."""
    return acts("green" if "Pressed: red" in text else "red" if "(1) press red" in text else "blue")


def test_plan_problems_better_plan_then_actions_by_it(tmp_path: Path) -> None:
    told = tell(tmp_path, rci(), following, planner, TWO)
    assert roles(told) == ["critic", "critic", "critic", "actor", "actor"]
    first, problems, again, *actions = (text for _, text in told.asked)
    assert "What is the plan?" in first
    assert "Find problems with this plan" in problems
    assert "- red must come first" in again
    assert all("- plan: Your plan: (1) press red; (2) press green." in text for text in actions)
    assert told.result.arms["learned"]["success_rate"] == 1.0
    assert told.episodes[0].usage["critic"].calls == 3


@pytest.mark.parametrize(("explicit", "calls"), [(0, 0), (1, 3), (2, 4)])
def test_the_loop_runs_as_often_as_set_and_ends_when_nothing_is_found(
    tmp_path: Path, explicit: int, calls: int
) -> None:
    told = tell(tmp_path, rci(explicit=explicit), following, planner, TWO)
    assert roles(told).count("critic") == calls


def test_an_answer_is_reviewed_and_improved_before_it_is_given(tmp_path: Path) -> None:
    def review(text: str) -> dict[str, Any]:
        return {"problems": ["that colour is wrong"] if "<draft>\nred\n" in text else []}

    def improving(text: str) -> dict[str, Any]:
        return acts("green" if "that colour is wrong" in text else "red")

    told = tell(tmp_path, Rci(on="answer"), improving, review)
    assert roles(told) == ["actor", "critic", "actor"]
    step = told.episodes[0].trajectory.steps[0]
    assert ([d.text for d in step.drafts], step.action.text) == (["red"], "green")
    assert "<previous_output>\nred\n" in told.asked[2][1]


def test_an_action_of_the_wrong_form_is_asked_for_again_then_the_episode_fails(
    tmp_path: Path,
) -> None:
    def shouting(_: str) -> dict[str, Any]:
        return acts("GREEN")

    told = tell(tmp_path, rci(explicit=0, implicit=1), shouting, planner)
    (episode,) = told.episodes
    assert (episode.stop_reason, episode.trajectory.steps) == (StopReason.HOOK, ())
    assert told.result.arms["learned"]["success_rate"] == 0.0


def test_grounding_has_each_action_looked_at_once_more(tmp_path: Path) -> None:
    def second_look(text: str) -> dict[str, Any]:
        return acts("green" if "You were about to do: red" in text else "red")

    told = tell(tmp_path, Rci(explicit=0, ground=True), second_look, planner)
    assert told.episodes[0].answer == "green"


def test_a_resumed_run_asks_for_no_plan_twice(tmp_path: Path) -> None:
    """The episode breaks off after its first step; what the hook said comes from the journal."""
    asked: list[str] = []

    class Killed(BaseException):
        pass

    def judge(request: Request) -> dict[str, Any]:
        asked.append("critic")
        return planner(request.messages[-1].text)

    def dying(request: Request) -> dict[str, Any]:
        if "Pressed: red" in request.messages[-1].text:
            raise Killed
        return following(request.messages[-1].text)

    def learner(actor: Any) -> Learner:
        models = ScriptedModel(actor), ScriptedModel(judge)
        return Learner(ChatAgent(models[0]), method=rci(), critic=models[1], store=tmp_path)

    with pytest.raises(Killed):
        learner(dying).run_sync(TWO, arms=("learned",))
    with open_store(tmp_path) as store:
        run = store.runs()[0].id
    calls = len(asked)
    result = learner(lambda r: following(r.messages[-1].text)).resume_sync(run, TWO)
    assert len(asked) == calls == 3
    assert result.arms["learned"]["success_rate"] == 1.0
    assert result.arms["learned"]["tokens"]["critic"]["calls"] == 3


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (HookSpec(name="lop"), "unknown hook 'lop'; known: plan, "),
        (HookSpec(name="loop", settings={"times": 3}), "hook 'loop' does not take times"),
    ],
)
def test_a_hook_that_cannot_be_built_is_said_in_a_line(
    tmp_path: Path, spec: HookSpec, why: str
) -> None:
    class Hooked(Rci):
        def _hooks(self) -> tuple[HookSpec, ...]:
            return (spec,)

    with pytest.raises(MethodError, match=why):
        tell(tmp_path, Hooked(), following, planner)


def test_it_keeps_the_contract_of_plans() -> None:
    check_method(Rci(trials=3))

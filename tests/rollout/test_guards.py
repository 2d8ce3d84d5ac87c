"""Guards decide by what the agent is shown; a plan stands beside every step."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollout.corridor import play
from verbalrl.errors import ConfigurationError
from verbalrl.models import Request, ScriptedModel
from verbalrl.prompts import library
from verbalrl.records import Action, Observation, Situation, Step, StopReason
from verbalrl.rollout import Annotate, FormGuard, Hook, LoopGuard, Stop
from verbalrl.rollout.asking import PlanHook, ReviewHook
from verbalrl.rollout.guards import times_before


def history(*pairs: tuple[str, str]) -> tuple[Step, ...]:
    return tuple(
        Step(n=n, observation=Observation(text=seen), action=Action(text=done))
        for n, (seen, done) in enumerate(pairs, start=1)
    )


def test_a_repetition_is_the_same_action_where_the_same_is_seen() -> None:
    past = history(("a", "go"), ("b", "go"), ("a", "wait"), ("a", "go "))
    now = Situation(goal="", observation=Observation(text="a"), history=past)
    assert times_before(now, Action(text="go")) == 2
    assert times_before(now, Action(text="wait")) == 1
    assert times_before(now, Action(text="stay")) == 0


async def standing(_: Situation) -> str:
    return "stay"


def test_a_loop_stops_the_episode_after_as_many_repetitions_as_are_borne() -> None:
    episode = play(standing, hooks=[LoopGuard(repeats=3)])
    assert episode.stop_reason is StopReason.HOOK
    assert [s.action.text for s in episode.trajectory.steps] == ["stay"] * 3


async def heeding(situation: Situation) -> str:
    return "right" if situation.notes else "stay"


def test_a_noted_loop_is_left_by_an_agent_that_reads_notes() -> None:
    episode = play(heeding, hooks=[LoopGuard(repeats=1, then="note")])
    first, second, *_ = episode.trajectory.steps
    assert [first.action.text, second.action.text] == ["stay", "right"]
    assert second.notes[0].author == "loop guard"
    assert '"stay" 1 times' in second.notes[0].text


def test_who_insists_after_a_note_is_let_through() -> None:
    episode = play(standing, hooks=[LoopGuard(repeats=1, then="note")])
    assert episode.stop_reason is StopReason.MAX_STEPS
    assert all(len(s.drafts) == (s.n > 1) for s in episode.trajectory.steps)


@pytest.mark.parametrize("given", [{"repeats": 0}, {"then": "shout"}])
def test_a_guard_that_cannot_work_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="LoopGuard"):
        LoopGuard(**given)
    with pytest.raises(ConfigurationError, match="FormGuard"):
        FormGuard(pattern="(")


def test_an_action_of_the_wrong_form_is_asked_for_again_and_then_fails() -> None:
    said = iter(["LEFT!", "LEFT!", "never asked"])

    async def shouting(_: Situation) -> str:
        return next(said)

    episode = play(shouting, hooks=[FormGuard(limit=1, pattern="left|right")])
    assert (episode.stop_reason, episode.trajectory.steps) == (StopReason.HOOK, ())
    assert next(said) == "never asked"


def test_an_action_that_is_mended_goes_on() -> None:
    said = iter(["LEFT!", "right", "right", "right"])

    async def shouting(_: Situation) -> str:
        return next(said)

    episode = play(shouting, hooks=[FormGuard(limit=1, pattern="left|right")])
    assert episode.success is True
    assert [d.text for d in episode.trajectory.steps[0].drafts] == ["LEFT!"]


def planner(*replies: dict[str, Any]) -> ScriptedModel:
    return ScriptedModel(replies)


def test_a_plan_is_written_criticised_improved_and_stands_beside_every_step() -> None:
    model = planner(
        {"steps": ["go left"]}, {"problems": ["left is a wall"]}, {"steps": ["go right"]}
    )
    seen: list[list[str]] = []

    async def walking(situation: Situation) -> str:
        seen.append([n.text for n in situation.notes])
        return "right"

    episode = play(walking, hooks=[PlanHook(model, library(), rounds=1)])
    assert episode.success is True
    assert len(seen) > 1
    assert all(notes == seen[0] and "(1) go right" in notes[0] for notes in seen)
    first, second, third = (r.messages[-1].text for r in model.requests)
    assert "<plan>" not in first
    assert "1. go left" in second
    assert "- left is a wall" in third
    assert episode.usage["critic"].calls == 3


def test_a_plan_without_problems_is_kept_as_it_is() -> None:
    model = planner({"steps": ["go right"]}, {"problems": []})
    episode = play(standing, hooks=[PlanHook(model, library(), rounds=3)])
    assert len(model.requests) == 2
    assert episode.trajectory.steps[0].notes[0].author == "plan"


def test_a_draft_is_sent_back_with_its_problems_as_often_as_asked() -> None:
    def judge(request: Request) -> dict[str, Any]:
        return {"problems": [] if "\nright\n" in request.messages[-1].text else ["a wall is there"]}

    model = ScriptedModel(judge)
    episode = play(heeding, hooks=[ReviewHook(model, library(), rounds=1)])
    assert episode.success is True
    first = episode.trajectory.steps[0]
    assert [d.text for d in first.drafts] == ["stay"]
    assert "a wall is there" in first.notes[0].text


class Starter(Hook):
    def __init__(self, decide: Any) -> None:
        self.decide = decide

    async def at_start(self, situation: Situation, /) -> Any:
        return self.decide


def test_a_hook_may_speak_or_stop_before_the_first_draft() -> None:
    episode = play(heeding, hooks=[Starter(Annotate(note="right"))])
    assert episode.trajectory.steps[0].action.text == "right"
    assert episode.trajectory.steps[0].drafts == ()
    stopped = play(heeding, hooks=[Starter(Stop())])
    assert (stopped.stop_reason, stopped.trajectory.steps) == (StopReason.HOOK, ())
    broken = play(heeding, hooks=[Starter("shout")])
    assert broken.stop_reason is StopReason.HOOK_ERROR

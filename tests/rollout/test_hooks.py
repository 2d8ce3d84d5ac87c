"""Each decision of a hook changes what happens, is journaled, and is billed to the critic."""

import asyncio
import threading
from typing import Any

import pytest

from tests.rollout.corridor import CorridorTask, Executing, context, play, spec
from verbalrl.errors import ReplayMismatch
from verbalrl.models import MemoryJournal, ScriptedModel
from verbalrl.records import (
    Action,
    Guidance,
    Instance,
    Note,
    Observation,
    Origin,
    Situation,
    StopReason,
    TextPart,
    Trajectory,
)
from verbalrl.rollout import (
    Accept,
    Annotate,
    Hook,
    Limits,
    ReplaceAction,
    ReplaceObservation,
    Revise,
    Stop,
)


class Before(Hook):
    """Decides by a function of the draft."""

    name = "judge"

    def __init__(self, decide: Any) -> None:
        self.decide = decide

    async def before_action(self, situation: Situation, draft: Action, /) -> Any:
        return self.decide(draft.text)


class After(Hook):
    name = "watcher"

    def __init__(self, decide: Any) -> None:
        self.decide = decide

    async def after_step(self, trajectory: Trajectory, /) -> Any:
        return self.decide(trajectory)


async def left(situation: Situation) -> str:
    """Goes left unless it is told otherwise."""
    told = any("right" in n.text for n in situation.notes)
    return "right" if told or "right" in situation.observation.text else "left"


def test_accepting_changes_nothing() -> None:
    plain = play(left)
    for decision in (None, Accept()):
        assert play(left, hooks=[Before(lambda _, d=decision: d)]) == plain


def test_revision_sends_the_draft_back_with_a_note() -> None:
    judge = Before(lambda draft: Revise(note="go right") if draft == "left" else None)
    episode = play(left, hooks=[judge])
    assert episode.success is True
    first = episode.trajectory.steps[0]
    assert [d.text for d in first.drafts] == ["left"]
    assert first.notes == (Note(author="judge", text="go right"),)
    assert first.action.text == "right"


def test_revised_agent_sees_its_draft() -> None:
    seen: list[Situation] = []

    async def agent(situation: Situation) -> str:
        seen.append(situation)
        return "left"

    play(agent, hooks=[Before(lambda _: Revise(note="why?"))], spec=spec(max_steps=1))
    assert [s.previous and s.previous.output for s in seen] == [None, "left", "left"]
    assert [len(s.notes) for s in seen] == [0, 1, 2]


def test_notes_carry_the_origin_that_their_hook_names() -> None:
    unsaid = Before(lambda draft: Revise(note="go right") if draft == "left" else None)
    own = After(lambda _: Annotate(note="try right", origin=Origin.TASK))
    steps = play(left, hooks=[unsaid, own]).trajectory.steps
    said = [(note.author, note.origin) for step in steps for note in step.notes]
    assert said == [("judge", Origin.UNTRUSTED), ("watcher", Origin.TASK)]


def test_third_revision_is_not_asked_for() -> None:
    episode = play(left, hooks=[Before(lambda _: Revise(note="no"))], spec=spec(max_steps=1))
    step = episode.trajectory.steps[0]
    assert (len(step.drafts), len(step.notes), step.action.text) == (2, 3, "left")


def test_replaced_action_is_done_instead() -> None:
    judge = Before(lambda _: ReplaceAction(action=Action(text="right")))
    episode = play(left, hooks=[judge])
    assert episode.success is True
    assert [d.text for d in episode.trajectory.steps[0].drafts] == ["left"]


def test_stop_before_an_action_ends_the_episode() -> None:
    episode = play(left, hooks=[Before(lambda _: Stop(reason="danger"))])
    assert (episode.status, episode.stop_reason) == ("finished", StopReason.HOOK)
    assert (episode.trajectory.steps, episode.truncated) == ((), True)


def test_answer_of_an_answer_agent_is_its_draft() -> None:
    def answer(instance: Instance, guidance: Guidance) -> str:
        return "right" if "Previous answer: left" in guidance.text else "left"

    judge = Before(lambda draft: Revise(note="hm") if draft == "left" else None)
    task = CorridorTask(Executing)
    episode = play(answer, task, spec(purpose="candidate"), hooks=[judge])
    assert episode.answer == "right"


def test_note_reaches_the_next_step_and_belongs_to_it() -> None:
    watcher = After(lambda t: Annotate(note="try right") if len(t.steps) == 1 else None)
    episode = play(left, hooks=[watcher])
    first, second, third = episode.trajectory.steps[:3]
    assert [s.action.text for s in (first, second, third)] == ["left", "right", "left"]
    assert second.notes == (Note(author="watcher", text="try right"),)
    assert first.notes == third.notes == ()


def test_replaced_observation_is_shown_and_the_own_is_kept_beside() -> None:
    seen: list[Situation] = []

    async def agent(situation: Situation) -> str:
        seen.append(situation)
        return await left(situation)

    shown = ReplaceObservation(observation=Observation(text="Go right!"))
    episode = play(agent, hooks=[After(lambda _: shown)], spec=spec(max_steps=3))
    second = episode.trajectory.steps[1]
    # What a hook puts in is not the environment's.
    parts = (TextPart(text="Go right!", origin=Origin.UNTRUSTED),)
    own = Observation(text="Go right!", parts=parts, actions=("left", "right"))
    assert second.observation == own
    assert second.unreplaced is not None
    assert second.unreplaced.text == "You stand in cell -1."
    assert second.action.text == "right"
    assert all(s.unreplaced is None for s in seen[-1].history)


def test_stop_after_a_step_ends_the_episode() -> None:
    episode = play(left, hooks=[After(lambda _: Stop())])
    assert (len(episode.trajectory.steps), episode.stop_reason) == (1, StopReason.HOOK)


def test_hooks_are_not_asked_once_the_episode_is_over() -> None:
    lengths: list[int] = []

    async def right(situation: Situation) -> str:
        return "right"

    play(right, hooks=[After(lambda t: lengths.append(len(t.steps)))])
    assert lengths == [1]


def test_first_hook_that_objects_decides() -> None:
    asked: list[str] = []

    def hook(name: str, decision: Any) -> Before:
        def decide(_: str) -> Any:
            asked.append(name)
            return decision

        return Before(decide)

    hooks = [hook("a", None), hook("b", Stop()), hook("c", None)]
    play(left, hooks=hooks)
    assert asked == ["a", "b"]


def test_sync_hooks_run_in_a_thread() -> None:
    class Plain:
        def before_action(self, situation: Situation, draft: Action) -> Any:
            assert threading.current_thread() is not threading.main_thread()
            return ReplaceAction(action=Action(text="right"))

    episode = play(left, hooks=[Plain()])
    assert episode.success is True


class Asking(Hook):
    """Asks a model whether the draft is good."""

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model

    async def before_action(self, situation: Situation, draft: Action, /) -> Any:
        answer = await self.model.ask(f"Is {draft.text} good?")
        return ReplaceAction(action=Action(text=answer))


def test_decisions_are_made_once_and_billed_to_the_critic() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["right", "right"])
    live, replayed = (play(left, own=context(journal), hooks=[Asking(model)]) for _ in range(2))
    assert live == replayed
    assert len(model.requests) == 2
    assert live.usage["critic"].calls == 2
    assert "actor" not in live.usage
    kinds = [r.kind for r in journal.records.values()]
    assert (kinds.count("hook"), kinds.count("model")) == (2, 2)
    assert {r.role for r in model.requests} == {"critic"}


def test_half_made_decision_is_made_again_from_its_journaled_calls() -> None:
    journal, model = MemoryJournal(), ScriptedModel(["right", "right"])
    live = play(left, own=context(journal), hooks=[Asking(model)])
    journal.records = {k: r for k, r in journal.records.items() if r.kind == "model"}
    assert play(left, own=context(journal), hooks=[Asking(model)]) == live
    assert len(model.requests) == 2


def test_decision_about_another_draft_is_a_mismatch() -> None:
    journal = MemoryJournal()
    play(left, own=context(journal), hooks=[Before(lambda _: None)])
    with pytest.raises(ReplayMismatch):
        play(lambda s: "right", own=context(journal), hooks=[Before(lambda _: None)])


def raises(_: Any) -> None:
    raise KeyError("oops")


@pytest.mark.parametrize("decide", [raises, lambda _: "fine", lambda _: Annotate(note="x")])
def test_hook_that_breaks_is_attributed(decide: Any) -> None:
    episode = play(left, hooks=[Before(decide)])
    assert episode.stop_reason is StopReason.HOOK_ERROR
    assert episode.failure is not None
    assert "judge.before_action" in episode.failure.message


def test_hook_of_after_step_that_breaks_keeps_the_step() -> None:
    episode = play(left, hooks=[After(raises)])
    assert (episode.stop_reason, len(episode.trajectory.steps)) == (StopReason.HOOK_ERROR, 1)


def test_model_failure_inside_a_hook_is_the_models() -> None:
    episode = play(left, hooks=[Asking(ScriptedModel([]))])
    assert episode.stop_reason is StopReason.MODEL_ERROR


def test_hook_that_takes_too_long_is_an_error_of_the_hook() -> None:
    class Slow(Hook):
        async def before_action(self, situation: Situation, draft: Action, /) -> Any:
            await asyncio.Event().wait()

    episode = play(left, hooks=[Slow()], limits=Limits(step_timeout_s=0.03))
    assert episode.stop_reason is StopReason.HOOK_ERROR


def test_texts_of_hooks_are_cleaned() -> None:
    watcher = After(lambda _: Annotate(note="try\x00 it", author="anna"))
    step = play(left, hooks=[watcher], spec=spec(max_steps=2)).trajectory.steps[1]
    assert step.notes == (Note(author="anna", text="try it"),)

"""One episode from reset to its end, with all that it had."""

import asyncio
from typing import Any

import pytest

from tests.rollout.corridor import (
    INSTANCE,
    LANE,
    RECALL,
    Corridor,
    CorridorTask,
    Executing,
    actions,
    context,
    play,
    played,
    spec,
)
from verbalrl.agents import ChatAgent
from verbalrl.errors import ReplayMismatch
from verbalrl.ids import seed_from
from verbalrl.models import DelayedModel, MemoryJournal, Request, ScriptedModel
from verbalrl.records import (
    Action,
    Guidance,
    GuidanceLine,
    GuidanceSpec,
    Instance,
    Observation,
    Previous,
    Situation,
    StepResult,
    StopReason,
    Use,
)
from verbalrl.rollout import Limits


def right(situation: Situation) -> str:
    return "right"


async def left(situation: Situation) -> str:
    return "left"


def test_success_is_recorded_with_steps_and_reward() -> None:
    task = CorridorTask()
    episode = play(right, task)
    assert (episode.status, episode.stop_reason) == ("finished", StopReason.TERMINATED)
    assert (episode.success, episode.terminated, episode.truncated) == (True, True, False)
    assert [(s.n, s.action.text, s.feedback) for s in episode.trajectory.steps] == [
        (1, "right", "A wall."),
        (2, "right", "The door!"),
    ]
    assert episode.reward.value == pytest.approx(0.9)
    assert episode.reward.components == {"moves": 2.0}
    assert episode.answer == "right"
    assert episode.trajectory.final == Observation(
        text="You stand in cell 2.", actions=("left", "right")
    )
    assert episode.id == episode.spec.id(LANE)
    assert task.made[0].seed == episode.spec.world_seed()
    assert task.made[0].closed == 1


def test_ten_line_sync_agent_with_a_model() -> None:
    model = ScriptedModel(["left", "right", "right", "right"])

    def agent(situation: Situation) -> str:
        prompt = f"{situation.goal} {situation.guidance} {situation.observation.text}"
        answer = model.ask_sync(prompt)
        return answer if answer in (situation.actions or ()) else "left"

    episode = play(agent)
    assert episode.success is True
    assert episode.usage["actor"].calls == 4


def test_situation_grows_by_what_happened_and_hides_the_rest() -> None:
    seen: list[Situation] = []

    async def agent(situation: Situation) -> str:
        seen.append(situation)
        return "right"

    play(agent)
    assert [s.step for s in seen] == [1, 2]
    assert seen[1].history[0].feedback == "A wall."
    assert all(s.instance is not None and s.instance.id == INSTANCE.id for s in seen)
    assert "psst" not in seen[1].model_dump_json()
    assert '"door"' not in seen[1].model_dump_json()
    assert Situation.model_validate(seen[1].model_dump()) == seen[1]


def test_answer_agent_answers_once() -> None:
    def answer(instance: Instance, guidance: Guidance) -> str:
        assert instance.answers == ()
        assert instance.data == {}
        return f"{instance.goal} {guidance}"

    class Question(Corridor):
        def step(self, action: Action, /) -> StepResult:
            good = "follow the wall" in action.text
            return StepResult(
                observation=Observation(), terminated=True, success=good, reward=float(good)
            )

    def provider(role: str, situation: Situation, step: int) -> Guidance:
        return Guidance(texts=("follow the wall",), text="follow the wall")

    episode = play(answer, CorridorTask(Question), guidance=provider)
    assert episode.success is True
    assert episode.answer == "Reach the door. follow the wall"
    assert episode.guidance["actor"].text == "follow the wall"


def test_limit_of_steps_is_a_stop_reason() -> None:
    assert play(left).stop_reason is StopReason.MAX_STEPS
    assert len(play(left).trajectory.steps) == 5
    assert len(play(left, limits=Limits(max_steps=3)).trajectory.steps) == 3
    episode = play(left, spec=spec(max_steps=2), limits=Limits(max_steps=3))
    assert len(episode.trajectory.steps) == 2
    assert (episode.status, episode.truncated, episode.success) == ("finished", True, False)


def test_prefix_is_replayed_and_the_agent_goes_on() -> None:
    episode = play(right, spec=spec(prefix=actions("left", "right", "right")))
    assert [s.replayed for s in episode.trajectory.steps] == [True, True, True, False]
    assert episode.success is True


def test_prefix_that_ends_the_episode_never_asks_the_agent() -> None:
    async def agent(situation: Situation) -> str:
        raise AssertionError("asked")

    chosen = spec(prefix=actions("right", "right", "left"), selected_from=("ep_a", "ep_b"))
    episode = play(agent, spec=chosen)
    assert (episode.success, episode.answer) == (True, "right")
    assert len(episode.trajectory.steps) == 2
    assert episode.guidance == {}


def test_candidate_is_executed_and_not_scored() -> None:
    episode = play(right, CorridorTask(Executing), spec(purpose="candidate", candidate=2))
    assert (episode.status, episode.stop_reason) == ("finished", StopReason.EXECUTED)
    assert (episode.success, episode.reward.value, episode.answer) == (None, None, "right")
    assert episode.trajectory.steps[0].feedback == "would do right"


def test_candidate_without_execute_is_an_error_before_anything_is_paid() -> None:
    model = ScriptedModel([])
    episode = play(ChatAgent(model), spec=spec(purpose="candidate"))
    assert (episode.status, episode.stop_reason) == ("failed", StopReason.TASK_ERROR)
    assert model.requests == []


def test_what_is_revised_reaches_the_agent() -> None:
    async def agent(situation: Situation) -> str:
        assert situation.previous == Previous(output="left", critique="wrong way")
        return "right"

    previous = Previous(output="left", critique="wrong way")
    assert play(agent, spec=spec(revises=previous)).success is True


def guided(recall: Any) -> tuple[list[int], Any]:
    asked: list[int] = []

    def provider(role: str, situation: Situation, step: int) -> Guidance:
        assert role == "actor"
        asked.append(step)
        use = Use(lesson="ls", version=1, content="c", rank=1, outcome="injected", step=step)
        line = GuidanceLine(alias=1, lesson="ls", instruction=f"go right {len(asked)}")
        return Guidance(volatile=(line,), uses=(use,), text=line.instruction)

    guidance = {"actor": GuidanceSpec(source="recall", recall=recall)}
    return asked, play(right, spec=spec(guidance=guidance), guidance=provider)


def test_guidance_is_pinned_for_the_episode() -> None:
    asked, episode = guided("episode")
    assert asked == [0]
    assert episode.guidance["actor"].text == "go right 1"


def test_guidance_per_step_keeps_the_uses_of_all_steps() -> None:
    asked, episode = guided("step")
    assert asked == [1, 2]
    assert episode.guidance["actor"].text == "go right 2"
    assert [u.step for u in episode.guidance["actor"].uses] == [1, 2]


def test_role_without_a_spec_gets_nothing() -> None:
    def provider(role: str, situation: Situation, step: int) -> Guidance:
        raise AssertionError("asked")

    assert play(right, spec=spec(), guidance=provider).guidance == {}


def test_observations_are_cleaned_where_they_enter() -> None:
    class Dirty(Corridor):
        def reset(self, seed: int, /) -> Observation:
            return Observation(text="\x00Your password=hunter2hunter2", actions=("ri\x00ght",))

    async def agent(situation: Situation) -> str:
        assert situation.actions == ("right",)
        return "right"

    episode = play(agent, CorridorTask(Dirty))
    text = episode.trajectory.steps[0].observation.text
    assert text.startswith("Your")
    assert "hunter2" not in text


def chat_replies(request: Request) -> dict[str, Any]:
    # What it does depends on the sample alone, so every order of events must give the same.
    way = "right" if request.sample_seed % 3 else "left"
    return {"thought": "", "action": way, "lessons_used": []}


def test_killed_and_resumed_episode_equals_the_uninterrupted_one() -> None:
    whole = play(ChatAgent(ScriptedModel(chat_replies)), own=context())
    journal = MemoryJournal()
    counted = ScriptedModel(chat_replies)

    async def interrupted() -> None:
        slow = DelayedModel(counted, seed=1, low=0.01, high=0.01)
        task = asyncio.create_task(played(ChatAgent(slow), own=context(journal)))
        while len(journal.records) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    before = len(journal.records)
    resumed = play(ChatAgent(counted), own=context(journal))
    assert resumed == whole
    assert 2 <= before < len(journal.records)


def test_changed_prompt_is_a_mismatch_even_when_the_agent_swallows_it() -> None:
    journal, model = MemoryJournal(), ScriptedModel(lambda _: "right")

    def agent(word: str) -> Any:
        async def act(situation: Situation) -> str:
            try:
                return await model.ask(word)
            except Exception:  # noqa: BLE001 - as users write it
                return "right"

        return act

    play(agent("a"), own=context(journal))
    with pytest.raises(ReplayMismatch):
        play(agent("b"), own=context(journal))
    episode = play(agent("b"), own=context(journal, generation=1))
    assert episode.generation == 1


def test_world_seed_is_handed_to_the_environment() -> None:
    task = CorridorTask()
    play(right, task, spec(trial=3))
    assert task.made[0].seed == seed_from("world", INSTANCE.id, 3)


def test_recall_spec_is_shared_over_steps() -> None:
    assert RECALL["actor"].recall == "episode"

"""Tools of an observation on their way through an episode, and parts as plain text."""

from __future__ import annotations

from typing import Any

from tests.rollout.corridor import Corridor, CorridorTask, play
from verbalrl.records import (
    Action,
    MediaPart,
    Observation,
    Situation,
    Step,
    TextPart,
    Tool,
    ToolResultPart,
    part_text,
)
from verbalrl.rollout import Hook, ReplaceObservation
from verbalrl.rollout.environments import clean_observation

RING = Tool(name="ring", description="Ring\u202e the bell.", parameters={"about": ["a\x07b"]})


def seen(*tools: tuple[Tool, ...] | None) -> tuple[Tool, ...]:
    """The tools of a situation whose observations said these, the present one last."""
    *before, now = (Observation(text="x", tools=t) for t in tools)
    steps = (Step(n=n, observation=o, action=Action(text="y")) for n, o in enumerate(before, 1))
    return Situation(goal="g", observation=now, history=tuple(steps)).tools


def test_tools_hold_until_an_observation_names_others() -> None:
    assert seen(None) == ()
    assert seen((RING,), None, None) == (RING,)
    assert seen((RING,), (), None) == ()
    assert seen(None, (RING,)) == (RING,)


def test_what_tools_say_of_themselves_is_cleaned() -> None:
    (tool,) = clean_observation(Observation(text="x", tools=(RING,))).tools or ()
    assert (tool.description, tool.parameters) == ("Ring the bell.", {"about": ["ab"]})


def test_what_an_environment_does_to_its_tools_later_changes_no_record() -> None:
    own = Tool(name="ring", description="Ring.", parameters={"about": ["ab"]})
    (tool,) = clean_observation(Observation(text="x", tools=(own,))).tools or ()
    own.parameters["about"] = "another day"
    assert tool.parameters == {"about": ["ab"]}


def test_what_is_clean_is_handed_on_as_it_is() -> None:
    clean = Observation(text="x", actions=("a", "b"), parts=(TextPart(text="x"),))
    assert clean_observation(clean) is clean
    for dirty in ({"text": "x\x07"}, {"actions": ("a", "b\x07")}):
        assert clean_observation(clean.replace(**dirty, parts=())) == clean.replace(parts=())


def test_a_replaced_observation_keeps_its_tools() -> None:
    class Ringing(Corridor):
        def _seen(self) -> Observation:
            return super()._seen().model_copy(update={"tools": (RING,)})

    class Watcher(Hook):
        name = "watcher"

        async def after_step(self, trajectory: Any, /) -> Any:
            return ReplaceObservation(observation=Observation(text="Go right!"))

    tools: list[tuple[str, ...]] = []

    async def agent(situation: Situation) -> str:
        tools.append(tuple(t.name for t in situation.tools))
        return "right"

    play(agent, task=CorridorTask(Ringing), hooks=[Watcher()])
    assert tools == [("ring",)] * 2


def test_data_is_no_text_and_an_error_says_so() -> None:
    data = [MediaPart(media_type="image/png", uri=f"data:image/png;base64,{c}") for c in "AB"]
    first, second = map(part_text, data)
    assert first.startswith("[image/png: data ")
    assert first != second
    far = MediaPart(media_type="image/png", uri="https://example.org/a.png")
    assert part_text(far) == "[image/png: https://example.org/a.png]"
    assert part_text(ToolResultPart(call_id="a", text="gone", is_error=True)) == "error: gone"
    assert Observation(parts=(data[0],)).text == first

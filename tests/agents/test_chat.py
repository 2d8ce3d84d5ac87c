"""The chat agent: one request per step, actions from the list, one more try."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from verbalrl.agents import PROMPT_INPUTS, ChatAgent
from verbalrl.agents.chat import move_schema
from verbalrl.errors import ModelError, PromptError
from verbalrl.models import ScriptedModel
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Action,
    Guidance,
    GuidanceLine,
    Note,
    Observation,
    Previous,
    Situation,
    Step,
)

OPEN = {"thought": "it helps", "action": "open", "lessons_used": [2, 9, 2]}


def situation(**changes: Any) -> Situation:
    lines = [
        GuidanceLine(alias=n, lesson=f"ls_{n}", when="a door", instruction=f"do thing {n}")
        for n in (1, 2)
    ]
    whole = {
        "goal": "Leave the room.",
        "observation": Observation(text="A door.", actions=("open", "wait")),
        "guidance": Guidance(stable=(lines[0],), volatile=(lines[1],), texts=("Doors are shy.",)),
        **changes,
    }
    return Situation(**whole)


def act(replies: Any, at: Situation | None = None, **settings: Any) -> tuple[Action, ScriptedModel]:
    model = ScriptedModel(replies)
    action = asyncio.run(ChatAgent(model, **settings)(at or situation()))
    return action, model


def test_action_thought_and_known_lessons_come_back() -> None:
    action, model = act([OPEN])
    assert (action.text, action.thought, action.lessons_used) == ("open", "it helps", (2,))
    assert len(model.requests) == 1


def test_system_holds_the_stable_lessons_and_user_text_the_rest() -> None:
    _, model = act([OPEN], role="a locksmith")
    system, user = (m.text for m in model.requests[0].messages)
    assert "a locksmith" in system
    assert "do thing 1" in system
    assert "do thing 2" not in system
    for shown in ("Leave the room.", "do thing 2", "Doors are shy.", "- open\n- wait"):
        assert shown in user


def test_history_notes_and_previous_are_shown_once() -> None:
    step = Step(
        n=1, observation=Observation(text="Dark."), action=Action(text="wait"), feedback="Ok"
    )
    _, model = act(
        [OPEN],
        situation(
            history=(step,),
            notes=(Note(author="h", text="too slow"), Note(author="anna", text="hurry")),
            previous=Previous(output="wait", critique="too slow"),
        ),
    )
    user = model.requests[0].messages[1].text
    assert "- step 1 | observation: Dark. | action: wait | feedback: Ok" in user
    assert user.count("too slow") == 1
    assert "anna: hurry" in user


def test_without_guidance_there_is_no_trace_of_it() -> None:
    _, model = act([OPEN], situation(guidance=Guidance()))
    assert all("<guidance>" not in m.text for m in model.requests[0].messages)


def test_action_beside_the_list_is_asked_for_once_more() -> None:
    action, model = act([{"action": "kick"}, OPEN])
    assert action.text == "open"
    assert "'kick' is not one of the listed actions" in model.requests[1].messages[-1].text
    assert "<observation>" in model.requests[1].messages[-1].text


def test_action_beside_the_list_is_passed_on_the_second_time() -> None:
    action, model = act([{"action": "kick"}, {"action": "shout"}])
    assert action.text == "shout"
    assert len(model.requests) == 2


def test_any_text_is_an_action_where_none_is_listed() -> None:
    action, model = act([{"action": "42"}], situation(observation=Observation(text="6 * 7?")))
    assert action.text == "42"
    assert "enum" not in json.dumps(model.requests[0].output_schema)


def test_listed_action_that_looks_like_a_tag_is_mapped_back() -> None:
    observation = Observation(text="x", actions=("<goal>", "wait"))
    action, model = act([{"action": "‹goal›"}], situation(observation=observation))
    assert action.text == "<goal>"
    assert len(model.requests) == 1


def test_schema_lists_the_actions_and_requires_all_fields() -> None:
    schema = move_schema(("open", "wait"))
    properties: Any = schema["properties"]
    assert properties["action"]["enum"] == ["open", "wait"]
    assert schema["required"] == ["thought", "action", "lessons_used"]


def test_garbage_is_an_error_of_the_model_after_two_repairs() -> None:
    with pytest.raises(ModelError):
        act(["a", "b", "c"])


def test_prompts_take_exactly_the_declared_inputs() -> None:
    PromptLibrary().check(PROMPT_INPUTS, exact=True)


def test_overridden_prompt_is_checked_at_once(tmp_path: Path) -> None:
    (tmp_path / "actor").mkdir()
    (tmp_path / "actor" / "act.jinja").write_text("{{ gaol }}")
    with pytest.raises(PromptError, match="gaol"):
        ChatAgent(ScriptedModel([]), prompts=tmp_path)
    (tmp_path / "actor" / "act.jinja").write_text("Do {{ goal }}!")
    _, model = act([OPEN], prompts=str(tmp_path))
    assert model.requests[0].messages[1].text == "Do Leave the room.!"


def test_offline_apprentice_follows_a_lesson() -> None:
    line = GuidanceLine(alias=1, lesson="ls", when="a door", instruction="choose open")
    at = situation(guidance=Guidance(volatile=(line,)))
    actions = [asyncio.run(ChatAgent(f"offline:apprentice#{n}")(at)).text for n in range(10)]
    assert actions.count("open") >= 8

"""The chat agent: one request per step, actions from the list, one more try."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verbalrl.agents import PROMPT_INPUTS, ChatAgent
from verbalrl.agents.chat import move_schema
from verbalrl.errors import ConfigurationError, ModelError, PromptError
from verbalrl.ids import token_estimate
from verbalrl.models import MEDIA_TOKENS, ScriptedModel
from verbalrl.prompts import PromptLibrary
from verbalrl.records import (
    Action,
    Guidance,
    GuidanceLine,
    MediaPart,
    Note,
    Observation,
    Previous,
    Situation,
    Step,
    TextPart,
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
    assert action.repaired == ""
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
    assert "'kick' is not one of the listed actions" in action.repaired


def test_action_beside_the_list_is_passed_on_the_second_time() -> None:
    action, model = act([{"action": "kick"}, {"action": "shout"}])
    assert action.text == "shout"
    assert "'kick'" in action.repaired
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


PROMPTS = PromptLibrary()
IMAGE = MediaPart(media_type="image/png", uri=f"data:image/png;base64,{'iVBO' * 30_000}")


def past(n: int, size: int = 10) -> Step:
    seen = Observation(text=f"Seen {n}. " + "x" * size)
    return Step(n=n, observation=seen, action=Action(text=f"act{n}"), feedback=f"Said {n}.")


def sent(at: Situation, **more: Any) -> list[str]:
    """System text and user text for `at`."""
    messages = ChatAgent(ScriptedModel([]), prompts=PROMPTS, **more).messages(at)
    return [m.text or "".join(p.text for p in m.parts[:1] if isinstance(p, TextPart))
            for m in messages]  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 2_000) | st.just(60_000), max_size=40),
    st.integers(0, 60_000),
    st.integers(2_000, 12_000),
)
def test_a_long_history_fits_its_budget(sizes: list[int], newest: int, budget: int) -> None:
    history = tuple(past(n, size) for n, size in enumerate(sizes, 1))
    now = Observation(text="Now. " + "y" * newest + " End.", actions=("open", "wait"))
    texts = sent(situation(history=history, observation=now), prompt_tokens=budget)
    assert sum(map(token_estimate, texts)) <= budget
    assert "<observation>\nNow. y" in texts[1] or newest == 0
    assert "End.\n</observation>" in texts[1]
    steps = [int(n) for n in re.findall(r"^- step (\d+) \|", texts[1], re.MULTILINE)]
    assert steps == sorted(set(steps))
    assert set(steps) >= {n for n in (1, len(sizes)) if sizes}
    omitted = re.findall(r"^- (\d+) steps are left out here$", texts[1], re.MULTILINE)
    assert sum(map(int, omitted)) == len(sizes) - len(steps)
    assert len(omitted) <= 1


def test_the_prompt_grows_at_its_end_for_many_steps() -> None:
    agent = ChatAgent(ScriptedModel([]), prompts=PROMPTS, prompt_tokens=4_000)
    before, kept = "", 0
    for n in range(1, 101):
        at = situation(history=tuple(past(m, 300) for m in range(1, n + 1)))
        text = agent.messages(at)[1].text.partition("</history>")[0]
        kept += text.startswith(before)
        before = text
    assert kept >= 85


def test_a_step_is_made_ready_once_and_forgotten_with_the_episode() -> None:
    agent = ChatAgent(ScriptedModel([]), prompts=PROMPTS)
    history = [past(n) for n in range(5)]
    for n in range(1, 6):
        agent.messages(situation(history=tuple(history[:n])))
    assert len(agent._shown) == 5
    del history
    assert len(agent._shown) == 0


def test_media_follow_the_text_untouched_and_count_as_media() -> None:
    seen = Observation(parts=(TextPart(text="A map."), IMAGE))
    step = past(1).model_copy(update={"observation": seen})
    agent = ChatAgent(ScriptedModel([]), prompts=PROMPTS)
    (alone,) = agent.messages(situation(observation=seen))[1:]
    assert [type(p) for p in alone.parts] == [TextPart, MediaPart]
    (user,) = agent.messages(situation(history=(step,), observation=seen))[1:]
    assert [p for p in user.parts if isinstance(p, MediaPart)] == [IMAGE, IMAGE]
    text = user.parts[0]
    assert isinstance(text, TextPart)
    assert "iVBO" not in text.text
    # The text's mark stands before each of several media too.
    mark = user.parts[1]
    assert isinstance(mark, TextPart)
    assert text.text.count(mark.text) == 2


def test_media_of_steps_that_are_left_out_are_left_out() -> None:
    seen = Observation(parts=(TextPart(text="A map."), IMAGE))
    history = tuple(past(n).model_copy(update={"observation": seen}) for n in range(1, 21))
    (user,) = ChatAgent(ScriptedModel([]), prompt_tokens=10_000).messages(
        situation(history=history, observation=seen)
    )[1:]
    media = sum(isinstance(p, MediaPart) for p in user.parts)
    assert 3 <= media <= 10_000 // MEDIA_TOKENS


def test_a_budget_that_holds_no_prompt_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="prompt_tokens is 10"):
        ChatAgent(ScriptedModel([]), prompt_tokens=10)


def test_the_offline_model_reads_a_history_with_a_gap() -> None:
    history = tuple(past(n, 400) for n in range(1, 60))
    agent = ChatAgent("offline:apprentice", prompt_tokens=3_000)
    assert "steps are left out here" in agent.messages(situation(history=history))[1].text
    assert asyncio.run(agent(situation(history=history))).text in ("open", "wait")

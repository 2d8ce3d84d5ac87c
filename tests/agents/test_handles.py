"""Any callable becomes an agent, or a one-line error."""

import asyncio
import functools
import threading
from typing import Any

import pytest

from verbalrl.agents import adapt, agent, public
from verbalrl.errors import AgentError, ConfigurationError
from verbalrl.models import ScriptedModel
from verbalrl.records import Action, Guidance, Instance, Note, Observation, Previous, Situation

SITUATION = Situation(
    goal="Leave.",
    observation=Observation(text="A door.", actions=("open", "wait")),
    guidance=Guidance(texts=("Doors open.",), text="Doors open."),
    instance=Instance(id="t/1", goal="Leave."),
)


def act(given: Any, situation: Situation = SITUATION) -> Action:
    return asyncio.run(adapt(given).act(situation))


class Steps:
    name = "steps"

    async def __call__(self, situation: Situation, /) -> str:
        return situation.observation.actions[0] if situation.observation.actions else ""


async def async_agent(situation: Situation) -> Action:
    return Action(text="open", thought="why\x00 not")


def sync_agent(situation: Situation, style: str = "bold") -> str:
    assert threading.current_thread() is not threading.main_thread()
    return "open"


@pytest.mark.parametrize(
    "given",
    [
        Steps(),
        Steps().__call__,
        async_agent,
        sync_agent,
        functools.partial(sync_agent, style="shy"),
        lambda situation: async_agent(situation),
        agent(lambda *args: "open", answers=False),
        agent(answers=False)(lambda *args: "open"),
        agent(sync_agent),
    ],
    ids=range(9),
)
def test_situation_agents_of_any_shape(given: Any) -> None:
    assert adapt(given).kind == "situation"
    assert act(given).text == "open"


def test_answer_agents_get_instance_and_guidance() -> None:
    def answer(instance: Instance, guidance: Guidance) -> str:
        return f"{instance.goal} {guidance}"

    assert adapt(answer).kind == "answer"
    assert act(answer).text == "Leave. Doors open."
    marked = agent(lambda *args: str(args[1]), answers=True)
    assert act(marked).text == "Doors open."


def test_answer_agents_are_shown_what_the_environment_shows() -> None:
    assert act(lambda instance, guidance: instance.text).text == "Leave.\n\nA door."
    assert act(lambda instance, guidance: instance.actions[1]).text == "wait"
    assert Instance(id="t/1", goal="Leave.").text == "Leave."


def test_answer_agents_read_notes_and_drafts_in_their_guidance() -> None:
    situation = SITUATION.replace(
        notes=(Note(author="judge", text="too long"), Note(author="anna", text="hurry")),
        previous=Previous(output="I open it.", critique="too long"),
    )
    text = act(lambda instance, guidance: guidance.text, situation).text
    assert text.splitlines() == [
        "Doors open.",
        "Previous answer: I open it.",
        "Critique of it: too long",
        "Note (anna): hurry",
    ]


def nobody() -> str:
    return "open"


def keyword(situation: Situation, *, model: str) -> str:
    return model


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (nobody, "takes 0 required"),
        (lambda *args: "open", "vrl.agent"),
        (lambda a, b, c: "open", "takes 3"),
        (keyword, "keyword 'model'"),
        (Steps, "pass an instance"),
        ("gpt", "is a name; write vrl.ChatAgent"),
    ],
)
def test_what_is_no_agent_is_refused_in_one_line(given: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        adapt(given)


def test_mark_that_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="2 arguments"):
        agent(sync_agent_of_one, answers=True)


def sync_agent_of_one(situation: Situation) -> str:
    return "open"


@pytest.mark.parametrize("result", [None, 3, True, ["open"], {"action": "open"}, b"open"])
def test_other_results_are_an_error_of_the_agent(result: Any) -> None:
    with pytest.raises(AgentError, match=type(result).__name__):
        act(lambda situation: result)


def test_action_is_cleaned_where_it_enters() -> None:
    assert act(lambda s: "op\x00en \ud800").text == "open "
    assert act(async_agent).thought == "why not"
    with pytest.raises(AgentError, match="characters"):
        act(lambda s: "x" * (1 << 21))


def test_what_an_agent_raises_names_the_agent() -> None:
    def broken(situation: Situation) -> str:
        raise KeyError("door")

    with pytest.raises(AgentError, match=r"broken raised KeyError: 'door'"):
        act(broken)


def test_handle_tells_its_model_and_stays_callable() -> None:
    class WithModel(Steps):
        model = ScriptedModel(["x"])

    handle = adapt(WithModel())
    assert handle.simulated
    assert handle.model is WithModel.model
    assert handle.name == "steps"
    assert adapt(handle) is handle
    assert agent(sync_agent_of_one)(SITUATION) == "open"


def test_public_instance_has_no_hidden_fields() -> None:
    shown = public(Instance(id="t/1", goal="g", data={"x": 1}, answers=("secret",)))
    assert (shown.data, shown.answers, shown.goal) == ({}, (), "g")

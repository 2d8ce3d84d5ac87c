"""The contract check passes good agents, warns about doubtful ones, refuses broken ones."""

import threading
import time
from typing import Any

import pytest

from verbalrl.agents import ChatAgent, check_agent
from verbalrl.errors import AgentError, ConfigurationError, ModelError
from verbalrl.models import ScriptedModel
from verbalrl.records import Guidance, Instance, Situation


def model() -> ScriptedModel:
    return ScriptedModel(lambda _: {"action": "open the red door"})


def test_chat_agent_passes() -> None:
    assert check_agent(ChatAgent(model())) == ()
    assert check_agent(ChatAgent("offline:apprentice")) == ()


def test_answer_agent_passes() -> None:
    own = ScriptedModel(lambda _: "blue")

    def answer(instance: Instance, guidance: Guidance) -> str:
        return own.ask_sync(f"{instance.goal}\n{guidance}")

    assert check_agent(answer) == ()


def test_agent_that_ignores_its_guidance_is_told() -> None:
    own = model()

    async def deaf(situation: Situation) -> str:
        await own.ask(situation.observation.text)
        return "open the red door"

    assert [w for w in check_agent(deaf) if "guidance" in w]


def test_agent_without_a_journaled_model_and_off_the_list_is_told() -> None:
    warnings = check_agent(lambda situation: "sing")
    assert len(warnings) == 2
    assert "not among" in warnings[0]
    assert "model.ask" in warnings[1]


def test_agent_that_changes_what_it_gets_is_refused() -> None:
    def mutates(situation: Situation) -> str:
        object.__setattr__(situation, "goal", "mine")
        return "open the red door"

    with pytest.raises(AgentError, match="changed"):
        check_agent(mutates)


def test_agent_that_cannot_run_side_by_side_is_refused() -> None:
    lock = threading.Lock()

    def alone(situation: Situation) -> str:
        if not lock.acquire(blocking=False):
            raise RuntimeError("busy")
        time.sleep(0.3)
        lock.release()
        return "open the red door"

    with pytest.raises(AgentError, match="three times at once"):
        check_agent(alone)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (lambda situation: None, AgentError),
        (lambda: "x", ConfigurationError),
        (ChatAgent(ScriptedModel([])), ModelError),
    ],
)
def test_broken_agents_are_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_agent(given)

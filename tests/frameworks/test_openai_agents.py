"""The OpenAI Agents SDK as it is installed, against a server on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.shown import (
    ASKED,
    SYSTEM,
    Broken,
    check_bare,
    check_sent,
    coach_of,
    example_learns,
    look_up,
)
from tests.wrap.doors import KEY, Episode
from tests.wrap.server import TEXT, Server
from verbalrl.integrations.openai_agents import model_provider, taught_model

agents: Any = pytest.importorskip("agents", reason="openai-agents is not installed")

WAYS = [(responses, streamed) for responses in (True, False) for streamed in (True, False)]


async def ask(
    provider: Any, streamed: bool = False, model: Any = "m", **more: Any
) -> tuple[str, list[Any]]:
    """What the agent answers, and the items of its run."""
    tool = agents.function_tool(look_up)
    agent = agents.Agent("helper", instructions=SYSTEM, model=model, tools=[tool])
    config = agents.RunConfig(model_provider=provider, tracing_disabled=True)
    if streamed:
        result = agents.Runner.run_streamed(agent, ASKED, run_config=config, **more)
        async for _ in result.stream_events():
            pass
    else:
        result = await agents.Runner.run(agent, ASKED, run_config=config, **more)
    return str(result.final_output), result.to_input_list()


def options(server: Server, responses: bool) -> dict[str, Any]:
    known = {"openai_api_key": KEY, "openai_base_url": server.url("openai")}
    return {**known, "openai_use_responses": responses}


@pytest.mark.parametrize(("responses", "streamed"), WAYS)
def test_guidance_is_in_each_request_once(server: Server, responses: bool, streamed: bool) -> None:
    episode = Episode()
    provider = model_provider(coach_of(episode), **options(server, responses))
    answer, history = asyncio.run(ask(provider, streamed))
    assert answer == TEXT
    assert "<guidance>" not in str(history)
    check_sent(server, episode)


@pytest.mark.parametrize("episode", [None, Broken()])
def test_without_an_episode_or_its_memory_it_answers_all_the_same(
    server: Server, episode: Episode | None
) -> None:
    provider = model_provider(coach_of(episode), **options(server, True))
    assert asyncio.run(ask(provider))[0] == TEXT
    check_bare(server)


def test_what_the_server_keeps_is_not_said_again(server: Server) -> None:
    provider = model_provider(coach_of(Episode()), **options(server, True))
    asyncio.run(ask(provider, auto_previous_response_id=True))
    assert [b"do V." in a.raw for a in server.take()] == [True, False]


def test_a_model_of_ones_own_is_taught_too(server: Server) -> None:
    episode = Episode()
    plain = agents.MultiProvider(**options(server, True))
    model = taught_model(coach_of(episode), plain.get_model("m"))
    assert model.model == "m"
    assert asyncio.run(ask(plain, model=model))[0] == TEXT
    check_sent(server, episode)


@pytest.mark.slow
def test_the_example_learns(shop: str, tmp_path: Path) -> None:
    example_learns("with_openai_agents.py", shop, tmp_path)

"""Pydantic AI as it is installed, against a server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
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
from tests.wrap.doors import KEY, Coach, Episode
from tests.wrap.server import TEXT, Server
from verbalrl.integrations.pydantic_ai import capability

ai: Any = pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")


def agent_of(coach: Coach, server: Server, **more: Any) -> Any:
    openai: Any = import_module("pydantic_ai.models.openai")
    providers: Any = import_module("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(base_url=server.url("openai"), api_key=KEY)
    model = openai.OpenAIChatModel("m", provider=provider)
    known = {"instructions": SYSTEM, "tools": [look_up], "capabilities": [capability(coach)]}
    return ai.Agent(model, **known | more)


async def _streamed(agent: Any) -> Any:
    async with agent.run_stream(ASKED) as result:
        return await result.get_output(), result.all_messages()


def _run(agent: Any) -> Any:
    result = agent.run_sync(ASKED)
    return result.output, result.all_messages()


WAYS: dict[str, Callable[[Any], Any]] = {
    "run_sync": _run,
    "run_stream": lambda agent: asyncio.run(_streamed(agent)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", ["instructions", "system_prompt"])
def test_guidance_is_in_each_request_once(server: Server, way: str, place: str) -> None:
    episode = Episode()
    told = {"instructions": None, place: SYSTEM}
    agent = agent_of(coach_of(episode), server, **told)
    output, history = WAYS[way](agent)
    assert output == TEXT
    assert "<guidance>" not in str(history)
    check_sent(server, episode)


def test_a_history_goes_on_without_our_blocks(server: Server) -> None:
    episode = Episode()
    agent = agent_of(coach_of(episode), server)
    before = agent.run_sync(ASKED).all_messages()
    server.take()
    agent.run_sync("And order 18?", message_history=before)
    sent = server.take()[0].raw.decode()
    assert sent.count("do V.") == 1
    assert sent.index("order 17?") < sent.index("do V.") < sent.index("order 18?")


@pytest.mark.parametrize("episode", [None, Broken()])
def test_without_an_episode_or_its_memory_it_answers_all_the_same(
    server: Server, episode: Episode | None
) -> None:
    assert agent_of(coach_of(episode), server).run_sync(ASKED).output == TEXT
    check_bare(server)


@pytest.mark.slow
def test_the_example_learns(shop: str, tmp_path: Path) -> None:
    example_learns("with_pydantic_ai.py", shop, tmp_path)

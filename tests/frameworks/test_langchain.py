"""LangChain as it is installed, against a server on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

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
from verbalrl import serve
from verbalrl.integrations.langchain import middleware
from verbalrl.serving.decisions import tools_of

agents: Any = pytest.importorskip("langchain.agents", reason="langchain is not installed")
models: Any = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")


def agent_of(coach: Coach, server: Server, **more: Any) -> Any:
    model = models.ChatOpenAI(
        model="m", api_key=KEY, base_url=server.url("openai"), stream_usage=True
    )
    known = {"system_prompt": SYSTEM, "middleware": [middleware(coach)]}
    return agents.create_agent(model, [look_up], **known | more)


def asked(content: Any = ASKED) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


async def _streamed(agent: Any) -> Any:
    seen = [state async for state in agent.astream(asked(), stream_mode="values")]
    return seen[-1]


WAYS = {
    "invoke": lambda agent: agent.invoke(asked()),
    "ainvoke": lambda agent: asyncio.run(agent.ainvoke(asked())),
    "stream": lambda agent: list(agent.stream(asked(), stream_mode="values"))[-1],
    "astream": lambda agent: asyncio.run(_streamed(agent)),
}


@pytest.mark.parametrize("way", WAYS)
def test_guidance_is_in_each_request_once(server: Server, way: str) -> None:
    episode = Episode()
    state = WAYS[way](agent_of(coach_of(episode), server))
    assert state["messages"][-1].content == TEXT
    assert "<guidance>" not in str(state)
    check_sent(server, episode)


def test_tokens_that_stream_out_are_recorded_as_one_reply(server: Server) -> None:
    episode = Episode()
    agent = agent_of(coach_of(episode), server)
    told = [m.content for m, _ in agent.stream(asked(), stream_mode="messages") if m.type != "tool"]
    assert TEXT in "".join(told)
    assert all(a.body["stream"] for a in server.asked)
    check_sent(server, episode)


def test_lists_of_parts_and_a_missing_system_text_are_served(server: Server) -> None:
    episode = Episode()
    agent = agent_of(coach_of(episode), server, system_prompt=None)
    agent.invoke(asked([{"type": "text", "text": ASKED}]))
    first = server.take()[0].body["messages"]
    assert [m["role"] for m in first] == ["system", "user"]
    assert [p["text"] for p in first[1]["content"]] == [ASKED, episode.given.volatile]


@pytest.mark.parametrize("episode", [None, Broken()])
def test_without_an_episode_or_its_memory_it_answers_all_the_same(
    server: Server, episode: Episode | None
) -> None:
    state = agent_of(coach_of(episode), server).invoke(asked())
    assert state["messages"][-1].content == TEXT
    check_bare(server)


def test_an_adapted_graph_makes_an_episode_of_each_call(server: Server, tmp_path: Path) -> None:
    with serve(tmp_path, "support", strict=True) as coach:
        agent = coach.adapt(agent_of(cast(Any, coach), server))
        assert agent.invoke(asked())["messages"][-1].content == TEXT
        episode = coach.store.episode(coach.last_episode)
    assert episode is not None
    called = [tools_of(step.action, {"look_up"}) for step in episode.trajectory.steps]
    assert called == ["look_up", "answer"]


@pytest.mark.slow
def test_the_example_learns(shop: str, tmp_path: Path) -> None:
    example_learns("with_langchain.py", shop, tmp_path)

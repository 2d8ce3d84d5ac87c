"""A coach with real clients: what they see is injected, what they do is recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.serving.worlds import coach_of
from tests.wrap.doors import client
from tests.wrap.server import Server
from verbalrl.records import ToolCallPart

SYSTEM = {"role": "system", "content": "You help."}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
LESSON = "When it broke: do offer a refund"


def chat(openai: Any, stream: bool) -> None:
    """A tool loop of two calls, as agents write it."""
    messages: list[Any] = [SYSTEM, {"role": "user", "content": "it broke"}]
    for _ in range(2):
        if stream:
            with openai.chat.completions.stream(
                model="m", messages=messages, tools=[TOOL]
            ) as parts:
                message = parts.get_final_completion().choices[0].message
        else:
            made = openai.chat.completions.create(model="m", messages=messages, tools=[TOOL])
            message = made.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or ():
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "sent in May"})


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_tool_loop_of_a_wrapped_client_is_an_episode(tmp_path: Path, stream: bool) -> None:
    with Server() as server, coach_of(tmp_path) as coach:
        bare = client("OpenAI", server)
        wrapped = coach.wrap(bare)
        assert isinstance(wrapped, type(bare))
        with coach.episode("it broke", source="ann") as episode:
            chat(wrapped, stream)
        kept = coach.store.episode(episode.id)
        assert kept is not None
        one, two = kept.trajectory.steps
        assert [s.observation.text for s in (one, two)] == ["it broke", "sent in May"]
        assert isinstance(one.action.parts[-1], ToolCallPart)
        assert one.action.parts[-1].name == "look_up"
        assert [p.source for p in two.observation.parts] == ["tool:look_up"]
        assert kept.usage["actor"].calls == 2
        assert all(LESSON not in asked.raw.decode() for asked in server.take())
        coach.feedback(episode.id, text="do offer a refund when it broke", origin="operator")
        coach.learn_sync()
        with coach.episode("it broke", source="ann") as episode:
            chat(wrapped, stream)
        asked = server.take()
        assert [a.raw.decode().count(LESSON) for a in asked] == [1, 1]
        kept = coach.store.episode(episode.id)
        assert kept is not None
        assert LESSON not in "".join(s.model_dump_json() for s in kept.trajectory.steps)
        chat(wrapped, stream)
        assert all(LESSON not in a.raw.decode() for a in server.take()), "outside an episode"


def test_an_async_client_in_an_async_episode(tmp_path: Path) -> None:
    async def ask(coach: Any, server: Server) -> str:
        wrapped = coach.wrap(client("AsyncAnthropic", server))
        async with coach.episode("hello", source="ann") as episode:
            await wrapped.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
            )
        await wrapped.close()
        return str(episode.id)

    with Server() as server, coach_of(tmp_path) as coach:
        kept = coach.store.episode(asyncio.run(ask(coach, server)))
        assert kept is not None
        assert [s.observation.text for s in kept.trajectory.steps] == ["hello"]


def test_an_episode_may_be_given_by_hand(tmp_path: Path) -> None:
    with Server() as server, coach_of(tmp_path) as coach:
        other = coach.episode("by hand")
        wrapped: Any = coach.wrap(client("OpenAI", server), other)
        with other, coach.episode("the one of the context"):
            wrapped.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}]
            )
        kept = coach.store.episode(other.id)
        assert kept is not None
        assert [s.observation.text for s in kept.trajectory.steps] == ["hello"]

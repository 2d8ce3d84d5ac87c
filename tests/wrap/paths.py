"""Every way in which a client can be asked, each written once for sync and async clients.

A way gives what its caller got, as data that can be compared: dumps, texts, raw bytes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

import anthropic
import openai
from pydantic import BaseModel

from tests.wrap.server import CALL

Way = Callable[[Any], Awaitable[Any]]
CHAT: dict[str, Way] = {}
RESPONSES: dict[str, Way] = {}
MESSAGES: dict[str, Way] = {}


class Answer(BaseModel):
    """What parsed replies are."""

    answer: str


async def got(value: Any) -> Any:
    """The value, waited for where it must be."""
    return await value if isawaitable(value) else value


async def each(value: Any) -> AsyncIterator[Any]:
    """The items of an iterator of either kind."""
    if hasattr(value, "__aiter__"):
        async for item in value:
            yield item
    else:
        for item in value:
            yield item


@asynccontextmanager
async def opened(value: Any) -> AsyncIterator[Any]:
    """What a context manager of either kind gives."""
    if hasattr(value, "__aenter__"):
        async with value as inner:
            yield inner
    else:
        with value as inner:
            yield inner


async def raws(client: Any, reply: Any) -> bytes:
    """The bytes of a response as they come over the wire."""
    response = reply.http_response
    chunks = response.aiter_raw() if hasattr(client, "__aenter__") else response.iter_raw()
    return b"".join([chunk async for chunk in each(chunks)])


async def dumps(stream: Any) -> list[Any]:
    """The events of a stream."""
    return [
        item.model_dump(warnings=False) if hasattr(item, "model_dump") else item
        async for item in each(stream)
    ]


SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is it?"}]
TOOL = {"name": CALL["name"], "description": "Looks an order up."}
SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}


def _chat(function: Way) -> Way:
    CHAT[function.__name__] = function
    return function


def _responses(function: Way) -> Way:
    RESPONSES[function.__name__] = function
    return function


def _messages(function: Way) -> Way:
    MESSAGES[function.__name__] = function
    return function


def _ask(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": SAID} | more


@_chat
async def create(client: Any) -> Any:
    return (await got(client.chat.completions.create(**_ask()))).model_dump(warnings=False)


@_chat
async def create_from_iterator(client: Any) -> Any:
    return (await got(client.chat.completions.create(**_ask(messages=iter(SAID))))).model_dump(
        warnings=False
    )


@_chat
async def create_streamed(client: Any) -> Any:
    return await dumps(await got(client.chat.completions.create(**_ask(stream=True))))


@_chat
async def parse(client: Any) -> Any:
    parsed = await got(client.chat.completions.parse(**_ask(response_format=Answer)))
    return parsed.model_dump(warnings=False)


@_chat
async def stream(client: Any) -> Any:
    async with opened(client.chat.completions.stream(**_ask())) as events:
        shown = await dumps(events)
        return shown, (await got(events.get_final_completion())).model_dump(warnings=False)


@_chat
async def raw(client: Any) -> Any:
    reply = await got(client.chat.completions.with_raw_response.create(**_ask()))
    return reply.http_response.content, reply.parse().model_dump(warnings=False)


@_chat
async def raw_parse(client: Any) -> Any:
    asked = _ask(response_format=Answer)
    reply = await got(client.chat.completions.with_raw_response.parse(**asked))
    return reply.http_response.content, reply.parse().model_dump(warnings=False)


@_chat
async def raw_streamed(client: Any) -> Any:
    reply = await got(client.chat.completions.with_raw_response.create(**_ask(stream=True)))
    return await dumps(reply.parse())


@_chat
async def raw_bytes(client: Any) -> Any:
    reply = await got(client.chat.completions.with_raw_response.create(**_ask(stream=True)))
    return await raws(client, reply)


@_chat
async def streaming_response_raw(client: Any) -> Any:
    async with opened(client.chat.completions.with_streaming_response.create(**_ask())) as reply:
        return await raws(client, reply)


@_chat
async def streaming_response(client: Any) -> Any:
    reply = client.chat.completions.with_streaming_response.create(**_ask())
    async with opened(reply) as response:
        return [chunk async for chunk in each(response.iter_bytes())]


@_chat
async def streaming_response_lines(client: Any) -> Any:
    reply = client.chat.completions.with_streaming_response.create(**_ask(stream=True))
    async with opened(reply) as response:
        return [line async for line in each(response.iter_lines())]


@_chat
async def streaming_response_parsed(client: Any) -> Any:
    reply = client.chat.completions.with_streaming_response.create(**_ask())
    async with opened(reply) as response:
        return (await got(response.parse())).model_dump(warnings=False)


@_chat
async def with_options(client: Any) -> Any:
    other = client.with_options(timeout=30).copy(max_retries=1)
    return (await got(other.chat.completions.create(**_ask()))).model_dump(warnings=False)


@_chat
async def beta_parse(client: Any) -> Any:
    parsed = await got(client.beta.chat.completions.parse(**_ask(response_format=Answer)))
    return parsed.model_dump(warnings=False)


@_chat
async def beta_stream(client: Any) -> Any:
    async with opened(client.beta.chat.completions.stream(**_ask())) as events:
        return await dumps(events)


@_chat
async def extra_body(client: Any) -> Any:
    # As our own adapter asks: all of it beside the arguments.
    asked = {"model": "m", "messages": (), "extra_body": _ask()}
    return (await got(client.chat.completions.create(**asked))).model_dump(warnings=False)


@_chat
async def posted(client: Any) -> Any:
    return await got(client.post("/chat/completions", cast_to=object, body=_ask()))


@_chat
async def tool_loop(client: Any) -> Any:
    tools = [{"type": "function", "function": TOOL | {"parameters": SCHEMA}}]
    said: list[Any] = [*SAID]
    for _ in range(2):
        reply = await got(client.chat.completions.create(**_ask(messages=said, tools=tools)))
        message = reply.choices[0].message
        said.append(message)
        for call in message.tool_calls or ():
            said.append({"role": "tool", "tool_call_id": call.id, "content": "it was sent"})
    return [m if isinstance(m, dict) else m.model_dump(warnings=False) for m in said]


@_chat
async def tool_call_streamed(client: Any) -> Any:
    tools = [{"type": "function", "function": TOOL | {"parameters": SCHEMA}}]
    return await dumps(await got(client.chat.completions.create(**_ask(tools=tools, stream=True))))


def _input(**more: Any) -> dict[str, Any]:
    return {"model": "m", "instructions": "Be brief.", "input": "Where is it?"} | more


@_responses
async def response(client: Any) -> Any:
    return (await got(client.responses.create(**_input()))).model_dump(warnings=False)


@_responses
async def response_from_items(client: Any) -> Any:
    asked = {"model": "m", "input": SAID}
    return (await got(client.responses.create(**asked))).model_dump(warnings=False)


@_responses
async def response_streamed(client: Any) -> Any:
    return await dumps(await got(client.responses.create(**_input(stream=True))))


@_responses
async def response_parse(client: Any) -> Any:
    return (await got(client.responses.parse(**_input(text_format=Answer)))).model_dump(
        warnings=False
    )


@_responses
async def response_stream(client: Any) -> Any:
    async with opened(client.responses.stream(**_input())) as events:
        shown = await dumps(events)
        return shown, (await got(events.get_final_response())).model_dump(warnings=False)


@_responses
async def response_raw(client: Any) -> Any:
    reply = await got(client.responses.with_raw_response.create(**_input()))
    return reply.http_response.content, reply.parse().model_dump(warnings=False)


@_responses
async def response_raw_parse(client: Any) -> Any:
    asked = _input(text_format=Answer)
    reply = await got(client.responses.with_raw_response.parse(**asked))
    return reply.http_response.content


@_responses
async def response_streaming_response(client: Any) -> Any:
    reply = client.responses.with_streaming_response.create(**_input(stream=True))
    async with opened(reply) as response:
        return [chunk async for chunk in each(response.iter_bytes())]


@_responses
async def response_streaming_raw(client: Any) -> Any:
    asked = _input(stream=True)
    async with opened(client.responses.with_streaming_response.create(**asked)) as reply:
        return await raws(client, reply)


@_responses
async def response_tool_loop(client: Any) -> Any:
    tools = [{"type": "function", "strict": False, "parameters": SCHEMA} | TOOL]
    said: list[Any] = [{"role": "user", "content": "Where is it?"}]
    for _ in range(2):
        reply = await got(client.responses.create(**_input(input=said, tools=tools)))
        for item in reply.output:
            said.append(item)
            if item.type == "function_call":
                done = {"type": "function_call_output", "call_id": item.call_id}
                said.append(done | {"output": "it was sent"})
    return [m if isinstance(m, dict) else m.model_dump(warnings=False) for m in said]


@_responses
async def response_tool_call_streamed(client: Any) -> Any:
    tools = [{"type": "function", "strict": False, "parameters": SCHEMA} | TOOL]
    return await dumps(await got(client.responses.create(**_input(tools=tools, stream=True))))


if hasattr(openai.OpenAI(api_key="none").beta, "responses"):

    @_responses
    async def beta_response(client: Any) -> Any:
        return (await got(client.beta.responses.create(**_input()))).model_dump(warnings=False)

    @_responses
    async def beta_response_streamed(client: Any) -> Any:
        return await dumps(await got(client.beta.responses.create(**_input(stream=True))))


def _say(**more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": "Where is it?"}]
    return {"model": "m", "max_tokens": 9, "system": "Be brief.", "messages": said} | more


@_messages
async def message(client: Any) -> Any:
    return (await got(client.messages.create(**_say()))).model_dump(warnings=False)


@_messages
async def message_streamed(client: Any) -> Any:
    return await dumps(await got(client.messages.create(**_say(stream=True))))


@_messages
async def message_stream(client: Any) -> Any:
    async with opened(client.messages.stream(**_say())) as events:
        shown = await dumps(events)
        return shown, (await got(events.get_final_message())).model_dump(warnings=False)


@_messages
async def message_stream_text(client: Any) -> Any:
    async with opened(client.messages.stream(**_say())) as events:
        return [text async for text in each(events.text_stream)]


@_messages
async def message_parse(client: Any) -> Any:
    return (await got(client.messages.parse(**_say(output_format=Answer)))).model_dump(
        warnings=False
    )


@_messages
async def message_raw(client: Any) -> Any:
    reply = await got(client.messages.with_raw_response.create(**_say()))
    return reply.http_response.content, (await got(reply.parse())).model_dump(warnings=False)


@_messages
async def message_streaming_response(client: Any) -> Any:
    reply = client.messages.with_streaming_response.create(**_say(stream=True))
    async with opened(reply) as response:
        return [chunk async for chunk in each(response.iter_bytes())]


@_messages
async def message_streaming_response_whole(client: Any) -> Any:
    async with opened(client.messages.with_streaming_response.create(**_say())) as response:
        return await got(response.read())


@_messages
async def message_raw_bytes(client: Any) -> Any:
    reply = await got(client.messages.with_raw_response.create(**_say(stream=True)))
    return await raws(client, reply)


@_messages
async def message_streaming_raw(client: Any) -> Any:
    async with opened(client.messages.with_streaming_response.create(**_say())) as reply:
        return await raws(client, reply)


@_messages
async def message_with_options(client: Any) -> Any:
    other = client.with_options(timeout=30).copy(max_retries=1)
    return (await got(other.messages.create(**_say()))).model_dump(warnings=False)


@_messages
async def message_beta(client: Any) -> Any:
    return (await got(client.beta.messages.create(**_say()))).model_dump(warnings=False)


@_messages
async def message_beta_streamed(client: Any) -> Any:
    return await dumps(await got(client.beta.messages.create(**_say(stream=True))))


@_messages
async def message_beta_stream(client: Any) -> Any:
    async with opened(client.beta.messages.stream(**_say())) as events:
        return await dumps(events)


@_messages
async def message_beta_parse(client: Any) -> Any:
    return (await got(client.beta.messages.parse(**_say(output_format=Answer)))).model_dump(
        warnings=False
    )


@_messages
async def message_extra_body(client: Any) -> Any:
    asked = {"model": "m", "max_tokens": 9, "messages": (), "extra_body": _say()}
    return (await got(client.messages.create(**asked))).model_dump(warnings=False)


@_messages
async def message_tool_streamed(client: Any) -> Any:
    tools = [TOOL | {"input_schema": SCHEMA}]
    return await dumps(await got(client.messages.create(**_say(tools=tools, stream=True))))


@_messages
async def message_middleware(client: Any) -> Any:
    return (
        await got(client.with_middleware(_passing(client)).messages.create(**_say()))
    ).model_dump(warnings=False)


@_messages
async def message_middleware_streamed(client: Any) -> Any:
    asked = client.with_middleware(_passing(client)).messages.create(**_say(stream=True))
    return await dumps(await got(asked))


def _passing(client: Any) -> Any:
    def handle(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def ahandle(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    return ahandle if isinstance(client, anthropic.AsyncAnthropic) else handle


def _runner(client: Any, **more: Any) -> Any:
    def look_up(order: str) -> str:
        """Looks an order up."""
        return f"order {json.dumps(order)} was sent"

    async def alook_up(order: str) -> str:
        """Looks an order up."""
        return look_up(order)

    if isinstance(client, anthropic.AsyncAnthropic):
        tool: Any = anthropic.beta_async_tool(alook_up, name="look_up")
    else:
        tool = anthropic.beta_tool(look_up)
    return client.beta.messages.tool_runner(**_say(tools=[tool]), **more)


@_messages
async def tool_runner(client: Any) -> Any:
    return [m.model_dump(warnings=False) async for m in each(_runner(client))]


@_messages
async def tool_runner_streamed(client: Any) -> Any:
    shown = []
    async for events in each(_runner(client, stream=True)):
        shown.append(await dumps(events))
    return shown


ALL: dict[str, dict[str, Way]] = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
CLIENTS = {
    "chat": ("OpenAI", "AsyncOpenAI"),
    "responses": ("OpenAI", "AsyncOpenAI"),
    "messages": ("Anthropic", "AsyncAnthropic"),
}
MATRIX = [(api, kind, way) for api in ALL for kind in CLIENTS[api] for way in ALL[api]]

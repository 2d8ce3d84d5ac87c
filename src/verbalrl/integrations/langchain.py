"""LangChain and LangGraph: a middleware for `create_agent` whose prompts carry what was learned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..wrap.base import Blocks, CoachDoor
from ..wrap.blocks import merged
from ..wrap.calls import Binding, Call, called
from ._framework import completion, framework

_ROLES = {"human": "user"}


def middleware(coach: CoachDoor) -> Any:
    """For `create_agent(…, middleware=[…])`; last in the list, so that it sees what is sent.

    A model call within an episode of `coach` carries guidance and is a step of it; the messages in
    the state of the graph stay as they are.

    Raises:
        ConfigurationError: LangChain is missing.
    """
    base = framework("langchain.agents.middleware", "langchain").AgentMiddleware
    texts = framework("langchain_core.messages", "langchain")
    binding = Binding(coach, None, "langchain", {})

    class Lessons(base):  # type: ignore[misc, valid-type]
        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            call = called(binding, "chat")
            if call is None:
                return handler(request)
            response = handler(_carrying(request, call, texts))
            call.answered(lambda: _reply(response, texts))
            return response

        async def awrap_model_call(
            self, request: Any, handler: Callable[[Any], Awaitable[Any]]
        ) -> Any:
            call = called(binding, "chat")
            if call is None:
                return await handler(request)
            await call.ready()
            response = await handler(_carrying(request, call, texts))
            call.answered(lambda: _reply(response, texts))
            return response

    return Lessons()


def _carrying(request: Any, call: Call, texts: Any) -> Any:
    system, listed = request.system_message, request.messages

    def read() -> dict[str, Any]:
        whole = [*([] if system is None else [system]), *listed]
        return {"messages": texts.convert_to_openai_messages(whole)}

    def carry(blocks: Blocks) -> Any:
        turns = [{"role": _ROLES.get(m.type, m.type), "content": m.content} for m in listed]
        given = {"system": "" if system is None else system.content, "messages": turns}
        sent = given | merged("messages", given, blocks)
        pairs = zip(listed, sent["messages"], strict=True)
        messages = [m.model_copy(update={"content": turn["content"]}) for m, turn in pairs]
        told = texts.SystemMessage(content=sent["system"]) if sent["system"] else system
        return request.override(system_message=told, messages=messages)

    return call.carried(read, carry, request)


def _reply(response: Any, texts: Any) -> dict[str, Any]:
    said = next(m for m in getattr(response, "result", [response]) if m.type == "ai")
    used = said.usage_metadata or {}
    cached = (used.get("input_token_details") or {}).get("cache_read", 0)
    message = texts.convert_to_openai_messages(said)
    return completion(message, used.get("input_tokens", 0), used.get("output_tokens", 0), cached)

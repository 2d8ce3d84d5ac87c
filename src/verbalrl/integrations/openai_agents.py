"""The OpenAI Agents SDK: a model provider whose prompts carry what was learned."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from ..wrap.base import CoachDoor
from ..wrap.blocks import merged
from ..wrap.calls import Binding, Call, called
from ..wrap.wire import plain
from ._framework import framework

_ASKED = ("system_instructions", "input")
_SENT = itemgetter("instructions", "input")


def model_provider(coach: CoachDoor, **options: Any) -> Any:
    """For `RunConfig(model_provider=…)`: a `MultiProvider` with `options`; agents stay as they are.

    A model call within an episode of `coach` carries guidance and is a step of it, streamed or not.
    """
    agents = framework("agents", "openai-agents")
    base, binding = agents.MultiProvider, Binding(coach, None, "openai-agents", {})

    class Provider(base):  # type: ignore[misc, valid-type]
        def get_model(self, model_name: str | None) -> Any:
            return _taught(agents.Model, binding, super().get_model(model_name))

    return Provider(**options)


def taught_model(coach: CoachDoor, model: Any) -> Any:
    """The same for an agent that has a `Model` of its own: `Agent(model=taught_model(…))`."""
    binding = Binding(coach, None, "openai-agents", {})
    return _taught(framework("agents", "openai-agents").Model, binding, model)


def _taught(base: Any, binding: Binding, model: Any) -> Any:
    class Taught(base):  # type: ignore[misc]
        def __init__(self) -> None:
            # The base class has these too; all else is found by `__getattr__`.
            for name in {"close", "get_retry_advice", "_cleanup_on_run_end"} & set(dir(model)):
                setattr(self, name, getattr(model, name))

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        async def get_response(self, *asked: Any, **named: Any) -> Any:
            call, sent = await _carrying(binding, asked, named)
            reply = await model.get_response(*sent, **named)
            _answered(call, {"id": reply.response_id, "output": reply.output}, reply.usage)
            return reply

        async def stream_response(self, *asked: Any, **named: Any) -> Any:
            call, sent = await _carrying(binding, asked, named)
            async for event in model.stream_response(*sent, **named):
                if event.type in ("response.completed", "response.incomplete"):
                    _answered(call, dict(event.response), event.response.usage)
                yield event

    return Taught()


async def _carrying(binding: Binding, asked: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The call, and what its model is asked by position; `named` keeps the rest."""
    told, given, *rest = (*asked, *(named.pop(n) for n in _ASKED if n in named))
    body = {"instructions": told, "input": given, "conversation": named.get("conversation_id")}
    body["previous_response_id"] = named.get("previous_response_id")
    if (call := called(binding, "responses")) is not None:
        await call.ready()
        told, given = call.carried(
            lambda: body, lambda b: _SENT(body | merged("responses", body, b)), (told, given)
        )
    return call, (told, given, *rest)


def _answered(call: Call | None, reply: dict[str, Any], usage: Any) -> None:
    if call is not None:
        call.answered(lambda: plain(reply | {"usage": vars(usage) if usage else {}}))

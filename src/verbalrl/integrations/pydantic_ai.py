"""Pydantic AI: a capability whose prompts carry what was learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter
from typing import Any

from ..wrap.base import Blocks, CoachDoor
from ..wrap.calls import Binding, called
from ._framework import completion, framework

_COUNTS = attrgetter("input_tokens", "output_tokens", "cache_read_tokens")


def capability(coach: CoachDoor) -> Any:
    """For `Agent(…, capabilities=[…])`; the message history stays as it is.

    A model call within an episode of `coach` carries guidance and is a step of it, streamed or not.
    """
    base = framework("pydantic_ai.capabilities", "pydantic-ai").AbstractCapability
    part = framework("pydantic_ai.messages", "pydantic-ai").InstructionPart
    binding = Binding(coach, None, "pydantic-ai", {})

    class Lessons(base):  # type: ignore[misc, valid-type]
        async def prepare_model_request(self, ctx: Any, given: Any) -> Any:
            def carry(blocks: Blocks) -> Any:
                messages, left = _placed(given.messages, blocks.volatile)
                texts = filter(None, (blocks.stable, left))
                asked = given.model_request_parameters
                parts = [*(asked.instruction_parts or ()), *(part(t, dynamic=True) for t in texts)]
                asked = replace(asked, instruction_parts=parts or None)
                return replace(given, messages=messages, model_request_parameters=asked)

            call = called(binding, "chat")
            if call is None:
                return given
            await call.ready()
            return call.carried(lambda: _chat(given), carry, given)

        async def after_model_request(self, ctx: Any, **given: Any) -> Any:
            response = given["response"]
            if (call := called(binding, "chat")) is not None:
                call.carried(lambda: _chat(given["request_context"]), lambda _: None, None)
                call.answered(lambda: completion(next(_turns(response)), *_COUNTS(response.usage)))
            return response

    return Lessons()


def _placed(messages: list[Any], block: str) -> tuple[list[Any], str]:
    """The messages whose first prompt of a user ends with `block`; what found no place."""
    for at, message in enumerate(messages if block else ()):
        parts = list(message.parts)
        for n in (n for n, part in enumerate(parts) if part.part_kind == "user-prompt"):
            old = parts[n].content
            new = f"{old}\n\n{block}" if isinstance(old, str) else [*old, block]
            parts[n] = replace(parts[n], content=new)
            return [*messages[:at], replace(message, parts=parts), *messages[at + 1 :]], ""
    return messages, block


def _chat(context: Any) -> dict[str, Any]:
    return {"messages": [turn for message in context.messages for turn in _turns(message)]}


def _turns(message: Any) -> Iterator[dict[str, Any]]:
    if message.kind == "response":
        calls = [(c.tool_call_id, c.tool_name, c.args_as_json_str()) for c in message.tool_calls]
        asked = [{"id": i, "function": {"name": n, "arguments": a}} for i, n, a in calls]
        yield {"role": "assistant", "content": message.text or "", "tool_calls": asked}
        return
    for part in message.parts:
        if part.part_kind == "tool-return":
            text = part.model_response_str()
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": text}
        elif part.part_kind in ("system-prompt", "user-prompt"):
            shown = [part.content] if isinstance(part.content, str) else part.content
            text = "\n\n".join(x if isinstance(x, str) else f"[{x.kind}]" for x in shown)
            yield {"role": part.part_kind.partition("-")[0], "content": text}

"""Models for tests, ours and users': scripted replies, delays, counted calls. All simulated."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import JsonValue

from ..errors import ConfigurationError, ModelError, named
from ..ids import coin
from .base import Model
from .messages import Reply, Request, estimated_usage

Scripted = str | Mapping[str, JsonValue] | Reply | Exception


class ScriptedModel(Model):
    """Answers with the given replies in turn, or with what a function makes of each request.

    A dict is sent as JSON, an exception is raised. It fails when asked more often than it has
    replies, and keeps every request in `requests`. A `Reply` says more than text, such as that the
    model calls a tool:

        >>> from verbalrl import Reply, ScriptedModel, ToolCallPart
        >>> asks = ToolCallPart(id="1", name="look_up", arguments='{"city": "Rome"}')
        >>> turns = [Reply(parts=(asks,), finish="tool_calls"), "Rome has 2.7 million people."]
        >>> model = ScriptedModel(turns)
    """

    simulated = True

    def __init__(
        self, replies: Iterable[Scripted] | Callable[[Request], Scripted], *, name: str = "scripted"
    ) -> None:
        # One text is a list of its characters, and nobody means that.
        if isinstance(replies, str | Mapping) or not (
            callable(replies) or hasattr(replies, "__iter__")
        ):
            raise ConfigurationError(
                "ScriptedModel takes a list of replies or a function of the request, not"
                f" {named(replies)}"
            )
        self.name = name
        self.requests: list[Request] = []
        self._function = replies if callable(replies) else None
        self._replies = iter(()) if callable(replies) else iter(replies)

    async def complete(self, request: Request, /) -> Reply:
        """The next scripted reply.

        Raises:
            ModelError: The script is exhausted.
        """
        self.requests.append(request)
        reply = self._function(request) if self._function else next(self._replies, None)
        if reply is None:
            given = len(self.requests) - 1
            raise ModelError(f"{self.name}: exhausted after {given} replies; give it more")
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Reply):
            return reply
        text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        return Reply(text=text, usage=estimated_usage(request, text), model=self.name)


class DelayedModel(Model):
    """Another model whose answers take a time that depends on `seed` and the call alone.

    `order` holds the call keys as they were answered: show with it that order really changed.
    """

    def __init__(self, inner: Model, seed: int, low: float = 0.0, high: float = 0.03) -> None:
        self.name, self.simulated = inner.name, inner.simulated
        self.order: list[str] = []
        self._inner, self._seed, self._low, self._high = inner, seed, low, high

    async def complete(self, request: Request, /) -> Reply:
        """The inner model's reply, after between `low` and `high` seconds."""
        share = coin("delay", self._seed, request.call_key, request.sample_seed)
        await asyncio.sleep(self._low + (self._high - self._low) * share)
        reply = await self._inner.complete(request)
        self.order.append(request.call_key)
        return reply


class CountingModel(Model):
    """Another model whose calls are written down before they are answered.

    Each call key is appended to `path` as a line and is on disk before the answer exists, so a
    process that is killed cannot hide a call.
    """

    def __init__(self, inner: Model, path: Path | str) -> None:
        self.name, self.simulated = inner.name, inner.simulated
        self._inner, self._path = inner, Path(path)

    async def complete(self, request: Request, /) -> Reply:
        """The inner model's reply."""
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, f"{request.call_key}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        return await self._inner.complete(request)

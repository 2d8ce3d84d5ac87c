"""Models: one abstract method, `complete`; `ask` and `ask_sync` for everybody else.

Inside a run an ask finds the call context of its episode, critique or curation by a context
variable: it is journaled, waits for its slot and gets its seed there. Outside of a run it simply
asks. Retries, budgets and prices are not here.
"""

from __future__ import annotations

import asyncio
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, cast, overload

from pydantic import BaseModel, JsonValue

from .messages import Message, Reply, Request, admitted, clean_message
from .structured import Schema, answered, json_schema, parser

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

Prompt = str | Sequence[Message]


class Asker(Protocol):
    """What stands behind `ask` inside a run; see `calls.CallContext`."""

    async def ask_for(self, model: Model, request: Request, schema: Schema, /) -> tuple[Any, Reply]:
        """The parsed answer and the reply."""

    def wait(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """The result of `coroutine`, run on the loop of the run; called from another thread."""


ambient: ContextVar[Asker | None] = ContextVar("verbalrl_ambient_calls", default=None)
"""The call context of the work that this task or thread is part of."""


class Model(ABC):
    """Something that answers requests."""

    name: str = "model"
    """As in `load_model`, for records and tables."""
    address: str = ""
    """Name and place of a model behind a server, by which its answers are kept over runs."""
    simulated: bool = False
    """True when its answers say nothing about language models."""

    @abstractmethod
    async def complete(self, request: Request, /) -> Reply:
        """The reply to `request`."""

    async def aclose(self) -> None:
        """Let go of what the running loop holds open, such as connections; may be asked again."""
        return None

    @overload
    async def ask(self, prompt: Prompt, *, schema: None = None) -> str: ...
    @overload
    async def ask(self, prompt: Prompt, *, schema: type[M]) -> M: ...
    @overload
    async def ask(self, prompt: Prompt, *, schema: Mapping[str, Any]) -> dict[str, JsonValue]: ...
    async def ask(self, prompt: Prompt, *, schema: Schema = None) -> object:
        """The answer to `prompt`: text, an instance of the pydantic class `schema`, or a dict.

        Raises:
            ModelError: The call failed for good, or no reply could be used after two repairs.
        """
        answer, _reply = await ask_for(self, _request(prompt), schema)
        return cast(object, answer)

    @overload
    def ask_sync(self, prompt: Prompt, *, schema: None = None) -> str: ...
    @overload
    def ask_sync(self, prompt: Prompt, *, schema: type[M]) -> M: ...
    @overload
    def ask_sync(self, prompt: Prompt, *, schema: Mapping[str, Any]) -> dict[str, JsonValue]: ...
    def ask_sync(self, prompt: Prompt, *, schema: Schema = None) -> object:
        """`ask` for sync code: in an agent that runs in a worker thread, or in a plain script."""
        asking = ask_for(self, _request(prompt), schema)
        asker = ambient.get()
        answer, _reply = asker.wait(asking) if asker is not None else run_sync(asking)
        return cast(object, answer)


async def ask_for(model: Model, request: Request, schema: Schema, /) -> tuple[Any, Reply]:
    """The parsed answer and the reply, through the ambient call context where there is one."""
    asker = ambient.get()
    if asker is not None:
        return await asker.ask_for(model, request, schema)

    async def send(attempt: Request, _repair: int) -> Reply:
        return admitted(await model.complete(attempt))

    return await answered(send, with_schema(request, schema), parser(schema), model.name)


def with_schema(request: Request, schema: Schema) -> Request:
    """`request` with the JSON schema of `schema`, unless it has a narrower one of its own."""
    if schema is None or request.output_schema is not None:
        return request
    return request.model_copy(update={"output_schema": json_schema(schema)})


def _request(prompt: Prompt) -> Request:
    if isinstance(prompt, str):
        prompt = (Message(role="user", text=prompt),)
    if ambient.get() is not None:
        # Inside a run it is journaled, and a replay must see the same bytes.
        prompt = tuple(clean_message(m) for m in prompt)
    return Request(messages=tuple(prompt))


class _Loop:
    """One event loop in a thread of its own, for sync code outside of runs.

    It stays: a loop per call would break the connection pools of clients that live longer.
    """

    def __init__(self) -> None:
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        if os.getpid() != self._pid:
            # The thread that runs it was not forked along. It stays open: it is the parent's.
            self._of_parent, self._loop = self._loop, None
            self._lock, self._pid = threading.Lock(), os.getpid()
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                name = "verbalrl-sync"
                threading.Thread(target=_serve, args=(self._loop,), name=name, daemon=True).start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` for ever. A task of somebody's that exits ends with it; the others go on."""
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue
        return


_background = _Loop()


_CLEANUP_S = 10.0


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of `coroutine`, also where a loop is running already; blocks this thread.

    When this thread is interrupted, the coroutine is cancelled and has a while to clean up.
    """
    finished = threading.Event()

    async def run() -> T:
        try:
            return await coroutine
        finally:
            finished.set()

    future = asyncio.run_coroutine_threadsafe(run(), _background.get())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        finished.wait(_CLEANUP_S)
        raise

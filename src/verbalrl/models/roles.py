"""What critics and curators share: a model that is asked by two templates, or a user's callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import EpisodeError
from ..ids import sha256_json
from ..prompts import PromptLibrary
from .base import Model
from .messages import Message, Request, clean_json
from .threads import Workers

M = TypeVar("M", bound=BaseModel)


class ModelRole:
    """A model in a role: it has no tools, and is asked by a system and a user template."""

    role: str

    def __init__(
        self, model: Model, prompts: PromptLibrary, inputs: Mapping[str, type[BaseModel]]
    ) -> None:
        """Check that the templates fit `inputs`.

        Raises:
            PromptError: One is missing or wrong.
        """
        prompts.check_overrides(inputs)
        self.model: Model | None = model
        self.simulated = model.simulated
        self._asked = model
        self._prompts = prompts

    def _request(
        self, system: tuple[str, BaseModel], user: tuple[str, BaseModel]
    ) -> tuple[Request, str]:
        """The request that two templates and their inputs make, and the sha256 of the two."""
        texts = [self._prompts.render(*system), self._prompts.render(*user)]
        messages = (
            Message(role="system", text=texts[0].text),
            Message(role="user", text=texts[1].text),
        )
        return Request(messages=messages, role=self.role), sha256_json([t.sha256 for t in texts])


class FunctionRole:
    """A callable in a role, sync (in a thread) or async; its `model`, if any, is its own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        model = getattr(function, "model", None)
        self.model: Model | None = model if isinstance(model, Model) else None
        self.simulated = self.model.simulated if self.model else False
        self._function = function
        self._workers = Workers()

    async def _call(self, *args: object, **named: object) -> object:
        """What the callable says of the arguments."""
        function = partial(self._function, **named) if named else self._function
        if is_async(self._function):
            said = function(*args)
        else:
            worker = self._workers.worker()
            try:
                said = await worker.call(function, *args)
            finally:
                worker.end()
        return await said if inspect.isawaitable(said) else said


def is_async(function: object) -> bool:
    """True for coroutine functions and for objects whose call is one."""
    call = getattr(function, "__call__", None)  # noqa: B004 - its kind is asked for
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def takes(function: Callable[..., object], name: str) -> bool:
    """True for callables with a parameter of that name."""
    try:
        found = inspect.signature(function).parameters.get(name)
    except (TypeError, ValueError):
        return False
    return found is not None and found.kind is not inspect.Parameter.POSITIONAL_ONLY


def read_reply(said: object, schema: type[M], error: type[EpisodeError], whose: str) -> M:
    """What a callable said as a `schema`: cleaned, for another's text enters the run here.

    Raises:
        EpisodeError: The kind `error`: it does not fit; the message says where.
    """
    try:
        return schema.model_validate(clean_json(said))
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise error(f"{whose}'s reply does not fit: {where}: {first['msg']}") from problem

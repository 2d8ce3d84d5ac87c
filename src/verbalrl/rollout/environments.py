"""The door to one environment: its calls limited and attributed, what it says checked and cleaned.

Environments that do not declare themselves cheap live in a thread of their own, from construction
to close. One that blocks is given up with its thread; it is closed when it comes back, if ever.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from .._logging import get_logger
from ..errors import EpisodeError, TaskError, boundary
from ..models import Workers, clean, clean_part, clean_tool
from ..records import Action, Instance, Observation, StepResult
from ..tasks.base import Environment, Fruitless, Task

log = get_logger(__name__)

T = TypeVar("T")

_CLOSE_S = 5.0


class Tried(NamedTuple):
    """What came of an answer that was executed and not judged."""

    text: str
    fruitful: bool
    """It ran and returned something."""


class EnvironmentDoor:
    """One environment, for one episode."""

    def __init__(
        self, task: Task, instance: Instance, workers: Workers, step_timeout_s: float | None
    ) -> None:
        self._task, self._instance, self._limit = task, instance, step_timeout_s
        self._environment: Environment | None = None
        self._worker = None if task.inline else workers.worker("environment")

    async def open(self, seed: int) -> Observation:
        """The first observation of a fresh environment.

        Raises:
            TaskError: As do all methods: it raised, blocked, or returned something else.
        """
        await self._call("environment()", self._build)
        seen: object = await self._call("reset", lambda: self._played.reset(seed))
        return self._shown("reset", seen)

    async def step(self, action: Action) -> StepResult:
        """What the environment returns for `action`."""
        result: object = await self._call("step", lambda: self._played.step(action))
        if not isinstance(result, StepResult):
            raise self._wrong("step", "a StepResult", result)
        for value in (result.reward, *result.components.values()):
            if value is not None and not math.isfinite(value):
                raise TaskError(f"{self._task.id}: step returned the reward {value}")
        return result.having(
            observation=clean_observation(result.observation), feedback=clean(result.feedback)
        )

    @property
    def can_execute(self) -> bool:
        """Whether candidates can be tried without being judged."""
        return callable(getattr(self._environment, "execute", None))

    async def execute(self, action: Action) -> Tried:
        """What is observed when `action` is executed without being scored."""
        execute: Callable[[Action], str] = getattr(self._played, "execute")  # noqa: B009
        seen: object = await self._call("execute", lambda: execute(action))
        if not isinstance(seen, str):
            raise self._wrong("execute", "text", seen)
        return Tried(clean(seen), bool(seen) and not isinstance(seen, Fruitless))

    @property
    def can_preview(self) -> bool:
        """Whether it shows analysts what they are to see, and their manager the rest."""
        return all(callable(getattr(self._environment, n, None)) for n in ("preview", "left"))

    async def preview(self, role: str, step: int) -> Observation:
        """What `role` sees before `step`."""
        preview: Callable[[str, int], object] = getattr(self._played, "preview")  # noqa: B009
        seen = await self._call("preview", lambda: preview(role, step))
        return self._shown("preview", seen)

    async def left(self, roles: tuple[str, ...]) -> Observation:
        """The present observation without what `roles` see."""
        left: Callable[[tuple[str, ...]], object] = getattr(self._played, "left")  # noqa: B009
        return self._shown("left", await self._call("left", lambda: left(roles)))

    async def close(self) -> None:
        """Close the environment; what goes wrong here is logged, the episode stands."""
        worker = self._worker
        if self._environment is None and not (worker and worker.started):
            return
        if worker is not None and worker.is_stuck:
            worker.end(last=self._close)
            return
        try:
            await self._call("close", self._close, _CLOSE_S)
        except EpisodeError as error:
            log.warning("environment.close_failed", task=self._task.id, why=str(error))
        finally:
            if worker is not None:
                worker.end()

    @property
    def _played(self) -> Environment:
        assert self._environment is not None
        return self._environment

    def _shown(self, what: str, seen: object) -> Observation:
        if isinstance(seen, str):
            seen = Observation(text=seen)
        if not isinstance(seen, Observation):
            raise self._wrong(what, "an Observation", seen)
        return clean_observation(seen)

    def _build(self) -> None:
        self._environment = self._task.environment(self._instance)

    def _close(self) -> None:
        close = getattr(self._environment, "close", None)
        if close is not None:
            close()

    async def _call(self, what: str, function: Callable[[], T], limit: float | None = None) -> T:
        with boundary(TaskError, f"{self._task.id}: {what}"):
            if self._worker is None:
                return function()
            seconds = limit or self._limit
            try:
                async with asyncio.timeout(seconds) as clock:
                    return await self._worker.call(function)
            except TimeoutError:
                if not clock.expired():
                    raise
                raise TaskError(f"{self._task.id}: {what} took longer than {seconds:g} s") from None

    def _wrong(self, what: str, wanted: str, got: Any) -> TaskError:
        return TaskError(f"{self._task.id}: {what} returned {type(got).__name__}, not {wanted}")


def clean_observation(observation: Observation) -> Observation:
    """`observation` as it enters the run."""
    actions, tools = observation.actions, observation.tools
    seen = observation.having(
        text=clean(observation.text),
        parts=tuple(map(clean_part, observation.parts)),
        actions=None if actions is None else tuple(map(clean, actions)),
    )
    if tools is None:
        return seen
    # Copies always: an environment may change the parameters that it gave.
    return seen.model_copy(update={"tools": tuple(map(clean_tool, tools))})

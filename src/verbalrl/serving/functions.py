"""Agents that are plain functions, or objects with `run` or `invoke`, as served episodes."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError
from ..models import is_async, takes
from .open_end import forgiving

if TYPE_CHECKING:
    from .coach import Coach
    from .episode import ServedEpisode

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])

_METHODS = ("run", "invoke", "arun", "ainvoke")


class _Last(NamedTuple):
    """An episode that a function began."""

    coach: int
    episode: str
    n: int
    """No two have the same."""
    loop: int = 0
    """In which loop; 0: in none."""
    outside: int = -1
    """Of one in a loop, the number of the one before the loop; -1: there was none."""


_last: ContextVar[tuple[_Last, ...]] = ContextVar("verbalrl_last", default=())
"""By coach, the last episode in this context."""
_of_thread = threading.local()
"""The last ones in loops of this thread, whose contexts are gone when these have ended."""
_numbers = itertools.count(1)
_known: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""Coaches and loops by a number of their own: an id may come again once one is gone."""


def last_of(coach: Coach) -> str:
    """The id of the last episode of `coach` that a function began in this context.

    Where no loop runs, one of a loop counts that was begun here, after the last one of the context.
    """
    own = _of(coach, _last.get())
    if not _loop():
        inside = _of(coach, getattr(_of_thread, "last", ()))
        # A thread of a pool has had loops of others, too: theirs follow another episode.
        if inside is not None and inside.outside == (-1 if own is None else own.n):
            return inside.episode
    return "" if own is None else own.episode


def _begun(coach: Coach, episode: ServedEpisode) -> None:
    before, loop = _of(coach, _last.get()), _loop()
    last = _Last(_number(coach), episode.id, next(_numbers), loop)
    if loop and before is not None:
        last = last._replace(outside=before.outside if before.loop == loop else before.n)
    _last.set(_with(last, _last.get()))
    if loop:
        _of_thread.last = _with(last, getattr(_of_thread, "last", ()))


def _of(coach: Coach, lasts: tuple[_Last, ...]) -> _Last | None:
    number = _number(coach)
    return next((last for last in lasts if last.coach == number), None)


def _loop() -> int:
    """The number of the loop that runs here; 0: none does."""
    try:
        return _number(asyncio.get_running_loop())
    except RuntimeError:
        return 0


def _number(thing: object) -> int:
    return _known.setdefault(thing, next(_numbers))


def _with(last: _Last, others: tuple[_Last, ...]) -> tuple[_Last, ...]:
    return (last, *[other for other in others if other.coach != last.coach][:7])


def taught(coach: Coach, function: F) -> F:
    """`function`, each call of which is an episode of `coach`."""
    if not callable(function):
        raise ConfigurationError(
            f"coach.learns takes a function, not {type(function).__name__}; "
            "for an object with run or invoke write coach.adapt(object)"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"coach.learns takes a function that returns its answer; {function.__name__} yields "
            "it: write `with coach.episode(goal):` around the loop"
        )
    hears = takes(function, "guidance")
    if is_async(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **named: Any) -> Any:
            goal = _goal(coach, function, args, named)
            async with coach.episode(goal) as episode:
                _begun(coach, episode)
                given = named | (_guidance(episode, function, args, named) if hears else {})
                result = await function(*args, **given)
                _answered(episode, goal, result)
                return result

        return cast(F, call_async)

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        goal = _goal(coach, function, args, named)
        with coach.episode(goal) as episode:
            _begun(coach, episode)
            given = named | (_guidance(episode, function, args, named) if hears else {})
            result = function(*args, **given)
            _answered(episode, goal, result)
            return result

    return cast(F, call)


class Adapted(Generic[C]):
    """An object whose `run`, `invoke`, `arun` and `ainvoke` are episodes; otherwise as it was."""

    def __init__(self, coach: Coach, agent: C) -> None:
        found = [name for name in _METHODS if callable(getattr(agent, name, None))]
        if not found:
            raise ConfigurationError(
                f"coach.adapt takes an object with run or invoke; {type(agent).__name__} has "
                "neither; for a function write coach.learns(function)"
            )
        self.agent = agent
        """The object itself."""
        self._taught = {name: taught(coach, getattr(agent, name)) for name in found}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._taught[name] if name in self._taught else getattr(self.agent, name)


def goal_of(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> str:
    """The arguments of a call as a text: one alone as it is, several by their names."""
    bound = _arguments(function, args, named)
    if bound is None:
        bound = {str(name): value for name, value in enumerate(args)} | named
    shown = {str(name): value for name, value in bound.items() if name != "guidance"}
    if len(shown) == 1:
        return str(next(iter(shown.values())))
    return "\n".join(f"{name}: {value}" for name, value in shown.items())


def _goal(
    coach: Coach, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> str:
    """The goal of a call; empty where its arguments have no text."""
    goal = ""
    with forgiving("reading arguments", strict=coach.strict):
        goal = goal_of(function, args, named)
    return goal


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any] | None:
    """The arguments of a call by name; None where it is no call of `function`."""
    try:
        return inspect.signature(function).bind_partial(*args, **named).arguments
    except (TypeError, ValueError):
        return None


def _guidance(
    episode: ServedEpisode,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    named: dict[str, Any],
) -> dict[str, Any]:
    """The argument `guidance`, unless the caller gives it, by name or by place."""
    given = _arguments(function, args, named)
    return {} if given is None or "guidance" in given else {"guidance": episode.guidance}


def _answered(episode: ServedEpisode, goal: str, result: object) -> None:
    """Record the answer, unless a wrapped client has recorded what led to it."""
    with forgiving("reading an answer", strict=episode.coach.strict):
        episode.answered(goal, "" if result is None else str(result))

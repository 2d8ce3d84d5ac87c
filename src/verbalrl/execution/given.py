"""What the caller gave, in the form that a run needs; one line for what cannot be meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import methods
from ..agents import AgentHandle, Team
from ..errors import ConfigurationError, named
from ..methods import Method
from ..rollout import Hook, Limits
from ..tasks import Task

_HOOKS = ("at_start", "before_action", "after_step")


def method(given: object) -> Method | None:
    """A method, by its name too; None leaves the choice to the task."""
    if given is None or (isinstance(given, Method) and not isinstance(given, type)):
        return given
    if isinstance(given, str):
        return methods.method(given)
    raise ConfigurationError(
        f"method= takes a name or a method such as methods.reflexion(), not {named(given)}"
    )


def suited(chosen: Method, agent: AgentHandle) -> Method:
    """`chosen` with the roles of a team as its aspects, where it has such and names none."""
    roles = agent.roles if isinstance(agent, Team) else ()
    if not roles or getattr(chosen, "aspects", None) != ():
        return chosen
    return methods.changed(chosen, {"aspects": list(roles)})


def task(given: object) -> Task:
    """A task; names are loaded by `load_task`, which knows more kinds than can be known here."""
    if isinstance(given, str | Path):
        raise ConfigurationError(
            f"a task is wanted, not its name: write vrl.load_task({str(given)!r})"
        )
    if isinstance(given, type) or not all(
        callable(getattr(given, name, None)) for name in ("instances", "environment", "size")
    ):
        raise ConfigurationError(f"a task is wanted, from vrl.load_task(…), not {named(given)}")
    return given  # type: ignore[return-value]


def hooks(given: object) -> tuple[Hook, ...]:
    """Hooks; one alone will do."""
    several = (given,) if _is_hook(given) else _listed(given, "hooks", "hooks")
    for hook in several:
        if not _is_hook(hook):
            raise ConfigurationError(
                f"hooks= takes objects with {' or '.join(_HOOKS)}, not {named(hook)}"
            )
    return several


def limits(given: object) -> Limits:
    """Limits; None for the usual ones."""
    if given is None:
        return Limits()
    if not isinstance(given, Limits):
        raise ConfigurationError(
            f"limits= takes vrl.Limits(…), such as vrl.Limits(concurrency=8), not {named(given)}"
        )
    return given


def folder(given: Any, what: str) -> Any:
    """A path, or whatever else is not a path by mistake."""
    if given is not None and not isinstance(given, str | Path):
        raise ConfigurationError(f"{what}= takes a folder, not {named(given)}")
    if given == "":
        raise ConfigurationError(f"{what}= takes a folder, and an empty text names none")
    return given


def seeds(given: object) -> tuple[int, ...]:
    """Seeds, each a whole number."""
    listed = _listed(given, "seeds", "whole numbers such as (0, 1, 2)")
    for seed in listed:
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ConfigurationError(f"seeds= takes whole numbers, not {named(seed)}")
    return listed


def arms(given: object) -> tuple[str, ...]:
    """Names of arms; one alone will do."""
    listed = (given,) if isinstance(given, str) else _listed(given, "arms", "names")
    for name in listed:
        if not isinstance(name, str):
            raise ConfigurationError(f"arms= takes names, not {named(name)}")
    return listed


def count(given: object, what: str) -> None:
    """Refuse what is no number of things."""
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
        raise ConfigurationError(f"{what}= takes a whole number of at least 1, not {named(given)}")


def span(given: object) -> None:
    """Refuse what is neither a number of instances nor a range of them."""
    if isinstance(given, tuple | list):
        if len(given) == 2 and all(type(end) is int for end in given):
            return
        raise ConfigurationError(f"instances= takes a range as (A, B), not {named(given)}")
    count(given, "instances")


def learners(agent: str, method: Method, critic: object | None, curator: object | None) -> None:
    """Refuse a method that learns without those that it learns from, before anything is paid."""
    if critic is None:
        raise ConfigurationError(
            f"the agent {agent} holds no model to criticise with; name one, such as "
            'critic="openai:NAME", or give a function as critic='
        )
    if curator is None and method.learns == "shared":
        raise ConfigurationError(
            f"{method.name} learns lessons that instances share, and a function as critic cannot"
            ' curate them; name a model, such as curator="openai:NAME", or give a function'
        )


def _listed(given: object, name: str, what: str) -> tuple[Any, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name}= takes a tuple of {what}, not {named(given)}")
    return tuple(given)


def _is_hook(given: object) -> bool:
    return not isinstance(given, type) and any(
        callable(getattr(given, name, None)) for name in _HOOKS
    )

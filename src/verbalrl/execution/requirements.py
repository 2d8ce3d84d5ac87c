"""Whether a task and a run have what a method cannot do without; said before the first call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..agents import Team
from ..errors import ConfigurationError, TaskError, boundary
from ..methods.comparing import LEAST
from ..records import Instance, Split
from ..tasks import Task
from .applying import Parts, judge_of
from .plan import RunPlan

_SPLITS: tuple[Split, ...] = ("train", "test")
_NOTHING = (
    "a team needs a task that shows its analysts what they are to see, and {} previews nothing"
)


def roles_of(task: Task) -> tuple[str, ...]:
    """The analysts that `task` has something for in any of the instances that it takes by itself.

    Raises:
        ConfigurationError: It has nothing for any.
    """
    roles = _shown(task, (i for s in _SPLITS for i in task.instances(s)))
    if not roles:
        raise ConfigurationError(_NOTHING.format(task.id))
    return roles


def _shown(task: Task, instances: Iterable[Instance]) -> tuple[str, ...]:
    """The roles that see something in any of `instances`; none where the task names none."""
    found: dict[str, None] = {}
    for instance in instances:
        roles = _has(instance, task, "roles")
        if roles is None:
            break
        found |= dict.fromkeys(roles)
    return tuple(found)


def check(plan: RunPlan, task: Task, parts: Parts) -> None:
    """Raise `ConfigurationError` where an arm of `plan` lacks what its method requires."""
    if isinstance(parts.agent, Team):
        _check_previews(plan, task, parts.agent.roles)
    for name in plan.arms:
        method = plan.arm(name)
        for need in sorted(getattr(method, "requires", ())):
            if why := _missing(need, plan, task, parts):
                raise ConfigurationError(f"{method.name} {why}")


def _missing(need: str, plan: RunPlan, task: Task, parts: Parts) -> str:
    match need:
        case "aligned" if (count := _decisions(plan, task)) < LEAST:
            return (
                f"compares the decisions of one attempt with those of the next, at least {LEAST};"
                f" {task.id} has {count} here, give more train instances"
            )
        case "execute" if not _can_execute(plan, task):
            return f"tries candidates without having them scored, and {task.id} cannot execute any"
        case "model" if judge_of(parts) is None:
            return "asks a model beside the agent, and neither agent, critic nor curator is one"
        case "answers" if not all(i.answers for i in (*plan.train, *plan.read)):
            return f"shows reference answers, and {task.id} has instances without"
    return ""


def _check_previews(plan: RunPlan, task: Task, roles: tuple[str, ...]) -> None:
    """Refuse a team whose analysts `task` shows nothing."""
    shows = (
        _has(plan.read[0], task, "preview") is not None
        and _has(plan.read[0], task, "left") is not None
    )
    if not shows:
        raise ConfigurationError(_NOTHING.format(task.id))
    if _has(plan.read[0], task, "roles") is None:
        return
    known = _shown(task, (*plan.read, *plan.train))
    if set(roles) <= set(known):
        return
    # Few instances may lack what others have: then the analyst is heard later.
    known = tuple(dict.fromkeys((*known, *roles_of(task))))
    if unknown := [role for role in roles if role not in known]:
        raise ConfigurationError(
            f"{task.id} has nothing for an analyst {unknown[0]!r}; name some of {', '.join(known)}"
        )


def _decisions(plan: RunPlan, task: Task) -> int:
    """How many decisions all train instances have together, at most."""
    steps = getattr(plan.method, "max_steps", None) or task.max_steps
    return len(plan.train) * min(steps, task.max_steps)


def _can_execute(plan: RunPlan, task: Task) -> bool:
    return callable(_has(plan.read[0], task, "execute"))


def _has(instance: Instance, task: Task, name: str) -> Any:
    """What environments of `task` have under `name`; None where they have nothing."""
    with boundary(TaskError, f"{task.id}: environment()"):
        environment = task.environment(instance)
        try:
            return getattr(environment, name, None)
        finally:
            close = getattr(environment, "close", None)
            if close is not None:
                close()

"""Whether a task and a run have what a method cannot do without; said before the first call."""

from __future__ import annotations

from ..errors import ConfigurationError, TaskError, boundary
from ..tasks import Task
from .applying import Parts, judge_of
from .plan import RunPlan


def check(plan: RunPlan, task: Task, parts: Parts) -> None:
    """Raise `ConfigurationError` where an arm of `plan` lacks what its method requires."""
    for name in plan.arms:
        method = plan.arm(name)
        for need in sorted(getattr(method, "requires", ())):
            if why := _missing(need, plan, task, parts):
                raise ConfigurationError(f"{method.name} {why}")


def _missing(need: str, plan: RunPlan, task: Task, parts: Parts) -> str:
    match need:
        case "execute" if not _can_execute(plan, task):
            return f"tries candidates without having them scored, and {task.id} cannot execute any"
        case "model" if judge_of(parts) is None:
            return "asks a model beside the agent, and neither agent, critic nor curator is one"
        case "answers" if not all(i.answers for i in (*plan.train, *plan.read)):
            return f"shows reference answers, and {task.id} has instances without"
    return ""


def _can_execute(plan: RunPlan, task: Task) -> bool:
    with boundary(TaskError, f"{task.id}: environment()"):
        environment = task.environment(plan.read[0])
        close = getattr(environment, "close", None)
        if close is not None:
            close()
    return callable(getattr(environment, "execute", None))

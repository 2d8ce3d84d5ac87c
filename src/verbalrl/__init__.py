"""Agents that learn in words: attempt, critique, curate, recall. No weights change.

The public names are imported on first use, so that `import verbalrl` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from . import methods as methods
    from .agents import ChatAgent as ChatAgent
    from .agents import Team as Team
    from .agents import agent as agent
    from .agents import check_agent as check_agent
    from .critics import check_critic as check_critic
    from .execution import Memory as Memory
    from .execution import load_embedder as load_embedder
    from .integrations import load_task as load_task
    from .learner import Learner as Learner
    from .methods import check_method as check_method
    from .models import Budget as Budget
    from .models import Model as Model
    from .models import Reply as Reply
    from .models import Request as Request
    from .models import ScriptedModel as ScriptedModel
    from .models import load_model as load_model
    from .models import load_prices as load_prices
    from .records import Action as Action
    from .records import Guidance as Guidance
    from .records import Instance as Instance
    from .records import Observation as Observation
    from .records import Situation as Situation
    from .records import StepResult as StepResult
    from .records import Tool as Tool
    from .records import ToolCallPart as ToolCallPart
    from .records import Usage as Usage
    from .rollout import Limits as Limits
    from .serving import ServeRules as ServeRules
    from .serving import serve as serve
    from .store import open_store as open_store
    from .tasks import check_task as check_task
    from .tasks import task as task

_HOMES = {
    "Action": "records",
    "Budget": "models",
    "ChatAgent": "agents",
    "Guidance": "records",
    "Instance": "records",
    "Learner": "learner",
    "Limits": "rollout",
    "Memory": "execution",
    "Model": "models",
    "Observation": "records",
    "Reply": "models",
    "Request": "models",
    "ScriptedModel": "models",
    "Situation": "records",
    "StepResult": "records",
    "Team": "agents",
    "Tool": "records",
    "ToolCallPart": "records",
    "Usage": "records",
    "agent": "agents",
    "check_agent": "agents",
    "check_critic": "critics",
    "check_method": "methods",
    "check_task": "tasks",
    "load_embedder": "execution",
    "load_model": "models",
    "load_prices": "models",
    "load_task": "integrations",
    "ServeRules": "serving",
    "open_store": "store",
    "serve": "serving",
    "task": "tasks",
}
_MODULES = ("methods",)

__all__ = ["__version__", "methods", *_HOMES]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

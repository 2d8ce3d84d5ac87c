"""Agents that learn in words: attempt, critique, curate, recall. No weights change.

The public names are imported on first use, so that `import verbalrl` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import on_use
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

__all__ = [
    "__version__",
    *on_use(
        __name__,
        {
            "": "methods",
            "agents": "ChatAgent Team agent check_agent",
            "critics": "check_critic",
            "execution": "Memory load_embedder",
            "integrations": "load_task",
            "learner": "Learner",
            "methods": "check_method",
            "models": "Budget Model Reply Request ScriptedModel load_model load_prices",
            "records": "Action Guidance Instance Observation Situation StepResult Tool ToolCallPart"
            " Usage",
            "rollout": "Limits",
            "serving": "ServeRules serve",
            "store": "open_store",
            "tasks": "check_task task",
        },
    ),
]

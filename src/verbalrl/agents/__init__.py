"""Agents: adapting the user's, and the built-in chat agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .chat import ActInputs as ActInputs
    from .chat import ChatAgent as ChatAgent
    from .chat import HistoryStep as HistoryStep
    from .chat import Move as Move
    from .checks import check_agent as check_agent
    from .handles import AgentHandle as AgentHandle
    from .handles import AgentLike as AgentLike
    from .handles import adapt as adapt
    from .handles import agent as agent
    from .handles import public as public
    from .inputs import PROMPT_INPUTS as PROMPT_INPUTS
    from .native import SystemInputs as SystemInputs
    from .report import Analyst as Analyst
    from .team import Team as Team

on_use(
    __name__,
    {
        "chat": "ActInputs ChatAgent HistoryStep Move",
        "checks": "check_agent",
        "handles": "AgentHandle AgentLike adapt agent public",
        "inputs": "PROMPT_INPUTS",
        "native": "SystemInputs",
        "report": "Analyst",
        "team": "Team",
    },
)

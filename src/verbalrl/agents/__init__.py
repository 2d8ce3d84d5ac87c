"""Agents: adapting the user's, and the built-in chat agent."""

from __future__ import annotations

from . import chat as _chat
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
from .native import SystemInputs as SystemInputs
from .report import REPORT_INPUTS
from .report import Analyst as Analyst
from .team import Team as Team

PROMPT_INPUTS = {**_chat.PROMPT_INPUTS, **REPORT_INPUTS}
"""For `PromptLibrary.check`."""

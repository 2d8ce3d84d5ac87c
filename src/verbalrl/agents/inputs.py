"""What the prompts of agents are rendered from, all of them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from . import chat
from .report import REPORT_INPUTS

PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {**chat.PROMPT_INPUTS, **REPORT_INPUTS}
"""For `PromptLibrary.check`."""

"""Which failure ends an episode for which reason."""

from __future__ import annotations

from ..errors import AgentError, EpisodeError, HookError, ModelError, TaskError
from ..records import StopReason

_STOPS: tuple[tuple[type[EpisodeError], StopReason], ...] = (
    (AgentError, StopReason.AGENT_ERROR),
    (TaskError, StopReason.TASK_ERROR),
    (ModelError, StopReason.MODEL_ERROR),
    (HookError, StopReason.HOOK_ERROR),
)
CUT = (StopReason.MAX_STEPS, StopReason.TIMEOUT, StopReason.TOKENS, StopReason.HOOK)
"""Reasons for which an episode counts as truncated."""


def stop_of(error: EpisodeError) -> StopReason:
    """Why an episode ends that `error` breaks."""
    found = (reason for kind, reason in _STOPS if isinstance(error, kind))
    return next(found, StopReason.HOOK_ERROR)

"""The bounds of a run and its episodes. Reaching one is a stop reason, not an error."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ..models import Budget
from ..records import Settings


class Limits(Settings):
    """What an episode may take, how many model calls may be in flight, what the run may spend."""

    max_steps: int | None = Field(default=None, ge=1)
    """Steps of an episode, replayed ones included; None: as the task says."""
    timeout_s: float | None = Field(default=3600.0, gt=0)
    """Seconds of an episode, waiting for slots included; None: no bound."""
    step_timeout_s: float | None = Field(default=600.0, gt=0)
    """Seconds for one answer of the agent, one environment call, one hook; None: no bound."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of an episode, in and out, its hooks included; no call is made once they are used."""
    repeats: int | None = Field(default=None, ge=1)
    """How often an action may be done where the same is seen; once more ends the episode, as in
    reflexion's runs, where it is 3. None: no bound."""
    control: Literal["cvar"] | None = None
    """What watches the rewards inside each episode, in every arm; `cvar` is a `CvarControl`."""
    concurrency: int = Field(default=32, ge=1)
    """Model calls in flight."""
    cache: Path | None = None
    """A folder that keeps the answers of servers over runs, so that a repeated run pays nothing."""
    budget: Budget = Budget()
    """What the whole run may spend."""

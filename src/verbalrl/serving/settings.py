"""What a coach may be told beside its store and its models."""

from __future__ import annotations

from pydantic import Field

from ..models import Budget
from ..records import Settings


class ServeRules(Settings):
    """How a coach learns; the defaults suit an agent that talks to people."""

    about: str = ""
    """What the agent is for, in a sentence: critics and curators read it. Empty: the scope."""
    budget: Budget = Budget()
    """What learning may spend in a day (UTC), over all processes; None in it: no bound."""
    successes: float = Field(default=0.1, ge=0, le=1)
    """The share of good outcomes that are critiqued; whatever went wrong always is."""
    trusted_tools: tuple[str, ...] = ()
    """Tools whose results you vouch for. What another one returns is a source of its own, so that
    two cases that rest on it never confirm each other."""
    tokens: int = Field(default=1500, ge=0)
    """Of lessons in one prompt, at most."""
    max_lessons: int = Field(default=64, ge=1)
    """Of lessons that the scope has in use, at most."""
    batch: int = Field(default=32, ge=1)
    """Episodes that are learned from in one commit."""
    concurrency: int = Field(default=8, ge=1)
    """Model calls of a learner at a time."""
    timeout_s: float = Field(default=600.0, gt=0)
    """For one critique or one curation."""

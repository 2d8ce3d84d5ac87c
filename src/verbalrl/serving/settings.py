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
    """The share of successes that are critiqued; all else always is."""
    good_reward: float | None = Field(default=None, allow_inf_nan=False)
    """From which reward on an outcome is a success, where nobody says whether it is one. None:
    a reward alone leaves that unknown, so that its episode is critiqued and confirms no other."""
    trusted_tools: tuple[str, ...] = ()
    """Tools whose results you vouch for. What another one returns is a source of its own, so that
    two cases that rest on it never confirm each other."""
    messages_of_source: bool = False
    """Whether you vouch that messages of users hold nothing but what the `source=` of their episode
    wrote: no page, mail or file that your program puts there. Else only what stands in the goal
    counts as theirs, and an episode with more confirms no other."""
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

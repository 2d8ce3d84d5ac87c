"""Episodes that are recorded while serving, and what people say of them later."""

from __future__ import annotations

from typing import Literal

from ._base import Record
from .content import Origin

ServingState = Literal["open", "closed", "abandoned", "pending", "consumed"]
"""An open episode is still going on. It ends `closed`, or `abandoned` where its process is gone; it
is `pending` while there is feedback that nothing was learned from, and `consumed` after that."""

SERVED = "served"
"""The arm of episodes that were recorded while serving."""
SERVE = "serve"
"""The method of their runs: one run is what one coach served."""


class Feedback(Record):
    """What one party said of one episode; never changed, only followed by more."""

    episode: str
    seq: int = 0
    """Its number among what was said of the episode, from 1, as it arrived."""
    origin: Origin = Origin.UNTRUSTED
    source: str | None = None
    """A name for whoever said it; `agent` where the agent judges itself."""
    reward: float | None = None
    success: bool | None = None
    text: str = ""
    step: int | None = None
    """The last step there was, where it was said while the episode went on."""
    at: str = ""


class Served(Record):
    """Where one episode is in its life."""

    episode: str
    run: str
    scope: str
    instance: str
    source: str | None = None
    """Who the episode is with, such as a customer."""
    goal: str = ""
    state: ServingState = "open"
    feedback: int = 0
    """The number of the last feedback; 0 for none."""
    consumed: int = 0
    """Up to which number it was learned from."""

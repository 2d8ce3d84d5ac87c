"""What somebody says of an episode, in the form in which it is kept. Pure."""

from __future__ import annotations

import math

from ..errors import ConfigurationError, UnknownNameError
from ..models import clean
from ..records import Feedback, Origin
from .messages import shortened


def said_of(
    episode: str,
    *,
    reward: float | None = None,
    success: bool | None = None,
    text: str = "",
    origin: Origin | str = Origin.UNTRUSTED,
    source: str | None = None,
    step: int | None = None,
) -> Feedback:
    """The feedback that these make; the arguments are those of `Coach.feedback`.

    Raises:
        ConfigurationError: It says nothing, or its reward is no number.
        UnknownNameError: It means no origin.
    """
    if reward is not None and not math.isfinite(reward):
        raise ConfigurationError(f"reward={reward}: give a finite number")
    words = shortened(text).strip()
    if reward is None and success is None and not words:
        raise ConfigurationError("feedback says nothing: give a reward, a success or a text")
    return Feedback(
        episode=episode,
        origin=_origin(origin),
        source=named(source),
        reward=None if reward is None else float(reward),
        success=success,
        text=words,
        step=step,
    )


def named(source: str | None) -> str | None:
    """The name of a source as it is kept: blanks around it make nobody else of anybody."""
    return clean(str(source)).strip() or None if source else None


def correction_of(episode: str, text: str, step: int | None = None) -> Feedback:
    """A person's word on what should be done otherwise.

    Raises:
        ConfigurationError: It has no words.
    """
    if not text.strip():
        raise ConfigurationError("a correction without words says nothing")
    return said_of(episode, text=text, origin=Origin.OPERATOR, step=step)


def _origin(given: Origin | str) -> Origin:
    try:
        return Origin(given)
    except ValueError:
        raise UnknownNameError.of("origin", str(given), [o.value for o in Origin]) from None

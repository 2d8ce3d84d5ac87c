"""What somebody says of an episode, in the form in which it is kept. Pure."""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from decimal import Decimal
from numbers import Real
from types import UnionType

from ..errors import ConfigurationError, UnknownNameError, first_line
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
    check_type("text", text, str, "words")
    check_type("source", source, str | None, "a name")
    outcome = _truth("success", success)
    value = _number("reward", reward)
    words = shortened(text).strip()
    if reward is None and success is None and not words:
        raise ConfigurationError("feedback says nothing: give a reward, a success or a text")
    return Feedback(
        episode=episode,
        origin=_origin(origin),
        source=named(source),
        reward=value,
        success=outcome,
        text=words,
        step=step,
    )


def check_type(name: str, given: object, kind: type | UnionType, wanted: str) -> None:
    """Raise `ConfigurationError` where an argument is of another type than `kind`."""
    if not isinstance(given, kind):
        raise ConfigurationError(f"{name}={_shown(given)}: give {wanted}")


def seconds(name: str, given: object) -> float:
    """`given` as a time that a thread can wait."""
    found = _number(name, given)
    if found is None or not 0 < found <= threading.TIMEOUT_MAX:
        raise ConfigurationError(
            f"{name}={_shown(given)}: give seconds, more than 0 and at most "
            f"{threading.TIMEOUT_MAX:.0f}"
        )
    return found


def _number(name: str, given: object) -> float | None:
    if given is None:
        return None
    number = math.nan
    if isinstance(given, Real | Decimal):
        with suppress(OverflowError, ValueError):
            number = float(given)
    if not math.isfinite(number):
        raise ConfigurationError(f"{name}={_shown(given)}: give a finite number")
    return number


def _truth(name: str, given: object) -> bool | None:
    if given is None or (isinstance(given, int) and given in (0, 1)):
        return None if given is None else bool(given)
    raise ConfigurationError(f"{name}={_shown(given)}: give True or False")


def _shown(given: object) -> str:
    if isinstance(given, int) and abs(given) >= 10**40:
        return "a number of more than forty digits"
    return first_line(repr(given))[:80]


def named(source: str | None) -> str | None:
    """The name of a source as it is kept: blanks around it make nobody else of anybody."""
    return clean(str(source)).strip() or None if source else None


def correction_of(episode: str, text: str, step: int | None = None) -> Feedback:
    """A person's word on what should be done otherwise.

    Raises:
        ConfigurationError: It has no words.
    """
    check_type("text", text, str, "words")
    check_type("step", step, int | None, "the number of a step")
    if not text.strip():
        raise ConfigurationError("a correction without words says nothing")
    return said_of(episode, text=text, origin=Origin.OPERATOR, step=step)


def _origin(given: Origin | str) -> Origin:
    try:
        return Origin(given)
    except (ValueError, TypeError):
        raise UnknownNameError.of("origin", str(given), [o.value for o in Origin]) from None

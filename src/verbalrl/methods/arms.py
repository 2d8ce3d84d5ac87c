"""Arms: the conditions under comparison, as transforms of a method (design section 13)."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigurationError, UnknownNameError
from ..records import Split
from ..result.marks import MEANINGS as MEANINGS
from .attempts import Attempts
from .base import Method
from .best_of_n import BEST_OF_N as BEST_OF_N
from .best_of_n import BestOfN
from .raw_failures import RawFailures
from .shuffled import Shuffled

ARMS = ("none", "retry", "learned")
"""The arms that run unless others are named."""

ALL_ARMS = tuple(MEANINGS)
"""Every arm, in the order in which tables print them."""
LEARNED = "learned"


def arm(method: Method, name: str) -> Method:
    """`method` as the arm `name` runs it.

    Controls are read where the method is read: on the test split for methods that learn shared
    lessons. Raises `ConfigurationError` where the method can have no such control.
    """
    if name == LEARNED:
        return method
    if name not in ALL_ARMS:
        raise UnknownNameError.of("arm", name, ALL_ARMS)
    if name not in getattr(method, "controls", ALL_ARMS):
        raise ConfigurationError(f"{method.name} has no arm {name}: {MEANINGS[name]}")
    split: Split = "test" if method.learns == "shared" else "train"
    beside = _beside(method)
    if name == "shuffled":
        return Shuffled(method)
    if name == BEST_OF_N:
        return BestOfN(learns=method.learns, split=split, **beside)
    if name == "raw_failures":
        return RawFailures(
            learns=method.learns,
            trials=method.trials,
            learn=method.learn,
            budget=getattr(method, "budget", RawFailures().budget),
            round_size=getattr(method, "round_size", RawFailures().round_size),
            **beside,
        )
    return Attempts(
        name="none" if name == "none" else "retry",
        learns=method.learns,
        trials=1 if name == "none" else method.trials,
        split=split,
        **beside,
    )


def _beside(method: Method) -> dict[str, Any]:
    """What control arms have of the method beside its trials: the step limit, and hooks."""
    return {
        "max_steps": getattr(method, "max_steps", None),
        "hooks": getattr(method, "throughout", ()),
    }

"""Arms: the conditions under comparison, as transforms of a method (design section 13)."""

from __future__ import annotations

from ..errors import ConfigurationError, UnknownNameError
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
    split, max_steps = "test" if method.learns == "shared" else "train", _max_steps(method)
    if name == "shuffled":
        return Shuffled(method)
    if name == BEST_OF_N:
        return BestOfN(learns=method.learns, split=split, max_steps=max_steps)
    if name == "raw_failures":
        return RawFailures(
            learns=method.learns,
            trials=method.trials,
            max_steps=max_steps,
            learn=method.learn,
            budget=getattr(method, "budget", None) or RawFailures().budget,
            round_size=getattr(method, "round_size", RawFailures().round_size),
        )
    return Attempts(
        name="none" if name == "none" else "retry",
        learns=method.learns,
        trials=1 if name == "none" else method.trials,
        split=split,
        max_steps=max_steps,
    )


def _max_steps(method: Method) -> int | None:
    found: int | None = getattr(method, "max_steps", None)
    return found

"""Arms: the conditions under comparison, as transforms of a method (design section 13)."""

from __future__ import annotations

from ..errors import UnknownNameError
from .attempts import Attempts
from .base import Method

ARMS = ("none", "retry", "learned")
"""The arms offered, in the order in which tables print them."""


def arm(method: Method, name: str) -> Method:
    """`method` as the arm `name` runs it.

    `none`: one attempt, no memory. `retry`: the same trials, stop rule and seeds, nothing injected.
    Both are read where the method is read: on the test split for methods that learn shared lessons.
    """
    if name == "learned":
        return method
    if name not in ARMS:
        raise UnknownNameError.of("arm", name, ARMS)
    shared = method.learns == "shared"
    return Attempts(
        name="none" if name == "none" else "retry",
        learns=method.learns,
        trials=1 if name == "none" else method.trials,
        split="test" if shared else "train",
        max_steps=getattr(method, "max_steps", None),
    )

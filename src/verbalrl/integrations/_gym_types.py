"""What it takes to put a Gymnasium environment into words, and the package itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import ConfigurationError

PREFIX = "gym:"
INSTALL = 'pip install "verbalrl[gym]"'


def import_gymnasium() -> Any:
    """The package, imported on use; a `ConfigurationError` says how to install it."""
    try:
        import gymnasium
    except ImportError as error:
        raise ConfigurationError(f"gym: tasks need Gymnasium: {INSTALL}") from error
    return gymnasium


class Moved(NamedTuple):
    """What one step of a Gymnasium environment gave."""

    before: Any
    after: Any
    reward: float
    total: float
    terminated: bool


class Words(NamedTuple):
    """How one environment is put into words."""

    goal: str
    actions: tuple[str, ...]
    """In the order of the action numbers."""
    describe: Callable[[Any], str]
    feedback: Callable[[Moved], str]
    success: Callable[[Moved], bool] | None
    """None: unknown."""


class Known(NamedTuple):
    """What we know of one id."""

    words: Callable[[Any], Words]
    """Made for one environment, unwrapped."""
    options: tuple[str, ...] = ()
    max_steps: int | None = None
    notes: Mapping[str, str] = {}
    """Lines to be said before a run, by the option that makes them needless."""
    slips: str = ""
    """The argument that `slippery=true` turns on."""
    calm: Mapping[str, Any] = {}
    """Arguments that take the noise out, where it is there unless told otherwise."""

"""What Gymnasium's states and outcomes are called: one function per environment, and a plain one.

Nothing here shows a map or names a hidden field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from ..errors import ConfigurationError

PREFIX = "gym:"
INSTALL = 'pip install "verbalrl[gym]"'
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


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
    notes: tuple[str, ...] = ()
    calm: Mapping[str, Any] = {}
    """Arguments that take the noise out, unless `slippery=true` asks for it."""


def _frozen_lake(environment: Any) -> Words:
    rows = [[cell.decode() for cell in row] for row in environment.desc]
    width = len(rows[0])
    goal = next(divmod(n, width) for n, cell in enumerate(chain(*rows)) if cell == "G")

    def feedback(moved: Moved) -> str:
        row, column = divmod(int(moved.after), width)
        if rows[row][column] == "H":
            return "You fell into a hole and failed."
        if rows[row][column] == "G":
            return "You reached the goal, a success."
        if moved.before == moved.after:
            return "You were blocked by the edge and stayed where you were."
        return "You moved one field on."

    return Words(
        goal=f"Reach {_place(goal)} of a frozen lake. Some fields hide a hole; falling in ends it.",
        actions=("move west", "move south", "move east", "move north"),
        describe=lambda state: _grid_state(divmod(int(state), width), goal),
        feedback=feedback,
        success=lambda moved: divmod(int(moved.after), width) == goal,
    )


def _cliff_walking(environment: Any) -> Words:
    height, width = environment.shape
    goal = (height - 1, width - 1)

    def feedback(moved: Moved) -> str:
        if moved.reward <= -100:
            return "You fell off a cliff, a failure, and were put back to the start."
        if divmod(int(moved.after), width) == goal:
            return "You reached the goal, a success."
        if moved.before == moved.after:
            return "You were blocked by the edge and stayed where you were."
        return "You moved one field on."

    return Words(
        goal=f"Reach {_place(goal)} of a mountain field. Somewhere is a cliff; a fall costs much.",
        actions=("move north", "move east", "move south", "move west"),
        describe=lambda state: _grid_state(divmod(int(state), width), goal),
        feedback=feedback,
        success=lambda moved: divmod(int(moved.after), width) == goal,
    )


def plain(environment: Any) -> Words:
    spaces = import_gymnasium().spaces
    name = environment.spec.id if environment.spec else "the environment"
    if not isinstance(environment.action_space, spaces.Discrete):
        raise ConfigurationError(f"{PREFIX}{name}: its actions are not discrete")
    if not _is_countable(environment.observation_space):
        raise ConfigurationError(f"{PREFIX}{name}: its observations are not discrete numbers")

    def feedback(moved: Moved) -> str:
        said = f"The reward was {moved.reward:g}."
        return said if moved.before != moved.after else f"Nothing changed. {said}"

    return Words(
        goal=f"Collect as much reward as you can in {name}.",
        actions=tuple(f"take action {_named(n)}" for n in range(int(environment.action_space.n))),
        describe=lambda state: f"The state is {_numbers(state)}.",
        feedback=feedback,
        success=None,
    )


_STANDARD_MAP = "the standard map, the same in every instance; ?map=random draws one for each"

KNOWN: Mapping[str, Known] = {
    "FrozenLake-v1": Known(
        _frozen_lake,
        ("map", "slippery"),
        notes=(_STANDARD_MAP,),
        calm={"is_slippery": False},
    ),
    "FrozenLake8x8-v1": Known(_frozen_lake, ("slippery",), calm={"is_slippery": False}),
    "CliffWalking-v1": Known(_cliff_walking, ("slippery",), max_steps=60),
}
"""The ids with a description and a declared success of their own."""


def _place(cell: tuple[int, int]) -> str:
    return f"the goal at row {cell[0] + 1}, column {cell[1] + 1}"


def _grid_state(cell: tuple[int, int], goal: tuple[int, int]) -> str:
    text = f"You are at row {cell[0] + 1}, column {cell[1] + 1}."
    down, right = goal[0] - cell[0], goal[1] - cell[1]
    words = [*(("south",) if down > 0 else ("north",) if down < 0 else ())]
    words += ["east"] if right > 0 else ["west"] if right < 0 else []
    return f"{text} The goal lies {' and '.join(words)} of here." if words else text


def _is_countable(space: Any) -> bool:
    spaces = import_gymnasium().spaces
    if isinstance(space, spaces.Tuple):
        return all(_is_countable(part) for part in space.spaces)
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)


def _numbers(state: Any) -> str:
    # Tuples and arrays of small numbers; a Discrete state is one number.
    parts = state if isinstance(state, tuple) else getattr(state, "tolist", lambda: state)()
    return ", ".join(str(int(part)) for part in (parts if hasattr(parts, "__len__") else (parts,)))


def _named(number: int) -> str:
    # In words where there are any: readers of states take digits for parts of a state.
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number + 1)

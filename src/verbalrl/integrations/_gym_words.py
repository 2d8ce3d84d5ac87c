"""What Gymnasium's states and outcomes are called: one function per environment, and a plain one.

Nothing here shows a map or names a hidden field.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from ..errors import ConfigurationError
from ._gym_toys import blackjack, taxi
from ._gym_types import PREFIX, Known, Moved, Words, import_gymnasium

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_AT_MOST = 64
"""Numbers of an observation that can still be read as words."""


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
    """Words for any environment with discrete actions, from its spaces alone."""
    spaces = import_gymnasium().spaces
    name = environment.spec.id if environment.spec else "the environment"
    if not isinstance(environment.action_space, spaces.Discrete):
        raise ConfigurationError(f"{PREFIX}{name}: its actions are not discrete")
    size = _numbers_in(environment.observation_space)
    if size is None:
        raise ConfigurationError(f"{PREFIX}{name}: its observations do not fit into words")
    if size > _AT_MOST:
        raise ConfigurationError(
            f"{PREFIX}{name}: its observations are {size} numbers; at most {_AT_MOST} fit in words"
        )

    def feedback(moved: Moved) -> str:
        said = f"The reward was {moved.reward:g}."
        same = _told(moved.before) == _told(moved.after)
        return f"Nothing changed. {said}" if same else said

    return Words(
        goal=f"Collect as much reward as you can in {name}.",
        actions=tuple(f"take action {_named(n)}" for n in range(int(environment.action_space.n))),
        describe=lambda state: f"The state is {_told(state)}.",
        feedback=feedback,
        success=None,
    )


_STANDARD_MAP = "the standard map, the same in every instance; ?map=random draws one for each"

KNOWN: Mapping[str, Known] = {
    "FrozenLake-v1": Known(
        _frozen_lake,
        ("map", "slippery"),
        notes={"map": _STANDARD_MAP},
        slips="is_slippery",
        calm={"is_slippery": False},
    ),
    "FrozenLake8x8-v1": Known(
        _frozen_lake, ("slippery",), slips="is_slippery", calm={"is_slippery": False}
    ),
    **dict.fromkeys(
        ("CliffWalking-v0", "CliffWalking-v1"),
        Known(_cliff_walking, ("slippery",), max_steps=60, slips="is_slippery"),
    ),
    "CliffWalkingSlippery-v1": Known(_cliff_walking, max_steps=60),
    **dict.fromkeys(("Taxi-v3", "Taxi-v4"), Known(taxi, ("slippery",), slips="is_rainy")),
    "Blackjack-v1": Known(
        blackjack,
        max_steps=20,
        notes={"success": "success is a win; a draw is none"},
    ),
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


def _numbers_in(space: Any) -> int | None:
    """How many numbers or texts an observation of `space` holds; None where that cannot be said."""
    spaces = import_gymnasium().spaces
    if isinstance(space, spaces.Tuple | spaces.Dict):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        sizes = [_numbers_in(part) for part in parts]
        return None if None in sizes else sum(size or 0 for size in sizes)
    if isinstance(space, spaces.Discrete | spaces.Text):
        return 1
    if isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        return int(_product(space.shape))
    return None


def _product(shape: Any) -> int:
    size = 1
    for length in shape:
        size *= int(length)
    return size


def _told(state: Any) -> str:
    """An observation in words: numbers to three digits, the parts of a dictionary with names."""
    if isinstance(state, Mapping):
        return "; ".join(f"{name}: {_told(part)}" for name, part in state.items())
    if isinstance(state, tuple | list):
        return ", ".join(_told(part) for part in state)
    if isinstance(state, str):
        return state
    value = getattr(state, "tolist", lambda: state)()
    if isinstance(value, list):
        return _told(value)
    return f"{value:.3g}" if isinstance(value, float) else str(int(value))


def _named(number: int) -> str:
    # In words where there are any: readers of states take digits for parts of a state.
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number + 1)

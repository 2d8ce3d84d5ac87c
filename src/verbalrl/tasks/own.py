"""A task of the user's own from rows and one function, without a folder and without classes."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from ..errors import ConfigurationError, check_kind
from ..ids import sha256_json
from ..records import Action, Instance, Observation, Origin, Split, StepResult
from .base import Card, Environment, Learns, Problem, WorldTask
from .questions import divide
from .tables import first_problem

Row = Mapping[str, JsonValue]
Shown = str | Observation
Told = Generator[Shown | tuple[Shown, str], str, tuple[bool, str] | bool]
"""Yields what the agent sees, with what came of its last action where there is more to say;
receives the text of the action; returns success and what came of the last action."""

_RESERVED = ("id", "goal", "split")
_OVER = Observation(text="The episode is over.", actions=())


def task(
    name: str,
    rows: Sequence[Row],
    episode: Callable[[Row], Told],
    *,
    goal: str = "Do what is wanted.",
    learns: Learns = "both",
    max_steps: int = 20,
    summary: str = "",
) -> WorldTask:
    """A task in which `episode(row)`, a generator function, plays one row of `rows`.

    The function yields what the agent sees, an `Observation` or a text, and receives the action's
    text; a pair of observation and feedback tells what came of the action before. It returns
    success and feedback, or success alone. Rows may have an `id`, a `goal` and a `split` (train or
    test); without splits they are divided 70 to 30 by a hash of the id. What else they hold is
    hidden from the agent. `name` ends in a version, such as `desk-v1`.

    Raises:
        ConfigurationError: Something cannot work; one line that says what.
    """
    check_kind(name, str, "task: a name is wanted")
    if not inspect.isgeneratorfunction(episode):
        raise ConfigurationError(f"task {name}: episode is no function that yields what is seen")
    placed = tuple(_placed(name, number, row, goal) for number, row in enumerate(rows))
    if not placed:
        raise ConfigurationError(f"task {name}: there are no rows")
    (often, count), *_ = Counter(row.name for row in placed).most_common(1)
    if count > 1:
        raise ConfigurationError(f"task {name}: the id {often!r} stands on more than one row")
    world = RowsWorld(placed, episode)
    sizes = {split: world.size(split) for split in ("train", "test")}
    evaluated = sizes["test"] if learns == "shared" else len(placed)
    try:
        card = Card(
            id=name,
            summary=summary or goal,
            learns=learns,
            observations=Origin.TASK,
            max_steps=max_steps,
            default_train=max(sizes["train"], 1),
            default_instances=max(evaluated, 1),
            behaviour=sha256_json([_source(episode), [row.problem._asdict() for row in placed]]),
        )
    except ValidationError as error:
        raise ConfigurationError(f"task {name}: {first_problem(error)}") from None
    return WorldTask(card, world)


class _Placed(NamedTuple):
    """A row that can be played."""

    name: str
    split: Split | None
    problem: Problem


class RowsWorld:
    """Rows, each played by one function."""

    inline = False

    def __init__(self, rows: Sequence[_Placed], episode: Callable[[Row], Told]) -> None:
        self._splits, _ = divide(rows)
        self._episode = episode

    def size(self, split: Split, /) -> int:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`."""
        return self._splits[split][index].problem

    def environment(self, instance: Instance, /) -> Environment:
        """One row."""
        return RowEnvironment(instance, self._episode)


class RowEnvironment:
    """One row, played by a generator that begins anew at each reset."""

    def __init__(self, instance: Instance, episode: Callable[[Row], Told]) -> None:
        self._row: Row = {**instance.data, "goal": instance.goal}
        self._episode = episode
        self._told: Told | None = None

    def reset(self, seed: int, /) -> Observation:
        """What the function shows first."""
        self._told = self._episode(self._row)
        return _seen(next(self._told))[0]

    def step(self, action: Action, /) -> StepResult:
        """What the function makes of an action."""
        if self._told is None:
            raise ConfigurationError("step before reset")
        try:
            shown, feedback = _seen(self._told.send(action.text))
        except StopIteration as over:
            success, said = over.value if isinstance(over.value, tuple) else (over.value, "")
            reward = 1.0 if success else 0.0
            return StepResult(
                observation=_OVER, feedback=said, reward=reward, terminated=True, success=success
            )
        return StepResult(observation=shown, feedback=feedback, reward=0.0, success=False)

    def close(self) -> None:
        """End the generator, and what it holds."""
        if self._told is not None:
            self._told.close()


def _seen(told_: Shown | tuple[Shown, str]) -> tuple[Observation, str]:
    shown, feedback = told_ if isinstance(told_, tuple) else (told_, "")
    return (Observation(text=shown) if isinstance(shown, str) else shown), feedback


def _placed(name: str, number: int, row: Row, goal: str) -> _Placed:
    where = f"task {name}: row {number}"
    check_kind(row, Mapping, f"{where}: a mapping is wanted")
    id_ = str(row.get("id", number))
    split: Any = row.get("split")
    if split not in (None, "train", "test"):
        raise ConfigurationError(f"{where}: split is {split!r}; train or test is wanted")
    data = {key: value for key, value in row.items() if key not in _RESERVED}
    try:
        given = Instance(id=id_, goal=str(row.get("goal", goal)), split="train", data=data)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {first_problem(error)}") from None
    return _Placed(id_, split, Problem(given.goal, given.data, (), id_))


def _source(episode: Callable[..., object]) -> str:
    try:
        return inspect.getsource(episode)
    except (OSError, TypeError):  # typed into a prompt: there is no file to read
        return f"{episode.__module__}.{episode.__qualname__}"

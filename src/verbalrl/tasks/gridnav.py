"""`gridnav`: a field with hidden pits, the same in every trial of an instance.

The observation names the place and the directions in which the goal lies, so that whoever does not
know the pits drifts into them. What can be learned is where not to go, one instance at a time.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import NamedTuple, Self, cast

from pydantic import Field, JsonValue, model_validator

from ..errors import ConfigurationError
from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import sample

VERSION = "gridnav-v1"
Cell = tuple[int, int]
MOVES: dict[str, Cell] = {
    "move north": (-1, 0),
    "move south": (1, 0),
    "move west": (0, -1),
    "move east": (0, 1),
}
ACTIONS = tuple(MOVES)
_ATTEMPTS = 5_000


class Layout(NamedTuple):
    """One field: rows and columns count from 0 inside, from 1 in texts."""

    size: int
    start: Cell
    goal: Cell
    pits: frozenset[Cell]

    def towards(self, cell: Cell) -> tuple[str, ...]:
        """The moves that bring `cell` nearer to the goal, pits or not: at most two."""
        return tuple(m for m in ACTIONS if self._gap(self.after(cell, m)) < self._gap(cell))

    def after(self, cell: Cell, move: str) -> Cell:
        """Where `move` leads from `cell`; the wall holds."""
        row, column = cell[0] + MOVES[move][0], cell[1] + MOVES[move][1]
        inside = 0 <= row < self.size and 0 <= column < self.size
        return (row, column) if inside else cell

    def safe_share(self) -> float:
        """The share of naive walks that reach the goal: even choice among moves towards it."""
        return self._share(self.start, {})

    def fatal_edges(self) -> int:
        """How many different moves into a pit a naive walk can make."""
        seen = {self.start}
        queue = deque(seen)
        edges = 0
        while queue:
            cell = queue.popleft()
            for after in (self.after(cell, move) for move in self.towards(cell)):
                edges += after in self.pits
                if after not in self.pits and after not in seen:
                    seen.add(after)
                    queue.append(after)
        return edges

    def safe_path(self) -> tuple[str, ...]:
        """A shortest walk to the goal around the pits; empty when there is none."""
        queue: deque[tuple[Cell, tuple[str, ...]]] = deque([(self.start, ())])
        seen = {self.start}
        while queue:
            cell, path = queue.popleft()
            if cell == self.goal:
                return path
            for move in ACTIONS:
                after = self.after(cell, move)
                if after not in self.pits and after not in seen:
                    seen.add(after)
                    queue.append((after, (*path, move)))
        return ()

    def _gap(self, cell: Cell) -> int:
        return abs(cell[0] - self.goal[0]) + abs(cell[1] - self.goal[1])

    def _share(self, cell: Cell, known: dict[Cell, float]) -> float:
        if cell == self.goal:
            return 1.0
        if cell in self.pits:
            return 0.0
        if cell not in known:
            moves = self.towards(cell)
            known[cell] = sum(self._share(self.after(cell, m), known) for m in moves) / len(moves)
        return known[cell]


class GridNav(Record):
    """All fields of one difficulty.

    A layout is kept when the share of naive walks that are safe is between `min_safe` and
    `max_safe`, and the number of different moves into a pit that such walks can make between
    `min_fatal` and `max_fatal`. Without `hint` the directions of the goal are not told.
    """

    task_seed: int = 0
    side: int = Field(default=5, ge=3, le=20)
    pits: int = Field(default=3, ge=1)
    hint: bool = True
    min_safe: float = Field(default=0.05, ge=0, le=1)
    max_safe: float = Field(default=0.35, ge=0, le=1)
    min_fatal: int = Field(default=3, ge=0)
    max_fatal: int = Field(default=5, ge=0)

    @model_validator(mode="after")
    def _room_for_pits(self) -> Self:
        if self.pits > self.side * self.side - 2:
            raise ValueError(f"{self.pits} pits do not fit on {self.side}×{self.side} fields")
        return self

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> GridNav:
        """The world of a task folder; it needs no further file."""
        del folder
        return cls.model_validate({**args, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """The limit that belongs to this size: 4n + 4."""
        return 4 * self.side + 4

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Field number `index`."""
        layout = self._layout(split, index)
        row, column = layout.goal
        goal = (
            f"Reach the goal at row {row + 1}, column {column + 1}. "
            "Some fields hide a pit; falling in ends the attempt."
        )
        data: dict[str, JsonValue] = {
            "start": list(layout.start),
            "goal": list(layout.goal),
            "pits": [list(pit) for pit in sorted(layout.pits)],
        }
        return Problem(goal, data)

    def environment(self, instance: Instance, /) -> Environment:
        """The field of `instance`, with the agent at its start."""
        return GridEnvironment(self.layout(instance), self.hint)

    def oracle(self, instance: Instance, /) -> Policy:
        """Walks a shortest safe path."""
        path = self.layout(instance).safe_path()
        return follow(*path)

    def layout(self, instance: Instance) -> Layout:
        """The hidden field of `instance`."""
        data = cast("dict[str, list[int]]", instance.data)
        pits = cast("list[list[int]]", instance.data["pits"])
        return Layout(
            self.side,
            (data["start"][0], data["start"][1]),
            (data["goal"][0], data["goal"][1]),
            frozenset((row, column) for row, column in pits),
        )

    def _layout(self, split: Split, index: int) -> Layout:
        cells = [(row, column) for row in range(self.side) for column in range(self.side)]
        for attempt in range(_ATTEMPTS):
            key = (VERSION, self.task_seed, split, index, attempt)
            start, goal, *pits = sample(cells, 2 + self.pits, *key)
            layout = Layout(self.side, start, goal, frozenset(pits))
            if self._kept(layout):
                return layout
        raise ConfigurationError(
            f"gridnav: no layout with {self.pits} pits on {self.side}×{self.side} has a safe share "
            f"of {self.min_safe} to {self.max_safe} and {self.min_fatal} to {self.max_fatal} "
            "fatal moves; widen the limits"
        )

    def _kept(self, layout: Layout) -> bool:
        # A start in line with the goal leaves the naive walk no choice.
        (row, column), (goal_row, goal_column) = layout.start, layout.goal
        if row == goal_row or column == goal_column:
            return False
        if abs(row - goal_row) + abs(column - goal_column) < self.side - 1:
            return False
        if not self.min_safe <= layout.safe_share() <= self.max_safe:
            return False
        return self.min_fatal <= layout.fatal_edges() <= self.max_fatal and bool(layout.safe_path())


class GridEnvironment:
    """One walk over one field; nothing here depends on chance."""

    def __init__(self, layout: Layout, hint: bool) -> None:
        self._layout = layout
        self._hint = hint
        self._cell = layout.start

    def reset(self, seed: int, /) -> Observation:
        """Stand at the start."""
        self._cell = self._layout.start
        return self._observation()

    def step(self, action: Action, /) -> StepResult:
        """Move one field; a pit ends the attempt, a wall holds."""
        move = normalised(action.text)
        if move not in MOVES:
            return self._result("That is not a possible action; you stayed where you were.")
        before, self._cell = self._cell, self._layout.after(self._cell, move)
        if self._cell == before:
            return self._result("You were blocked by the wall and stayed where you were.")
        if self._cell in self._layout.pits:
            return self._result("You fell into a pit and failed.", reward=-1.0, terminated=True)
        if self._cell == self._layout.goal:
            feedback = "You reached the goal, a success."
            return self._result(feedback, reward=1.0, terminated=True, success=True)
        return self._result("You moved one field on.")

    def _result(
        self, feedback: str, *, reward: float = 0.0, terminated: bool = False, success: bool = False
    ) -> StepResult:
        observation = self._observation()
        if terminated:
            observation = Observation(text=self._place(), actions=())
        return StepResult(
            observation=observation,
            feedback=feedback,
            reward=reward,
            terminated=terminated,
            success=success,
        )

    def _place(self) -> str:
        return f"You are at row {self._cell[0] + 1}, column {self._cell[1] + 1}."

    def _observation(self) -> Observation:
        text = self._place()
        if self._hint:
            words = [move.split()[1] for move in self._layout.towards(self._cell)]
            text += f" The goal lies {' and '.join(words)} of here."
        return Observation(text=text, actions=ACTIONS)

"""A task whose episodes all take the same number of steps and fail: for measuring the loop."""

from __future__ import annotations

from verbalrl.records import Action, Instance, Observation, Origin, StepResult
from verbalrl.tasks.base import Card, Environment, Problem, WorldTask

ACTIONS = ("move north", "move south", "move west", "move east")


class Walk:
    """One walk, for one episode: nothing is ever found."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0

    def reset(self, seed: int, /) -> Observation:
        """Begin at the gate."""
        return self._seen()

    def step(self, action: Action, /) -> StepResult:
        """One field on."""
        self.taken += 1
        return StepResult(
            observation=self._seen(),
            feedback=f"You went on ({action.text}) and found nothing of interest there.",
            reward=0.0,
            success=False,
        )

    def _seen(self) -> Observation:
        text = (
            f"You are on walk {self.name}, {self.taken} fields from the gate. A sign points the way"
            " to the well; the goal lies north and east of here."
        )
        return Observation(text=text, actions=ACTIONS)


class Walks:
    """All walks, without end."""

    def size(self, split: str, /) -> int | None:
        """No limit."""
        return None

    def problem(self, split: str, index: int, /) -> Problem:
        """The walk of this number."""
        return Problem("Reach the well. It lies somewhere beyond the fields.", {"n": index})

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh walk."""
        return Walk(f"{instance.split} {instance.data['n']}")


def walks(steps: int) -> WorldTask:
    """The task whose episodes all take `steps` steps."""
    card = Card(
        id="walks-v1",
        summary="Walk and find nothing.",
        learns="both",
        observations=Origin.TASK,
        max_steps=steps,
        inline=True,
        default_train=32,
        default_instances=32,
    )
    return WorldTask(card, Walks())

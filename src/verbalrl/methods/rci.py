"""RCI: recursively criticise and improve a plan, then check the form of every action.

Kim et al. 2023, "Language Models can Solve Computer Tasks" (arXiv 2303.17491). Explicit: a plan is
written before the first action, problems with it are found, it is written anew. Implicit: an action
of the wrong form is asked for again. Nothing is remembered from one attempt to the next.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from ..records import Batch, Done, HookSpec, InstanceView
from . import plans
from .base import Requirement
from .instance import InstanceMethod


class Rci(InstanceMethod):
    """A plan, its problems, a better plan; then actions whose form is checked."""

    name: Literal["rci"] = "rci"
    on: Literal["plan", "answer"] = "plan"
    """What is criticised and improved: a plan before the first action, or each draft, as in the
    paper's tasks of reasoning."""
    explicit: int = Field(default=1, ge=0, le=2)
    """How often it is criticised and improved; 0: never."""
    implicit: int = Field(default=1, ge=0, le=2)
    """How often an action of the wrong form is asked for again; a wrong one after that ends it."""
    pattern: str = ""
    """What every action must match where none are listed; empty: anything."""
    ground: bool = False
    """True: every action is looked at once more against what is seen."""

    @property
    def requires(self) -> frozenset[Requirement]:
        """A model that writes plans and finds problems."""
        return frozenset({"model"}) if self.explicit else frozenset()

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """Attempt until solved or out of trials; what is its own happens inside the attempts."""
        trial = self.next_trial(view)
        if isinstance(trial, Done):
            return trial
        return plans.attempt(view, trial, max_steps=self.max_steps, hooks=self._hooks())

    def _hooks(self) -> tuple[HookSpec, ...]:
        form: dict[str, JsonValue] = {"limit": self.implicit, "pattern": self.pattern}
        hooks = [HookSpec(name="form", settings=form)]
        if self.explicit:
            kind = "plan" if self.on == "plan" else "review"
            hooks.append(HookSpec(name=kind, settings={"rounds": self.explicit}))
        if self.ground:
            hooks.append(HookSpec(name="ground"))
        return tuple(hooks)


def rci(
    *, on: Literal["plan", "answer"] = "plan", explicit: int = 1, implicit: int = 1, trials: int = 1
) -> Rci:
    """RCI with `explicit` rounds of criticism and `implicit` repairs of each action."""
    return Rci(on=on, explicit=explicit, implicit=implicit, trials=trials)

"""Hooks that ask a model: for a plan before the first action, for problems with a draft (RCI).

Kim et al. 2023 (arXiv 2303.17491): recursively criticise and improve.
They ask as the critic and are billed to it. What they keep between their decisions stands in the
notes of the episode, which a resumed run has too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, Field

from ..models import Message, Model, Request, ask_for
from ..prompts import PromptLibrary
from ..records import Action, Observation, Origin, Record, Situation, Trajectory
from .control import RiskInputs
from .guards import FormInputs, GroundInputs, RepeatedInputs, said_by
from .hooks import AfterStep, Annotate, AtStart, BeforeAction, Hook, Revise

R = TypeVar("R", bound=BaseModel)


class PlanInputs(Record):
    """What `critic/plan` is rendered from."""

    goal: str
    observation: str
    actions: tuple[str, ...] | None = None
    plan: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class ProblemsInputs(Record):
    """What `critic/problems` is rendered from."""

    goal: str
    observation: str
    actions: tuple[str, ...] | None = None
    plan: tuple[str, ...] = ()
    draft: str = ""


class PlanNoteInputs(Record):
    """What `notes/plan` is rendered from."""

    steps: tuple[str, ...]


class ProblemsNoteInputs(Record):
    """What `notes/problems` is rendered from."""

    problems: tuple[str, ...]


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {
    "critic/plan": PlanInputs,
    "critic/problems": ProblemsInputs,
    "notes/plan": PlanNoteInputs,
    "notes/problems": ProblemsNoteInputs,
    "notes/form": FormInputs,
    "notes/ground": GroundInputs,
    "notes/repeated": RepeatedInputs,
    "notes/risk": RiskInputs,
}
"""For `PromptLibrary.check`."""


class PlanReply(BaseModel):
    """A plan."""

    steps: list[str] = Field(
        min_length=1, max_length=20, description="The steps in order, one short sentence each."
    )


class ProblemsReply(BaseModel):
    """What is wrong with a plan or a draft."""

    problems: list[str] = Field(
        max_length=20,
        description="The gravest first, one or two sentences each; empty if there is none.",
    )


class _Asking(Hook):
    """What both have in common: a model, prompts, and whose words the model reads."""

    def __init__(
        self, model: Model, prompts: PromptLibrary, *, rounds: int = 1, origin: Origin = Origin.TASK
    ) -> None:
        """Check the prompts.

        Args:
            model: Who is asked.
            prompts: Where the prompts are.
            rounds: How often it is criticised and improved.
            origin: Who the task's observations come from.
        """
        prompts.check(PROMPT_INPUTS)
        self._model, self._prompts = model, prompts
        self.rounds, self._origin = rounds, origin

    async def _ask(self, name: str, inputs: BaseModel, schema: type[R]) -> R:
        text = self._prompts.render(name, inputs).text
        request = Request(messages=(Message(role="user", text=text),), role="critic")
        answer, _ = await ask_for(self._model, request, schema)
        return schema.model_validate(answer)

    def _trust(self, seen: Observation) -> Origin:
        """The least trusted text that the model read."""
        return Origin.minimum((self._origin, *(p.origin for p in seen.parts if p.origin)))


class PlanHook(_Asking):
    """Writes a plan before the first action, finds problems with it `rounds` times, improves it.

    The plan is a note beside every step. Finding no problem ends the rounds: there is nothing to
    improve upon.
    """

    name = "plan"

    async def at_start(self, situation: Situation, /) -> AtStart | None:
        """The plan as a note."""
        goal, seen = situation.goal, situation.observation
        place = {"goal": goal, "observation": seen.text, "actions": situation.actions}
        plan = await self._ask("critic/plan", PlanInputs.model_validate(place), PlanReply)
        for _ in range(self.rounds):
            asked = ProblemsInputs.model_validate({**place, "plan": plan.steps})
            found = await self._ask("critic/problems", asked, ProblemsReply)
            if not found.problems:
                break
            better = {**place, "plan": plan.steps, "problems": found.problems}
            plan = await self._ask("critic/plan", PlanInputs.model_validate(better), PlanReply)
        note = self._prompts.render("notes/plan", PlanNoteInputs(steps=tuple(plan.steps))).text
        return Annotate(note=note, origin=self._trust(seen))

    async def after_step(self, trajectory: Trajectory, /) -> AfterStep | None:
        """The same plan beside the next step."""
        notes = (n for s in trajectory.steps for n in s.notes if n.author == self.name)
        plan = next(notes, None)
        return Annotate(note=plan.text, origin=plan.origin) if plan else None


class ReviewHook(_Asking):
    """Finds problems with each draft and sends it back with them, `rounds` times at most."""

    name = "review"

    async def before_action(self, situation: Situation, draft: Action, /) -> BeforeAction | None:
        """The problems as a note; None when there are none, or enough were found."""
        if said_by(situation, self.name) >= self.rounds:
            return None
        seen = situation.observation
        asked = ProblemsInputs(
            goal=situation.goal,
            observation=seen.text,
            actions=situation.actions,
            draft=draft.text,
        )
        found = await self._ask("critic/problems", asked, ProblemsReply)
        if not found.problems:
            return None
        inputs = ProblemsNoteInputs(problems=tuple(found.problems))
        note = self._prompts.render("notes/problems", inputs).text
        origins = [p.origin for s in situation.history for p in s.observation.parts if p.origin]
        # The agent that wrote the draft has read all that came before.
        return Revise(note=note, origin=Origin.minimum((self._trust(seen), *origins)))

"""The built-in agent: one request per step to a chat model, one action as JSON back.

Text actions only. Native tool calls come with the providers that have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from ..models import Message, Model, Request, ask_for, load_model
from ..models.structured import repaired
from ..prompts import Line, PromptLibrary, neutralise
from ..records import Action, GuidanceLine, Note, Previous, Record, Situation

SYSTEM, ACT = "actor/system", "actor/act"


class SystemInputs(Record):
    """What `actor/system` is rendered from."""

    role: str = ""
    stable: tuple[Line, ...] = ()


class HistoryStep(Record):
    """An earlier step of the episode as the prompt shows it."""

    n: int
    observation: str
    action: str
    feedback: str


class ActInputs(Record):
    """What `actor/act` is rendered from."""

    goal: str
    volatile: tuple[Line, ...] = ()
    texts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    history: tuple[HistoryStep, ...] = ()
    observation: str = ""
    actions: tuple[str, ...] | None = None
    previous: Previous | None = None


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {SYSTEM: SystemInputs, ACT: ActInputs}
"""For `PromptLibrary.check`."""


class Move(BaseModel):
    """What the model replies."""

    thought: str = Field(default="", description="One or two sentences on why.")
    action: str = Field(description="The next action; one of the listed ones, if there are any.")
    lessons_used: list[int] = Field(
        default_factory=list, description="Numbers of the lessons that made you choose it."
    )


class ChatAgent:
    """An agent made of a model and the prompts in `prompts/actor`.

    Args:
        model: A model or its name, such as `offline:apprentice`.
        role: Who the agent is, in a sentence; stands in the system text.
        prompts: A folder whose files take the place of the shipped prompts, or a library.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        role: str = "",
        prompts: PromptLibrary | Path | str | None = None,
    ) -> None:
        self.model = load_model(model)
        self.name = f"ChatAgent({self.model.name})"
        self.role = role
        if not isinstance(prompts, PromptLibrary):
            prompts = PromptLibrary(Path(prompts) if prompts is not None else None)
        prompts.check(PROMPT_INPUTS)
        self.prompts = prompts
        self._system = lru_cache(maxsize=64)(self._rendered_system)

    async def __call__(self, situation: Situation, /) -> Action:
        """The model's action; one that is not among the listed ones is asked for once more.

        Raises:
            ModelError: The call failed for good, or no reply could be used.
        """
        listed = {neutralise(a): a for a in situation.actions or ()}
        request = Request(
            messages=self.messages(situation), output_schema=move_schema(tuple(listed))
        )
        move, reply = await ask_for(self.model, request, Move)
        if listed and move.action.strip() not in listed:
            problem = f"{move.action!r} is not one of the listed actions; copy one of them exactly"
            again = repaired(request, reply.text, problem)
            move, reply = await ask_for(self.model, again, Move)
        known = {line.alias for line in situation.guidance.lines}
        return Action(
            # Still not listed: the environment decides what becomes of it.
            text=listed.get(move.action.strip(), move.action),
            thought=move.thought,
            lessons_used=tuple(n for n in dict.fromkeys(move.lessons_used) if n in known),
        )

    def messages(self, situation: Situation) -> tuple[Message, Message]:
        """The system and the user message for `situation`."""
        user = self.prompts.render(ACT, _act(situation))
        return self._system(situation.guidance.stable), Message(role="user", text=user.text)

    def _rendered_system(self, stable: tuple[GuidanceLine, ...]) -> Message:
        inputs = SystemInputs(role=self.role, stable=tuple(map(Line.of, stable)))
        return Message(role="system", text=self.prompts.render(SYSTEM, inputs).text)


def _act(situation: Situation) -> ActInputs:
    guidance, previous = situation.guidance, situation.previous
    # All parts are validated already; validating the history at every step would be quadratic.
    return ActInputs.model_construct(
        goal=situation.goal,
        volatile=tuple(map(Line.of, guidance.volatile)),
        texts=guidance.texts,
        # The note that sent a draft back is shown once, beside the draft.
        notes=tuple(n for n in situation.notes if not previous or n.text != previous.critique),
        history=tuple(
            HistoryStep.model_construct(
                n=s.n, observation=s.observation.text, action=s.action.text, feedback=s.feedback
            )
            for s in situation.history
        ),
        observation=situation.observation.text,
        actions=situation.actions,
        previous=previous,
    )


@lru_cache(maxsize=256)
def move_schema(actions: tuple[str, ...]) -> dict[str, JsonValue]:
    """The JSON schema of a move; its action is one of `actions`, if there are any."""
    schema: dict[str, Any] = Move.model_json_schema()
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    for inner in schema["properties"].values():
        inner.pop("default", None)
    if actions:
        schema["properties"]["action"]["enum"] = list(actions)
    return schema

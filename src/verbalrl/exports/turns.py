"""An episode as a conversation: what was seen as user messages, what was done as the answers.

Nothing that memory, a critic or a hook said is in it: a trainer is to learn the action from the
task's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from ..prompts import PromptLibrary
from ..records import Episode, Record, Step

TURN = "export/turn"
Message = dict[str, str]


class TurnInputs(Record):
    """What `export/turn` is rendered from."""

    goal: str = ""
    feedback: str = ""
    observation: str = ""
    actions: tuple[str, ...] = ()


PROMPT_INPUTS: Mapping[str, type[BaseModel]] = {TURN: TurnInputs}
"""For `PromptLibrary.check`."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of an episode, two for each step."""

    messages: tuple[Message, ...]

    def before(self, step: int) -> list[Message]:
        """All that came before the action of `step` (from 1), which answers the last of it."""
        return list(self.messages[: 2 * step - 1])

    def answer(self, step: int) -> list[Message]:
        """The action of `step`."""
        return [self.messages[2 * step - 1]]


def conversation(episode: Episode, goal: str, prompts: PromptLibrary) -> Conversation:
    """The conversation of `episode`; its first message holds `goal`."""
    messages: list[Message] = []
    before: Step | None = None
    for step in episode.trajectory.steps:
        inputs = TurnInputs(
            goal="" if before else goal,
            feedback=before.feedback if before else "",
            observation=step.observation.text,
            actions=step.observation.actions or (),
        )
        told = prompts.render(TURN, inputs).text.rstrip("\n")
        messages.append({"role": "user", "content": told})
        messages.append({"role": "assistant", "content": step.action.text})
        before = step
    return Conversation(tuple(messages))

"""Hooks without a model: an action of the wrong form is sent back, a loop is noted or stopped.

Each of them counts in what the agent is shown (history, notes), so that a resumed run, whose
journal holds earlier decisions, decides alike.
"""

from __future__ import annotations

import re
from typing import Literal

from ..errors import ConfigurationError
from ..prompts import PromptLibrary, library
from ..records import Action, Origin, Record, Situation
from .hooks import Accept, BeforeAction, Hook, Revise, Stop

Then = Literal["note", "stop"]


class RepeatedInputs(Record):
    """What `notes/repeated` is rendered from."""

    draft: str
    times: int


class FormInputs(Record):
    """What `notes/form` is rendered from."""

    draft: str
    listed: bool
    pattern: str = ""


class GroundInputs(Record):
    """What `notes/ground` is rendered from."""

    draft: str


def said_by(situation: Situation, author: str) -> int:
    """How many notes of `author` stand beside the present step."""
    return sum(note.author == author for note in situation.notes)


def times_before(situation: Situation, draft: Action) -> int:
    """How often `draft` was done in this episode where the same was seen as now."""
    seen, done = situation.observation.text, draft.text.strip()
    return sum(
        step.observation.text == seen and step.action.text.strip() == done
        for step in situation.history
    )


class LoopGuard(Hook):
    """Notes or stops an action that was done `repeats` times already where the same was seen.

    Shinn et al. 2023, section 4.1: more than three cycles of the same action and the same response
    end an attempt. Cycles of several steps count too, since what is seen is compared.
    """

    name = "loop guard"

    def __init__(
        self, repeats: int = 3, then: Then = "stop", prompts: PromptLibrary | None = None
    ) -> None:
        if repeats < 1 or then not in ("note", "stop"):
            raise ConfigurationError(
                f"LoopGuard: repeats={repeats!r}, then={then!r}; give at least 1, note or stop"
            )
        self.repeats, self.then = repeats, then
        self._prompts = prompts or library()

    async def before_action(self, situation: Situation, draft: Action, /) -> BeforeAction | None:
        """Stop, or say so once per step; an action that is insisted on passes."""
        times = times_before(situation, draft)
        if times < self.repeats or said_by(situation, self.name):
            return None
        if self.then == "stop":
            return Stop(reason=f"{draft.text!r} was done {times} times where the same was seen")
        inputs = RepeatedInputs(draft=draft.text, times=times)
        note = self._prompts.render("notes/repeated", inputs).text
        return Revise(note=note, origin=Origin.TASK)


class FormGuard(Hook):
    """Sends back an action that is not listed or does not match `pattern`; then ends the episode.

    The implicit RCI of Kim et al. 2023 (arXiv 2303.17491): the action is asked for again at most
    `limit` times, and an episode that is still wrong fails.
    """

    name = "form"

    def __init__(
        self, limit: int = 1, pattern: str = "", prompts: PromptLibrary | None = None
    ) -> None:
        try:
            self._pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            raise ConfigurationError(f"FormGuard: pattern={pattern!r}: {error}") from error
        self.limit, self.pattern = limit, pattern
        self._prompts = prompts or library()

    async def before_action(self, situation: Situation, draft: Action, /) -> BeforeAction | None:
        """Accept, send back, or end the episode."""
        if self._fits(situation, draft):
            return Accept()
        if said_by(situation, self.name) >= self.limit:
            return Stop(reason=f"{draft.text!r} does not have the form of an action")
        inputs = FormInputs(draft=draft.text, listed=bool(situation.actions), pattern=self.pattern)
        # The draft is quoted, and who wrote it read whatever was shown.
        return Revise(note=self._prompts.render("notes/form", inputs).text, origin=Origin.TASK)

    def _fits(self, situation: Situation, draft: Action) -> bool:
        if situation.tools or draft.parts:
            return True
        if situation.actions:
            return draft.text.strip() in situation.actions
        return self._pattern is None or self._pattern.fullmatch(draft.text.strip()) is not None


class GroundGuard(Hook):
    """Has every action looked at once more against what is seen, without a critique of it.

    The state grounding of Kim et al. 2023.
    """

    name = "ground"

    def __init__(self, prompts: PromptLibrary | None = None) -> None:
        self._prompts = prompts or library()

    async def before_action(self, situation: Situation, draft: Action, /) -> BeforeAction | None:
        """Send back each step's first draft."""
        if said_by(situation, self.name):
            return None
        note = self._prompts.render("notes/ground", GroundInputs(draft=draft.text)).text
        return Revise(note=note, origin=Origin.TASK)

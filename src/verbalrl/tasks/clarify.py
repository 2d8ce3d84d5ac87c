"""`clarify`: ask or act, with a scripted customer who has patience for one needed question.

A booking request is a few plain sentences. One phrase in it is vague, and something has to be asked
before the booking is made, or it leaves nothing open. Phrases, questions and sentences stand in
`requests.toml` of the task folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import Field, JsonValue

from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import dealt, pick, sample, shuffled
from .tables import read_table, sentence

VERSION = "clarify-v1"
ACT = "go ahead"
GOAL = (
    "Make the booking that is meant. Ask first where something is left open; needless questions "
    "cost patience."
)
TURN, NEEDED, REDUNDANT, GUESS = 0.1, 0.3, 0.5, 0.5
"""What a turn costs, what a needed question earns, what a needless one and a blind booking cost."""


class Asked(Record):
    """Vague phrases, the question that they call for, and what is answered to it."""

    action: str = Field(min_length=1)
    phrases: tuple[str, ...] = Field(min_length=1)
    answers: tuple[str, ...] = Field(min_length=1)


class Clear(Record):
    """Phrases that leave nothing open."""

    phrases: tuple[str, ...] = Field(min_length=1)


class Sentences(Record):
    """The sentences of one split; braces name a filling."""

    openings: tuple[str, ...] = Field(min_length=1)
    cues: tuple[str, ...] = Field(min_length=1)
    details: tuple[str, ...] = Field(min_length=2)


class Requests(Record):
    """The contents of `requests.toml`."""

    asked: tuple[Asked, ...] = Field(min_length=2)
    clear: Clear
    fill: dict[str, tuple[str, ...]]
    train: Sentences
    test: Sentences


class Cell(NamedTuple):
    """One phrase, and the place in `asked` of what it leaves open; None: nothing."""

    cue: str
    asked: int | None


class Clarify(Record):
    """All requests of one `requests.toml`."""

    requests: Requests
    task_seed: int = 0

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Clarify:
        """The world of a task folder, with the phrases of its `requests.toml`."""
        requests = read_table(folder / "requests.toml", Requests)
        return cls.model_validate({**args, "requests": requests, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """A question, a booking, and one slip."""
        return 3

    @property
    def actions(self) -> tuple[str, ...]:
        """All questions, and to go ahead."""
        return (*(asked.action for asked in self.requests.asked), ACT)

    def cells(self) -> tuple[Cell, ...]:
        """Each phrase once."""
        vague = [
            Cell(phrase, number)
            for number, asked in enumerate(self.requests.asked)
            for phrase in asked.phrases
        ]
        return (*vague, *(Cell(phrase, None) for phrase in self.requests.clear.phrases))

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Request number `index`: as many in a row as there are phrases hold each phrase once."""
        cell = dealt(self.cells(), index, VERSION, self.task_seed, split, "block")
        key = (VERSION, self.task_seed, split, index)
        answer = ""
        if cell.asked is not None:
            answer = pick(self.requests.asked[cell.asked].answers, *key, "answer")
        data: dict[str, JsonValue] = {
            "text": self._text(split, index, cell.cue),
            "asked": cell.asked,
            "answer": answer,
        }
        return Problem(GOAL, data)

    def environment(self, instance: Instance, /) -> Environment:
        """One request, and the customer behind it."""
        asked = instance.data["asked"]
        needed = self.requests.asked[asked].action if isinstance(asked, int) else ""
        data = instance.data
        return ClarifyEnvironment(self.actions, str(data["text"]), needed, str(data["answer"]))

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows what is open."""
        asked = instance.data["asked"]
        path = [self.requests.asked[asked].action, ACT] if isinstance(asked, int) else [ACT]
        return follow(*path)

    def _text(self, split: Split, index: int, cue: str) -> str:
        key = (VERSION, self.task_seed, split, index)
        found = self.requests.train if split == "train" else self.requests.test
        fill = {name: pick(words, *key, name) for name, words in self.requests.fill.items()}
        fill |= {"cue": cue}
        body = (pick(found.cues, *key, "cue"), *sample(found.details, 2, *key, "details"))
        sentences = (pick(found.openings, *key, "opening"), *shuffled(body, *key, "order"))
        return " ".join(sentence(part, fill) for part in sentences)


class ClarifyEnvironment:
    """One request; nothing here depends on chance."""

    def __init__(self, actions: tuple[str, ...], text: str, needed: str, answer: str) -> None:
        self._actions = {normalised(action): action for action in actions}
        self._listed = actions
        self._text = text
        self._needed = needed
        self._answer = answer
        self._turns = 0
        self._asked = False

    def reset(self, seed: int, /) -> Observation:
        """Show the request."""
        self._turns, self._asked = 0, False
        return Observation(text=self._text, actions=self._listed)

    def step(self, action: Action, /) -> StepResult:
        """Hear the answer to a question, or how the booking went."""
        self._turns += 1
        taken = self._actions.get(normalised(action.text))
        is_open = bool(self._needed) and not self._asked
        if taken == ACT:
            return self._booked(is_open)
        if taken is not None and is_open and taken == self._needed:
            self._asked = True
            shown = Observation(text=f"The customer answers: {self._answer}.", actions=self._listed)
            return StepResult(observation=shown, feedback="The customer answered.", success=False)
        said = "That was no possible action" if taken is None else "That was a needless question"
        return self._over(
            f"Wrong: {said}, and the customer lost patience.", {"redundant": -REDUNDANT}
        )

    def _booked(self, is_open: bool) -> StepResult:
        if is_open:
            said = "Wrong: the booking was not what the customer meant; something was left open."
            return self._over(said, {"guess": -GUESS})
        return self._over("Correct: the booking is what the customer meant.", {"success": 1.0})

    def _over(self, feedback: str, components: dict[str, float]) -> StepResult:
        found = {**components, "turns": -TURN * self._turns}
        if self._asked:
            found["needed"] = NEEDED
        return StepResult(
            observation=Observation(text="The conversation is over.", actions=()),
            feedback=feedback,
            reward=round(sum(found.values()), 6),
            components=found,
            terminated=True,
            success="success" in components,
        )

"""What one prompt got from memory, and what it did not get."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ._base import Record
from .lesson import LessonKind

Block = Literal["stable", "volatile"]
Outcome = Literal["injected", "withheld", "condition", "budget", "cap", "trust"]


class Use(Record):
    """One lesson that was considered for one prompt."""

    lesson: str
    version: int
    content: str
    """The content hash of that version."""
    rank: int
    """From 1, over all lessons considered."""
    outcome: Outcome
    block: Block | None = None
    """None when it was left out."""
    probability: float = 1.0
    """The probability with which it was to be injected."""
    tokens: int = 0
    parts: dict[str, float] = {}
    """The parts of its score."""
    step: int = 0
    """The step it was selected for; 0 when selection is pinned per episode."""
    role: str = "actor"


class GuidanceLine(Record):
    """One lesson as a prompt shows it."""

    alias: int
    """The number that the model sees, from 1 over both blocks."""
    lesson: str
    """The id; never shown to a model."""
    when: str = ""
    when_not: str = ""
    instruction: str = ""
    name: str = ""


class Guidance(Record):
    """What one prompt got: falsy when it got nothing."""

    stable: tuple[GuidanceLine, ...] = ()
    """General active lessons of the pinned revision; they stand at the end of the system text."""
    volatile: tuple[GuidanceLine, ...] = ()
    """What was chosen for this instance; stands in the user message."""
    texts: tuple[str, ...] = ()
    """Texts that a method gives word for word."""
    text: str = ""
    """All of the above rendered, for agents that write their own prompts."""
    uses: tuple[Use, ...] = ()
    """What was considered; of what was left out, the 50 best and all that a coin was tossed for."""
    left_out: int = 0
    """How many lessons were left out in all."""
    tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.stable or self.volatile or self.texts)

    def __str__(self) -> str:
        return self.text

    @property
    def lines(self) -> tuple[GuidanceLine, ...]:
        """Stable lines, then volatile ones."""
        return self.stable + self.volatile


class GuidanceSpec(Record):
    """Where the guidance of one role comes from."""

    source: Literal["recall", "none", "text", "lessons", "instance"] = "none"
    """`recall`: by condition, budget and rank; `lessons`: exactly those ids; `instance`: what
    another instance got at a trial; `text`: word for word."""
    scopes: tuple[str, ...] = ()
    kinds: tuple[LessonKind, ...] = ()
    """Empty: all kinds."""
    audience: str | None = None
    """None: all lessons; else only those that are meant for this role."""
    retrieval: Literal["all", "topic", "nearest"] = "all"
    """Of shared lessons: all, those that stem from instances of the same topic, or the nearest."""
    most: int = Field(default=40, ge=1)
    """So many of them, where the nearest are asked for."""
    window: int | None = None
    """Of reflections, only those of the newest `window` critiques."""
    text: str = ""
    beside: str = ""
    """A text given beside what the source gives, word for word; `budget` does not bind it."""
    lessons: tuple[str, ...] = ()
    instance: str = ""
    """Whose guidance or attempts: empty for one's own."""
    trial: int = 0
    attempts: tuple[int, ...] = ()
    """Trials whose attempts are shown word for word, beside what the source gives."""
    memos: tuple[int, ...] = ()
    """Trials, oldest first, from whose memos those of a team that recalls memos go on."""
    examples: int = Field(default=0, ge=0)
    """So many attempts of closed learning rounds of this arm and seed are shown word for word: of
    each instance one, those of the nearest tasks."""
    examples_of: Literal["success", "failure"] = "success"
    examples_budget: int = Field(default=1500, ge=0)
    """Tokens of all that is shown word for word, beside `budget`."""
    mispaired: bool = False
    """Shared lessons keep their conditions and get each other's instructions; examples are those of
    any tasks, not of the nearest."""
    force_in: tuple[str, ...] = ()
    force_out: tuple[str, ...] = ()
    budget: int = 1500
    """Tokens."""
    chance: float = Field(default=1.0, gt=0, le=1)
    """With which a shared lesson on trial is injected, by a coin of its own, so that its effect can
    be measured; reflections know no coin."""
    recall: Literal["episode", "step"] = "episode"
    condition: Literal["words", "model"] = "words"
    """Who says whether a conditional lesson applies; where a model does not answer, words do."""

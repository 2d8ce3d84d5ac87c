"""`wordle`: a hidden five-letter word, six guesses, marks for each letter.

The word of an instance stays the same in every trial. Duplicate letters are marked as in the board
game: greens first, then a letter is yellow as often as the word still holds it.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from ..errors import DataError
from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import pick, sample, shuffled

VERSION = "wordle-v1"
GREEN, YELLOW, GRAY = "green", "yellow", "gray"
GUESSES = 6
_GOAL = (
    "Find the hidden word of five letters in at most six guesses. After each guess its letters are "
    "marked: green stands in the right place, yellow occurs elsewhere, gray does not occur again."
)
_SHOWN = "The board waits for a word of five letters."
_OVER = Observation(text="The game is over.", actions=())


def marks(hidden: str, guess: str) -> tuple[str, ...]:
    """One mark for each letter of `guess`, duplicates counted."""
    left = Counter(h for h, g in zip(hidden, guess, strict=True) if h != g)
    found = []
    for right, letter in zip(hidden, guess, strict=True):
        if right == letter:
            found.append(GREEN)
        elif left[letter]:
            left[letter] -= 1
            found.append(YELLOW)
        else:
            found.append(GRAY)
    return tuple(found)


@lru_cache(maxsize=4096)
def best_guess(words: tuple[str, ...], open_words: tuple[str, ...]) -> str:
    """The word whose marks tell most about which of `open_words` is hidden.

    Of equal ones a word that may itself be the hidden one, then the first.
    """
    if len(open_words) <= 2:
        return open_words[0]
    candidates = frozenset(open_words)
    return max(words, key=lambda w: (_told(w, open_words), w in candidates))


def _told(guess: str, open_words: Sequence[str]) -> float:
    """The expected information of a guess, in bits."""
    sizes = Counter(marks(hidden, guess) for hidden in open_words).values()
    return round(-math.fsum(n / len(open_words) * math.log2(n / len(open_words)) for n in sizes), 9)


class Wordle(Record):
    """All hidden words of one list; `listed` of them are offered as actions, or all with 0."""

    task_seed: int = 0
    words: tuple[str, ...] = Field(min_length=12)
    listed: int = Field(default=36, ge=0)

    @model_validator(mode="after")
    def _plain_words(self) -> Self:
        for word in self.words:
            if len(word) != 5 or not (word.isascii() and word.isalpha() and word.islower()):
                raise ValueError(f"{word!r} is not a word of five small letters")
        if len(set(self.words)) < len(self.words):
            raise ValueError("a word stands twice in the list")
        if self.listed > len(self.words) or 0 < self.listed < 2:
            raise ValueError(f"listed is {self.listed}; the list has {len(self.words)} words")
        return self

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Wordle:
        """The world of a task folder, with the words of its `words.toml`."""
        path = folder / "words.toml"
        try:
            words = str(tomllib.loads(path.read_text("utf-8"))["words"]).split()
            return cls.model_validate({**args, "words": words, "task_seed": task_seed})
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from error
        except ValidationError:
            raise
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: {error}") from error

    @property
    def max_steps(self) -> int:
        """One step for each guess."""
        return GUESSES

    def size(self, split: Split, /) -> int | None:
        """Without end: another word, another list of actions."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Hidden word number `index`."""
        key = (VERSION, self.task_seed, split, index)
        hidden = pick(self.words, *key, "word")
        others = [word for word in self.words if word != hidden]
        count = (self.listed or len(self.words)) - 1
        listed = shuffled((hidden, *sample(others, count, *key, "others")), *key, "order")
        data: dict[str, JsonValue] = {"word": hidden, "listed": list(listed)}
        return Problem(_GOAL, data, (hidden,) if self.listed == 0 else ())

    def environment(self, instance: Instance, /) -> Environment:
        """One game."""
        return WordleEnvironment(str(instance.data["word"]), _listed(instance), self.listed > 0)

    def oracle(self, instance: Instance, /) -> Policy:
        """Guesses what tells most among the words that are still possible."""
        path = solution(str(instance.data["word"]), tuple(sorted(_listed(instance))))
        return follow(*path)


@lru_cache(maxsize=1024)
def solution(hidden: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The guesses of a player who knows the list, chooses by what they tell, and finds `hidden`."""
    path: list[str] = []
    left = words
    while not path or path[-1] != hidden:
        guess = best_guess(words, left)
        path.append(guess)
        seen = marks(hidden, guess)
        left = tuple(word for word in left if word != guess and marks(word, guess) == seen)
    return tuple(path)


class WordleEnvironment:
    """One game; nothing here depends on chance."""

    def __init__(self, word: str, listed: tuple[str, ...], shown: bool) -> None:
        self._word = word
        self._listed = frozenset(listed)
        self._observation = Observation(text=_SHOWN, actions=listed if shown else None)
        self._guesses = 0

    def reset(self, seed: int, /) -> Observation:
        """An empty board."""
        self._guesses = 0
        return self._observation

    def step(self, action: Action, /) -> StepResult:
        """Mark a guess; what is no word of the list uses one up too."""
        guess = normalised(action.text)
        self._guesses += 1
        if guess == self._word:
            return self._result("Correct: that is the hidden word, a success.", True)
        if guess not in self._listed:
            return self._result("Wrong: that is not in the list of words, and the guess is lost.")
        told = ", ".join(
            f"{letter.upper()} {mark}"
            for letter, mark in zip(guess, marks(self._word, guess), strict=True)
        )
        return self._result(f"Wrong: {guess} is marked {told}.")

    def _result(self, feedback: str, success: bool = False) -> StepResult:
        over = success or self._guesses >= GUESSES
        if over and not success:
            feedback += " It was the last guess, and the game is lost."
        return StepResult(
            observation=_OVER if over else self._observation,
            feedback=feedback,
            reward=0.0 if success else -1.0,
            terminated=over,
            success=success,
        )


def _listed(instance: Instance) -> tuple[str, ...]:
    listed = instance.data["listed"]
    return tuple(map(str, listed)) if isinstance(listed, list) else ()

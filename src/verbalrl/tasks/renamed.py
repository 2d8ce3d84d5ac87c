"""A task with its words replaced by made-up ones: whoever still learns it knows no words.

The renaming is one-to-one and the same everywhere in the task: goals, observations, actions and
feedback. Digits stay, so do function words and whatever the caller keeps.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..ids import sha256_json
from ..records import (
    Action,
    Instance,
    MediaPart,
    Observation,
    Origin,
    Part,
    RewardSupplier,
    Situation,
    Split,
    StepResult,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .base import Environment, Learns, Policy, Task

_FUNCTION_TEXT = (
    "a about above after again all also am an and any are as at be been before below between both "
    "but by can could did do does doing down during each few for from further had has have having "
    "he her here hers him his how i if in into is it its just me more most my no nor not now of "
    "off on once only or other our out over own same she should so some such than that the their "
    "them then there these they this those through to too under until up very was we were what "
    "when where which while who whom why will with would you your s t don"
)
FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())
"""Words that carry grammar rather than content; they stay unless the caller passes other ones."""

_WORD = re.compile(r"[^\W\d_]+")
# No "e": a final e falls to light stemmers, which would make two words one.
_SYLLABLES = tuple(c + v for c in "bdfghjklmnprstvwz" for v in "aiou")
_LENGTH = 4


class Renaming:
    """A one-to-one map from words to made-up, pronounceable words."""

    def __init__(self, keep: frozenset[str], seed: int) -> None:
        self._keep = frozenset(word.casefold() for word in keep)
        self._seed = seed
        self._back: dict[str, str] = {}

    def text(self, text: str) -> str:
        """`text` with its content words replaced; capitals stay where they were."""
        return _WORD.sub(lambda found: _like(found[0], self._word(found[0].casefold())), text)

    def back(self, text: str) -> str:
        """`text` with made-up words replaced by what they stand for, where that is known."""
        return _WORD.sub(
            lambda found: _like(found[0], self._back.get(found[0].casefold(), found[0])), text
        )

    def _word(self, word: str) -> str:
        if word in self._keep:
            return word
        digest = hashlib.sha256(f"{self._seed} {word}".encode()).digest()
        made = "".join(
            _SYLLABLES[int.from_bytes(digest[2 * n : 2 * n + 2], "big") % len(_SYLLABLES)]
            for n in range(_LENGTH)
        )
        if self._back.setdefault(made, word) != word or made in self._keep:
            raise ConfigurationError(
                f"renaming: {word!r} and {self._back[made]!r} get the same name; take another seed"
            )
        return made


@dataclass(frozen=True)
class RenamedTask:
    """`task` under a renaming: same instances, same rules, other words.

    `keep` are words that stay, for example those by which feedback is told to be good or bad;
    `stop` are the function words, which stay too. Hidden data stays as it is.
    """

    task: Task
    keep: frozenset[str] = frozenset()
    seed: int = 0
    stop: frozenset[str] = FUNCTION_WORDS
    renaming: Renaming = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "renaming", Renaming(self.keep | self.stop, self.seed))

    @property
    def id(self) -> str:
        """The id of `task`, marked."""
        return f"{self.task.id}~renamed{self.seed}"

    @property
    def summary(self) -> str:
        """The summary of `task`, marked."""
        return f"{self.task.summary} (with its words renamed)"

    @property
    def learns(self) -> Learns:
        """As `task`."""
        return self.task.learns

    @property
    def observations(self) -> Origin:
        """As `task`."""
        return self.task.observations

    @property
    def max_steps(self) -> int:
        """As `task`."""
        return self.task.max_steps

    @property
    def inline(self) -> bool:
        """As `task`."""
        return self.task.inline

    @property
    def sha(self) -> str:
        """A hash of all that decides how the task behaves."""
        return sha256_json([self.task.sha, self.seed, sorted(self.keep | self.stop)])

    @property
    def reward_supplier(self) -> RewardSupplier:
        """As `task`."""
        return self.task.reward_supplier

    @property
    def default_train(self) -> int:
        """As `task`."""
        return self.task.default_train

    @property
    def default_instances(self) -> int:
        """As `task`."""
        return self.task.default_instances

    def size(self, split: Split, /) -> int | None:
        """As `task`."""
        return self.task.size(split)

    def instances(
        self, split: Split, start: int = 0, stop: int | None = None, /
    ) -> tuple[Instance, ...]:
        """The instances of `task` under their own ids, so that seeds and draws are the same."""
        return tuple(
            instance.replace(
                goal=self.renaming.text(instance.goal),
                answers=tuple(self.renaming.text(answer) for answer in instance.answers),
            )
            for instance in self.task.instances(split, start, stop)
        )

    def environment(self, instance: Instance, /) -> Environment:
        """The environment of `task`, seen through the renaming."""
        return RenamedEnvironment(self.task.environment(self._original(instance)), self.renaming)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """The oracle of `task`, in the new words; it must not read what it is shown."""
        offered = getattr(self.task, "oracle", None)
        inner: Policy | None = None if offered is None else offered(self._original(instance))
        if inner is None:
            return None

        def act(situation: Situation) -> Action:
            return Action(text=self.renaming.text(inner(situation).text))

        return act

    def _original(self, instance: Instance) -> Instance:
        return instance.replace(
            goal=self.renaming.back(instance.goal),
            answers=tuple(self.renaming.back(answer) for answer in instance.answers),
        )


class RenamedEnvironment:
    """An environment whose every text passes through a renaming."""

    def __init__(self, inner: Environment, renaming: Renaming) -> None:
        self._inner = inner
        self._renaming = renaming
        self._listed: dict[str, str] = {}
        if callable(getattr(inner, "preview", None)) and callable(getattr(inner, "left", None)):
            # Whether a team can play is asked by whether these are there.
            self.preview, self.left = self._preview, self._left
            self.roles: tuple[str, ...] = tuple(getattr(inner, "roles", ()))

    def _preview(self, role: str, step: int) -> Observation:
        preview: Callable[[str, int], Observation] = getattr(self._inner, "preview")  # noqa: B009
        return self._renamed(preview(role, step))

    def _left(self, roles: Sequence[str]) -> Observation:
        left: Callable[[Sequence[str]], Observation] = getattr(self._inner, "left")  # noqa: B009
        return self._observation(left(roles))

    def reset(self, seed: int, /) -> Observation:
        """As the inner one."""
        return self._observation(self._inner.reset(seed))

    def step(self, action: Action, /) -> StepResult:
        """As the inner one, with the action in its own words."""
        result = self._inner.step(self._action(action))
        return result.replace(
            observation=self._observation(result.observation),
            feedback=self._renaming.text(result.feedback),
        )

    def execute(self, action: Action, /) -> str:
        """As the inner one, where it offers that."""
        inner = getattr(self._inner, "execute", None)
        if inner is None:
            return ""
        seen: str = inner(self._action(action))
        return type(seen)(self._renaming.text(seen))

    def close(self) -> None:
        """Close the inner one, where it offers that."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()

    def _action(self, action: Action) -> Action:
        text = self._listed.get(action.text) or self._renaming.back(action.text)
        return action.replace(text=text, parts=())

    def _observation(self, observation: Observation) -> Observation:
        actions = observation.actions
        if actions is not None:
            self._listed = {self._renaming.text(action): action for action in actions}
            actions = tuple(self._listed)
        return self._renamed(observation).replace(actions=actions)

    def _renamed(self, observation: Observation) -> Observation:
        # Parts say whose their words are: without them untrusted ones would pass for the task's.
        parts = tuple(map(self._part, observation.parts))
        return Observation(text=self._renaming.text(observation.text), parts=parts)

    def _part(self, part: Part) -> Part:
        match part:
            case TextPart() | ToolResultPart():
                return part.replace(text=self._renaming.text(part.text))
            case ToolCallPart():
                return part.replace(arguments=self._renaming.text(part.arguments))
            case MediaPart():
                return part


def _like(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[:1].isupper() else word

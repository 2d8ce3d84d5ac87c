"""Hints by bandit: which hint, if any, stands beside an instance is chosen by what hints earned.

After Directional Stimulus Prompting (Li et al. 2023, arXiv 2302.11520): a hint for the instance at
hand in the prompt of a model that is not changed. There a small policy is trained; here hints are
options, and UCB1 (Auer et al. 2002) chooses among them. Its statistics are a pure function of the
options and outcomes of closed rounds, so that a resumed run chooses alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator

from ..records import (
    Batch,
    ClosedRound,
    Done,
    FreezeMemory,
    GuidanceSpec,
    InstanceView,
    OpenRound,
    SharedView,
)
from . import plans
from .base import WITHOUT_MEMORY, Learns, MethodSettings

Option = Literal["none", "example", "lessons"]
NONE: Option = "none"
EXAMPLE: Option = "example"
LESSONS: Option = "lessons"
PROMPT = "prompt:"


class Arm(NamedTuple):
    """What one option has shown."""

    uses: int
    successes: int

    @property
    def mean(self) -> float:
        """The share of uses that succeeded; 0 without any."""
        return self.successes / self.uses if self.uses else 0.0


class Hint(MethodSettings):
    """Rounds over the train split with options by UCB1; the test split gets the best one."""

    name: Literal["hint"] = "hint"
    learns: Learns = "shared"
    controls: ClassVar[tuple[str, ...]] = WITHOUT_MEMORY
    options: tuple[Option, ...] = (NONE, EXAMPLE)
    """`example`: the success at the nearest task; `lessons`: those that the run starts with."""
    prompts: tuple[str, ...] = ()
    """Further options: texts that stand in the prompt word for word."""
    round_size: int = Field(default=8, ge=1)
    """Instances whose options are chosen by the same statistics."""
    explore: float = Field(default=1.0, ge=0)
    """Factor of the bonus for options that were used little; 1 is UCB1, 0 is greedy."""
    budget: int = Field(default=1500, ge=0)

    @field_validator("options")
    @classmethod
    def _distinct(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(given)) != len(given):
            raise ValueError("an option is named twice")
        return given

    @property
    def names(self) -> tuple[str, ...]:
        """All options by name, `prompt:1` for the first of `prompts`; without any, no hint."""
        texts = (f"{PROMPT}{n}" for n in range(1, len(self.prompts) + 1))
        return (*self.options, *texts) or (NONE,)

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """One attempt per round, with the option that the round has for the instance."""
        if any(e.spec.round == view.number for e in view.attempts):
            return Done(reason="round")
        chosen = self.guidance(view.round.options.get(view.instance.id, NONE), view.scope)
        given = {} if chosen is None else {"actor": chosen}
        return plans.attempt(view, view.round.trial, given, self.max_steps)

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Rounds over the train split, each instance once a pass; then the test split."""
        if any(r.opened.evaluate for r in view.rounds):
            return Done(reason="evaluated")
        arms = statistics(self.names, view.rounds)
        if self.learn and (opened := self._next(view, arms)):
            return opened
        if not any(d.kind == "freeze" for d in view.decisions):
            return Batch(work=(FreezeMemory(split="test"),))
        read = plans.one_more(view, "test")
        if isinstance(read, Done):
            return read
        best = max(arms, key=lambda name: arms[name].mean)
        return read.replace(options=dict.fromkeys(read.instances, best))

    def guidance(self, option: str, scope: str) -> GuidanceSpec | None:
        """What an option puts into the prompt."""
        if option.startswith(PROMPT):
            text = self.prompts[int(option.removeprefix(PROMPT)) - 1]
            return GuidanceSpec(source="text", text=text, budget=self.budget)
        if option == EXAMPLE:
            return GuidanceSpec(examples=1, examples_budget=self.budget)
        if option == LESSONS:
            return GuidanceSpec(source="recall", scopes=(scope,), budget=self.budget)
        return None

    def _next(self, view: SharedView, arms: dict[str, Arm]) -> OpenRound | None:
        """The next instances of a pass, solved ones too: a hint must be able to do harm."""
        done = sum(len(r.opened.instances) for r in view.rounds)
        pass_, at = divmod(done, max(1, len(view.train)))
        if pass_ >= self.trials or not view.train:
            return None
        instances = view.train[at : at + self.round_size]
        chosen = dict(zip(instances, choose(arms, len(instances), self.explore), strict=True))
        return OpenRound(instances=instances, split="train", trial=pass_ + 1, options=chosen)


def statistics(names: Iterable[str], rounds: Sequence[ClosedRound]) -> dict[str, Arm]:
    """What each option has shown in closed rounds that learn; unknown outcomes do not count."""
    arms = {name: Arm(0, 0) for name in names}
    for closed in rounds:
        if closed.opened.evaluate:
            continue
        for e in closed.episodes:
            option = closed.opened.options.get(e.instance, "")
            if e.purpose == "attempt" and e.success is not None and option in arms:
                uses, successes = arms[option]
                arms[option] = Arm(uses + 1, successes + e.success)
    return arms


def choose(arms: dict[str, Arm], count: int, explore: float) -> tuple[str, ...]:
    """The next `count` options: each by UCB1, those before it counted as uses without an outcome.

    Options without a use come first; ties go to the earlier one.
    """
    uses = {name: arm.uses for name, arm in arms.items()}

    def index(name: str) -> float:
        if not uses[name]:
            return math.inf
        bonus = math.sqrt(2 * math.log(sum(uses.values())) / uses[name])
        return arms[name].mean + explore * bonus

    chosen = []
    for _ in range(count):
        best = max(uses, key=index)
        uses[best] += 1
        chosen.append(best)
    return tuple(chosen)


def hint(
    *,
    trials: int = 2,
    options: tuple[Option, ...] = (NONE, EXAMPLE),
    prompts: tuple[str, ...] = (),
    round_size: int = 8,
) -> Hint:
    """UCB1 among `options` and `prompts`, over `trials` passes of the train split."""
    return Hint(trials=trials, options=options, prompts=prompts, round_size=round_size)

"""Hints by bandit: which hint, if any, stands beside an instance is chosen by what hints earned.

After Directional Stimulus Prompting (Li et al. 2023, arXiv 2302.11520): a hint for the instance at
hand in the prompt of a model that is not changed. There a small policy is trained; here hints are
options, and UCB1 (Auer et al. 2002) chooses among them. Its statistics are a pure function of the
options and outcomes of closed rounds, so that a resumed run chooses alike.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ..records import Batch, Done, GuidanceSpec, InstanceView, OpenRound, SharedView
from . import plans
from .bandit import Arm, choose, statistics
from .base import WITHOUT_MEMORY, Learns, MethodSettings

Option = Literal["none", "example", "lessons"]
NONE: Option = "none"
EXAMPLE: Option = "example"
LESSONS: Option = "lessons"
PROMPT = "prompt:"


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
        option = view.round.options.get(view.instance.id, NONE)
        return plans.once(view, self.guidance(option, view.scope), self.max_steps)

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """Rounds over the train split, each instance once a pass; then the test split."""
        arms = statistics(self.names, view.rounds)
        if self.learn and (opened := self._next(view, arms)):
            return opened
        read = plans.read(view)
        if not isinstance(read, OpenRound):
            return read
        best = max(arms, key=lambda name: arms[name].mean)
        return read.replace(options=dict.fromkeys(read.instances, best))

    def guidance(self, option: str, scope: str) -> dict[str, GuidanceSpec]:
        """What an option puts into the prompt of the actor."""
        if option.startswith(PROMPT):
            text = self.prompts[int(option.removeprefix(PROMPT)) - 1]
            return {"actor": GuidanceSpec(source="text", text=text, budget=self.budget)}
        if option == EXAMPLE:
            return {"actor": GuidanceSpec(examples=1, examples_budget=self.budget)}
        return plans.recall(scope, self.budget) if option == LESSONS else {}

    def _next(self, view: SharedView, arms: dict[str, Arm]) -> OpenRound | None:
        """The next instances of a pass, solved ones too: a hint must be able to do harm."""
        done = sum(len(r.opened.instances) for r in view.rounds)
        pass_, at = divmod(done, max(1, len(view.train)))
        if pass_ >= self.trials or not view.train:
            return None
        instances = view.train[at : at + self.round_size]
        chosen = dict(zip(instances, choose(arms, len(instances), self.explore), strict=True))
        return OpenRound(instances=instances, split="train", trial=pass_ + 1, options=chosen)


def hint(
    *,
    trials: int = 3,
    options: tuple[Option, ...] = (NONE, EXAMPLE),
    prompts: tuple[str, ...] = (),
    round_size: int = 8,
) -> Hint:
    """UCB1 among `options` and `prompts`, over `trials` passes of the train split."""
    return Hint(trials=trials, options=options, prompts=prompts, round_size=round_size)

"""What a method is: a frozen object whose pure functions turn views into plans (design section 10).

A method never runs anything. `plan` speaks for one instance, `plan_shared` for the stream that all
instances of one arm and seed share. Equal views must give equal plans; `check_method` tests that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from ..records import (
    Batch,
    Commit,
    CurateLessons,
    Done,
    Episode,
    HookSpec,
    InstanceView,
    Lesson,
    Objection,
    OpenRound,
    Settings,
    SharedView,
)
from ..result.marks import MEANINGS

MAX_TRIALS = 1000

Learns = Literal["instance", "shared"]
"""Where a method is read: on the instances that it learns on, or on a split kept apart.

A shared method may keep reflections of single instances too; a task may teach both kinds.
"""

Requirement = Literal["aligned", "answers", "execute", "model"]
"""What a method cannot do without, checked before the first call: enough decisions of one attempt
that have a partner in the next one, instances that hold reference answers, environments that
execute candidates, a model among agent, critic and curator."""

Selector = Callable[[tuple[Episode, ...]], str]
"""Candidates in their order → the id of the chosen one. Rewards are blanked without supervision."""

CommitCheck = Callable[[Commit, tuple[Lesson, ...], CurateLessons], Objection | None]
"""A proposed commit, the lessons it was made against, and the work that asked for it → why it is
refused, and what is left of it where it is refused twice; None where it may stand."""


@runtime_checkable
class Method(Protocol):
    """A plan. Frozen; all settings are fields, so that a run can be described and resumed."""

    @property
    def name(self) -> str:
        """The name by which commands and tables know it."""

    @property
    def learns(self) -> Learns:
        """Whether it is read on the instances it learns on, or on a split kept apart."""

    @property
    def trials(self) -> int:
        """Attempts per instance; for shared methods, passes over the train split."""

    @property
    def learn(self) -> bool:
        """False: memory is read but nothing is learned."""

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """Own selectors by name, beside `first` and `majority`."""

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        """Own checks of commits by name."""

    def plan(self, view: InstanceView, /) -> Batch | Done:
        """What to do next on one instance."""

    def plan_shared(self, view: SharedView, /) -> OpenRound | Batch | Done:
        """What to do next on the shared stream."""


WITHOUT_MEMORY = tuple(name for name in MEANINGS if name != "shuffled")
"""The arms of a method that gives its prompts no lessons: there is nothing to exchange."""


@dataclass(frozen=True)
class Variant:
    """Another method in all that a subclass does not change: the base of transforms of methods."""

    inner: Method

    @property
    def learns(self) -> Learns:
        """As the method."""
        return self.inner.learns

    @property
    def trials(self) -> int:
        """As the method."""
        return self.inner.trials

    @property
    def learn(self) -> bool:
        """As the method."""
        return self.inner.learn

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """As the method."""
        return self.inner.selectors

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        """As the method."""
        return self.inner.checks


class MethodSettings(Settings):
    """The base of the methods shipped here: settings as fields, no selectors, no checks."""

    controls: ClassVar[tuple[str, ...]] = tuple(MEANINGS)
    """The arms that mean something beside it: no `shuffled` where guidance is not memory."""
    trials: int = Field(default=3, ge=1, le=MAX_TRIALS)
    learn: bool = True
    max_steps: int | None = Field(default=None, ge=1)
    """Overrides the step limit of the run."""

    @property
    def requires(self) -> frozenset[Requirement]:
        """What it cannot do without, as it is set; nothing."""
        return frozenset()

    @property
    def throughout(self) -> tuple[HookSpec, ...]:
        """Its hooks that are no part of what it learns: control arms have them, too; none."""
        return ()

    @property
    def selectors(self) -> Mapping[str, Selector]:
        """None of its own."""
        return {}

    @property
    def checks(self) -> Mapping[str, CommitCheck]:
        """None of its own."""
        return {}

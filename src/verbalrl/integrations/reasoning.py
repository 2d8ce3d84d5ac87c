"""Tasks of reasoning-gym: `reasoning:NAME`, judged by the package's own check."""

from __future__ import annotations

import dataclasses
import logging
import re
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from ..errors import ConfigurationError, TaskError, UnknownNameError, boundary
from ..ids import seed_from
from ..records import Action, Instance, Observation, RewardSupplier, Split, StepResult
from ..tasks.base import Environment, Policy, Problem, WorldTask
from ._framework import framework
from ._outside import About, Chance, Named, behaviour_of, card_of

_SIZE = 1000
"""Instances of each split."""
_KEPT = 256
_JUNK = "no such answer, surely"
_OURS = ("seed", "size")
_MARKED = (
    re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    re.compile(r"\\boxed\{([^{}]*)\}\W*\Z"),
    re.compile(
        r"(?:\A|\n)[ \t*]*(?:final )?answer[ \t*]*:[ \t*]*(\S.*?)[ \t*]*\Z", re.I | re.DOTALL
    ),
)
# Numbers whose form is not the question, and texts of which a parser is done at once.
_EXACT = re.compile(r"-?\d{1,18}(?:/\d{1,18})?")
_HARMLESS = re.compile(r"(?:\\d?frac|\\text|[\w\s.,+\-*/=()${}%])*")
_FORM_COUNTS = frozenset({"fraction_simplification", "number_format"})


def load_reasoning(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The generator that `ref` (`reasoning:NAME`) names, as a task of single answers.

    Options set what the generator takes, such as `reasoning:leg_counting?max_animals=4`.

    Raises:
        ConfigurationError: reasoning-gym is missing, a setting cannot work, or the check of the
            package gives full marks to no answer.
        UnknownNameError: There is no such generator or option.
    """
    named = Named.read(ref)
    framework("reasoning_gym", "reasoning")
    known = framework("reasoning_gym.factory", "reasoning").DATASETS
    if named.name not in known:
        raise UnknownNameError.of("reasoning-gym task", named.name, known)
    fields = dataclasses.fields(known[named.name][1])
    named.allow(field.name for field in fields if field.name not in _OURS)
    world = ReasoningWorld(named, task_seed)
    free = max(world.judge("train", index, _JUNK)[0] for index in (0, 1))
    if free >= 1:
        raise ConfigurationError(
            f"{named.ref}: the check of reasoning-gym gives full marks to an answer that is none"
        )
    versions = {"reasoning-gym": version("reasoning-gym"), **_math_version()}
    judges = " and ".join(f"{name} {number}" for name, number in versions.items())
    notes = [f"judged by {judges}; success is full marks"]
    if free:
        notes.append(f"an answer that is none already earns {free:.2g} of 1")
    about = About(
        summary=f"{named.name} of reasoning-gym: one question, one answer.",
        max_steps=1,
        behaviour=behaviour_of(versions, __file__),
        notes=tuple(notes),
        learns_both=True,
        reward_supplier=RewardSupplier.CHECK,
        untrusted=untrusted,
        task_seed=task_seed,
        instances=24,
    )
    return WorldTask(card_of(named, about), world)


class ReasoningWorld:
    """The questions of one generator, drawn from the task's seed."""

    def __init__(self, named: Named, task_seed: int) -> None:
        self._named = named
        self._seed = task_seed
        self._sets: dict[str, Any] = {}
        self._entries: dict[tuple[str, int], Any] = {}

    def size(self, split: Split, /) -> int | None:
        """As many in each split."""
        return _SIZE

    def problem(self, split: Split, index: int, /) -> Problem:
        """Question number `index`; some have no reference answer."""
        answer = self._entry(split, index)["answer"]
        answers = () if answer is None else (str(answer),)
        return Problem("Answer the question.", {"split": split, "index": index}, answers)

    def environment(self, instance: Instance, /) -> Environment:
        """One question."""
        split, index = instance.split, int(str(instance.data["index"]))
        return ReasoningEnvironment(self, split, index, self._entry(split, index)["question"])

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Gives the reference answer, where there is one."""
        if not instance.answers:
            return None
        return lambda _: Action(text=instance.answers[0])

    def judge(self, split: Split, index: int, text: str) -> tuple[float, bool]:
        """The marks of `text`, 0 to 1, and whether it could be read at all."""
        entry, answer = self._entry(split, index), answer_in(text)
        try:
            # Some checks raise on what is no answer of theirs.
            with boundary(TaskError, "score_answer"), Chance(0).own():
                marks = float(self._set(split).score_answer(answer, entry))
        except TaskError:
            return 0.0, False
        gold = str(entry["answer"])
        if marks < 1 and self._named.name not in _FORM_COUNTS and same_number(gold, answer):
            marks = 1.0
        return min(max(marks, 0.0), 1.0), True

    def _set(self, split: str) -> Any:
        if split not in self._sets:
            seed = seed_from("reasoning", self._named.name, self._seed, split) % 2**31
            create = framework("reasoning_gym", "reasoning").create_dataset
            made = {"size": _SIZE, "seed": seed, **self._named.options}
            try:
                with boundary(TaskError, self._named.ref), Chance(seed).own():
                    self._sets[split] = create(self._named.name, **made)
            except TaskError as error:
                raise ConfigurationError(str(error)) from error
        return self._sets[split]

    def _entry(self, split: str, index: int) -> Any:
        key = (split, index)
        if key not in self._entries:
            if len(self._entries) >= _KEPT:
                self._entries.clear()
            with Chance(index).own():
                self._entries[key] = self._set(split)[index]
        return self._entries[key]


class ReasoningEnvironment:
    """One question, to be answered once."""

    def __init__(self, world: ReasoningWorld, split: Split, index: int, question: str) -> None:
        self._world = world
        self._place = (split, index)
        self._question = question

    def reset(self, seed: int, /) -> Observation:
        """Ask."""
        return Observation(text=self._question)

    def step(self, action: Action, /) -> StepResult:
        """Judge the answer; what is said never holds the right one."""
        marks, read = self._world.judge(*self._place, action.text)
        right = marks >= 1
        partly = (
            f"Not right; the check gives it {marks:.2g} of 1." if read else "Wrong: unreadable."
        )
        return StepResult(
            observation=Observation(text="The question is answered.", actions=()),
            feedback="Right." if right else partly,
            reward=marks,
            terminated=True,
            success=right,
        )


def answer_in(text: str) -> str:
    """The answer proper: what is marked as the answer, else all of `text`."""
    for pattern in _MARKED:
        if found := pattern.findall(text):
            return str(found[-1]).strip()
    return text.strip()


def same_number(gold: str, given: str) -> bool:
    """Whether math-verify, where it is installed, takes `given` for the number `gold`."""
    if not _EXACT.fullmatch(gold) or len(given) > 80 or not _HARMLESS.fullmatch(given):
        return False
    if find_spec("math_verify") is None:
        return False
    judge = framework("math_verify", "reasoning")
    # In threads it cannot stop itself by a signal, and says so each time; see `_HARMLESS`.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    expected = judge.parse(f"${gold}$", parsing_timeout=None)
    read = judge.parse(given, parsing_timeout=None)
    return bool(expected and read and judge.verify(expected, read, timeout_seconds=None))


def _math_version() -> dict[str, str]:
    return {} if find_spec("math_verify") is None else {"math-verify": version("math-verify")}

"""Inspect both ways: samples and scorers as a task, `inspect:FILE@TASK`; our agent as a solver."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..agents.handles import AgentLike, adapt
from ..errors import ConfigurationError, DataError, TaskError, UnknownNameError, boundary
from ..ids import coin, normalised, sha256_json, sha256_text
from ..models.base import run_sync
from ..records import (
    Action,
    Guidance,
    Instance,
    Observation,
    RewardSupplier,
    Situation,
    Split,
    StepResult,
)
from ..serving import Coach
from ..tasks.base import Environment, Policy, Problem, WorldTask
from ..tasks.questions import TRAIN_SHARE
from ._framework import framework
from ._outside import About, Named, behaviour_of, card_of

EPISODE = "verbalrl_episode"
"""The key of a sample's metadata under which `as_solver` leaves the id for `coach.feedback`."""

_MODEL = "verbalrl/agent"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def load_inspect(
    ref: str, *, task_seed: int = 0, untrusted: bool = False, trust_code: bool = False
) -> WorldTask:
    """The task that `ref` (`inspect:FILE@TASK`) names: one question per sample, its first scorer.

    Options are the arguments of the task's function, as in `inspect:sums.py@sums?limit=9`. The
    solver of the task is not run, as our agent answers.

    Raises:
        ConfigurationError: inspect-ai is missing, the file is not trusted, or the task needs what
            only Inspect has: a sandbox.
        UnknownNameError: There is no such task in the file.
        DataError: The file cannot be used.
    """
    del task_seed  # the samples are what they are
    named = Named.read(ref)
    place, at, name = named.name.rpartition("@")
    if not at:
        place, name = name, ""
    path = Path(place).resolve()
    framework("inspect_ai", "inspect")
    if not path.is_file():
        raise DataError(f"{place}: no such file; write inspect:FILE@TASK")
    if not trust_code:
        raise ConfigurationError(
            f"{place} is Python that runs with your rights; read it, then pass --trust-code "
            "(trust_code=True)"
        )
    named = named._replace(name=f"{path}@{name}")
    world = InspectWorld(_made(path, name, named), path.stem)
    about = About(
        summary=f"{name} of {path.name}, asked and scored as Inspect does.",
        max_steps=1,
        behaviour=behaviour_of(
            {"inspect-ai": version("inspect-ai"), **world.sums}, __file__, place
        ),
        notes=world.notes,
        learns_both=True,
        reward_supplier=RewardSupplier.CHECK,
        untrusted=untrusted,
        instances=max(world.count, 1),
    )
    card = card_of(named, about).replace(id=f"{path.stem}-{name}{_query(named.ref)}")
    return WorldTask(card, world)


class InspectWorld:
    """The samples of one Inspect task, divided 70/30 by a hash of their ids."""

    def __init__(self, task: Any, name: str) -> None:
        if task.sandbox or any(sample.sandbox for sample in task.dataset):
            raise ConfigurationError(
                f"inspect task {name} needs a sandbox of Inspect; run it there"
            )
        scorers = task.scorer if isinstance(task.scorer, Sequence) else [task.scorer]
        self._scorers = [scorer for scorer in scorers if scorer is not None]
        samples = [(str(s.id or n), s) for n, s in enumerate(task.dataset, 1)]
        if not self._scorers:
            raise DataError(f"inspect task {name} has no scorer")
        in_order = sorted(samples, key=lambda pair: (coin("split", pair[0]), pair[0]))
        cut = max(1, round(TRAIN_SHARE * len(samples)))
        train = {pair[0] for pair in in_order[:cut]}
        if len({name for name, _ in samples}) < len(samples):
            raise DataError(f"inspect task {name}: two samples have one id")
        self._splits: dict[Split, list[tuple[str, Any]]] = {
            "train": [pair for pair in samples if pair[0] in train],
            "test": [pair for pair in samples if pair[0] not in train],
        }
        self._by_name = dict(samples)
        self.count = len(samples)
        # Inspect gives each message of a conversation a random id.
        rows = [[name, asked(s), list(s.choices or ()), targets(s)] for name, s in samples]
        self.sums = {"samples": sha256_json(rows)}
        divided = f"{len(train)} train, {self.count - len(train)} test"
        self.notes = (
            f"{self.count} samples, {divided} (divided 70/30 by a hash of the id)",
            "the solver of the task is not run; success is the mark C, true, or a number of 1",
        )

    def size(self, split: Split, /) -> int | None:
        """The samples of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Sample number `index` of `split`."""
        name, sample = self._splits[split][index]
        goal = "Choose the right answer." if sample.choices else "Answer the question."
        return Problem(goal, {"sample": name}, tuple(targets(sample)), name)

    def environment(self, instance: Instance, /) -> Environment:
        """One sample."""
        return InspectEnvironment(self._by_name[str(instance.data["sample"])], self._scorers)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Says the target, where the scorer takes it for right."""
        sample = self._by_name[str(instance.data["sample"])]
        for text in targets(sample):
            try:
                with boundary(TaskError, "the scorer"):
                    if judged(sample, self._scorers, text)[1] is True:
                        action = Action(text=text)
                        return lambda _: action
            except TaskError:
                return None
        return None


class InspectEnvironment:
    """One sample, to be answered once."""

    def __init__(self, sample: Any, scorers: Sequence[Any]) -> None:
        self._sample = sample
        self._scorers = scorers

    def reset(self, seed: int, /) -> Observation:
        """Ask; choices are the admissible answers."""
        return Observation(
            text=asked(self._sample), actions=tuple(self._sample.choices or ()) or None
        )

    def step(self, action: Action, /) -> StepResult:
        """Have the answer scored; an explanation that holds the target is not shown."""
        mark, right, explained = judged(self._sample, self._scorers, action.text)
        hidden = [normalised(text) for text in targets(self._sample)]
        shows = any(text and text in normalised(explained) for text in hidden)
        verdict = "It was not scored." if right is None else "Right." if right else "Not right."
        return StepResult(
            observation=Observation(text="The question is answered.", actions=()),
            feedback=verdict if shows or not explained else f"{verdict} {explained}",
            reward=mark,
            terminated=True,
            success=right,
        )


def judged(sample: Any, scorers: Sequence[Any], text: str) -> tuple[float | None, bool | None, str]:
    """The mark of the first scorer, whether it means success (None: unknown), its explanation."""
    state = state_of(sample, text)
    target = framework("inspect_ai.scorer", "inspect").Target(sample.target)
    score = run_sync(scorers[0](state, target))
    if score is None:
        return None, None, ""
    mark = mark_of(score.value)
    # What an answer says again, as its own explanation, is no news.
    explained = str(score.explanation or "").strip()
    told = "" if normalised(explained) == normalised(state.output.completion) else explained
    return mark, None if mark is None else mark >= 1, told


def mark_of(value: Any) -> float | None:
    """A score's value as a number; None for what was not scored, or is several values."""
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        with contextlib.suppress(ValueError):
            return mark_of(float(value))
        return None
    if isinstance(value, bool | int | float):
        return None if math.isnan(value) else float(value)
    return None


def state_of(sample: Any, text: str) -> Any:
    """Inspect's state after an agent answered `text`; a choice is marked as its solver would."""
    models = framework("inspect_ai.model", "inspect")
    solvers = framework("inspect_ai.solver", "inspect")
    targets_of = framework("inspect_ai.scorer", "inspect").Target
    chosen = _chosen(sample.choices or (), text)
    said = text if chosen is None else f"ANSWER: {_letter(chosen)}"
    plain = isinstance(sample.input, str)
    before = [models.ChatMessageUser(content=sample.input)] if plain else list(sample.input)
    state = solvers.TaskState(
        model=_MODEL,
        sample_id=sample.id,
        epoch=1,
        input=sample.input,
        messages=[*before, models.ChatMessageAssistant(content=said)],
        target=targets_of(sample.target),
        choices=sample.choices,
        output=models.ModelOutput.from_content(_MODEL, said),
        completed=True,
        metadata=dict(sample.metadata or {}),
    )
    for number in range(len(sample.choices or ())):
        state.choices.mark_choice(number, number == chosen)
    return state


def asked(sample: Any) -> str:
    """The question of a sample: its text, or the turns of a conversation with their roles."""
    if isinstance(sample.input, str):
        return sample.input
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in sample.input)


def targets(sample: Any) -> list[str]:
    """The right answers of a sample, in words where the target is the letter of a choice."""
    given = [sample.target] if isinstance(sample.target, str) else list(sample.target)
    if not sample.choices:
        return [text for text in given if text]
    numbered = [_chosen(sample.choices, text) for text in given]
    return [sample.choices[n] for n in numbered if n is not None]


def as_solver(agent: AgentLike, coach: Coach | None = None) -> Any:
    """A solver of Inspect in which `agent` answers each sample, with what `coach` has learned.

    Every sample is an episode of the coach; `state.metadata["verbalrl_episode"]` is its id, for
    `coach.feedback` once the sample is scored.

    Raises:
        ConfigurationError: inspect-ai is missing, or `agent` is no agent.
    """
    handle = adapt(agent)
    make = framework("inspect_ai.solver", "inspect").solver

    async def answer(state: Any, guidance: Guidance) -> str:
        options = tuple(choice.value for choice in state.choices) or None
        seen = Observation(text=asked(state), actions=options)
        instance = Instance(id=str(state.sample_id), goal="Answer the question.")
        situation = Situation(
            goal=instance.goal, observation=seen, guidance=guidance, instance=instance
        )
        return (await handle.act(situation)).text

    async def solve(state: Any, generate: Any) -> Any:
        del generate  # the agent asks a model of its own
        if coach is None:
            text = await answer(state, Guidance())
        else:
            async with coach.episode(asked(state)) as episode:
                told = episode.guidance
                text = await answer(state, Guidance(texts=(told,) if told else (), text=told))
                episode.step(asked(state), text)
                state.metadata[EPISODE] = episode.id
        options = [choice.value for choice in state.choices]
        models = framework("inspect_ai.model", "inspect")
        chosen = _chosen(options, text)
        for number in range(len(options)):
            state.choices.mark_choice(number, number == chosen)
        said = text if chosen is None else f"ANSWER: {_letter(chosen)}"
        state.output = models.ModelOutput.from_content(_MODEL, said)
        state.messages.append(models.ChatMessageAssistant(content=said))
        state.completed = True
        return state

    def verbalrl() -> Any:
        return solve

    return make(name="verbalrl")(verbalrl)()


def _made(path: Path, name: str, named: Named) -> Any:
    module = _module(path)
    known = [n for n, part in vars(module).items() if hasattr(part, "__registry_info__")]
    function = getattr(module, name, None)
    if name not in known or function is None:
        raise UnknownNameError.of(f"task of {path.name}", name, known, "write inspect:FILE@TASK")
    kind = framework("inspect_ai", "inspect").Task
    try:
        with boundary(TaskError, f"{path.name}@{name}"), contextlib.chdir(path.parent):
            task = function(**named.options)
    except TaskError as error:
        raise ConfigurationError(str(error)) from error
    if not isinstance(task, kind):
        raise ConfigurationError(f"{path.name}@{name} makes no task of Inspect")
    return task


def _module(path: Path) -> Any:
    # A name of its own: two files may both be `task.py`.
    unique = f"_verbalrl_inspect_{sha256_text(str(path))[:16]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path}: not a file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    sys.path.insert(0, str(path.parent))
    try:
        with boundary(TaskError, str(path)), contextlib.chdir(path.parent):
            spec.loader.exec_module(module)
    except TaskError as error:
        del sys.modules[unique]
        raise ConfigurationError(str(error)) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _chosen(choices: Sequence[str], text: str) -> int | None:
    """The number of the choice that `text` is: word for word, or its letter."""
    folded = [normalised(choice) for choice in choices]
    if normalised(text) in folded:
        return folded.index(normalised(text))
    found = re.fullmatch(r"(?:answer:)?\s*\(?([A-Za-z])[).]?", text.strip(), re.IGNORECASE)
    number = ord(found[1].upper()) - ord("A") if found else len(folded)
    return number if number < len(folded) else None


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _query(ref: str) -> str:
    _, mark, query = ref.partition("?")
    return mark + query

"""The contract of a task, as a check that anybody can run on a task of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import ConfigurationError, TaskError, boundary
from ..ids import canonical_json, normalised
from ..records import Action, Instance, Observation, Split, StepResult
from .base import Environment, Played, Policy, Task, play, random_policy

_INSTANCES = 6
_SEEDS = (0, 1, 2)
_SHOWN = 8
_STRANGE = "no such action, surely"


def check_task(task: Task, instances: int = _INSTANCES) -> None:
    """Play episodes on the first `instances` of each split and return if the contract is kept.

    Checked: instance ids are stable and differ; equal seeds give equal observations; listed actions
    are accepted; an oracle, if offered, succeeds; a random policy comes to an end within
    `max_steps`; feedback names no admissible action but the one taken; nothing hidden is shown;
    success is a statement of the environment, never told before the end.

    Raises:
        ConfigurationError: It does not; one line that lists what was found.
    """
    if not isinstance(task, Task):
        raise ConfigurationError(f"a task is wanted, from vrl.load_task(…), not {task!r:.80}")
    if instances < 1:
        raise ConfigurationError(f"instances is {instances}; at least one is wanted")
    try:
        with boundary(TaskError, f"task {task.id}"):
            found = list(dict.fromkeys(_violations(task, instances)))
    except TaskError as error:
        raise ConfigurationError(str(error)) from error
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ConfigurationError(f"task {task.id}: {'; '.join(found[:_SHOWN])}{more}")


def _violations(task: Task, count: int) -> Iterator[str]:
    if task.max_steps < 1:
        yield f"max_steps is {task.max_steps}"
    if all(task.size(split) == 0 for split in ("train", "test")):
        yield "it has no instances"
    splits: tuple[Split, ...] = ("train", "test")
    seen: set[str] = set()
    for split in splits:
        instances = task.instances(split, 0, count)
        yield from _instances(task, split, count, instances)
        for instance in instances:
            if instance.id in seen:
                yield f"the id {instance.id!r} is used twice"
            seen.add(instance.id)
            yield from _instance(task, instance)
        yield from _leaks(task, instances)


def _instances(
    task: Task, split: Split, count: int, instances: tuple[Instance, ...]
) -> Iterator[str]:
    if task.instances(split, 0, count) != instances:
        yield f"instances of {split} differ between two calls"
    if task.instances(split, 1, count) != instances[1:]:
        yield f"instances of {split} depend on where the range starts"
    size = task.size(split)
    if size is not None and len(instances) != min(size, count):
        yield f"size({split!r}) is {size}, but {len(instances)} instances came"
    if any(instance.split != split for instance in instances):
        yield f"an instance of {split} says another split"


def _instance(task: Task, instance: Instance) -> Iterator[str]:
    for seed in _SEEDS:
        policy = random_policy(seed)
        played = play(task, instance, policy, seed)
        yield from _episode(instance, played)
        if play(task, instance, policy, seed) != played:
            yield f"{instance.id}: equal seeds and actions gave different steps"
    unheard = list(_nonsense(task, instance))
    yield from unheard
    if not unheard:
        yield from _first_actions(task, instance)
    yield from _oracle(task, instance)


def _episode(instance: Instance, played: Played) -> Iterator[str]:
    for number, (step, result) in enumerate(zip(played.steps, played.results, strict=True), 1):
        last = result.terminated or result.truncated
        if result.success and not last:
            yield f"{instance.id}: success is told at step {number}, before the end"
        if not last and result.observation.actions == ():
            yield f"{instance.id}: no action is left at step {number}, but it is not the end"
        if not step.observation.text.strip():
            yield f"{instance.id}: the observation of step {number} is empty"
        named = named_actions(result.feedback, step.observation.actions or (), step.action.text)
        if named:
            yield f"{instance.id}: feedback on {step.action.text!r} names {named[0]!r}"


def _first_actions(task: Task, instance: Instance) -> Iterator[str]:
    """The actions that the first observation lists are different, and told from other text."""
    environment, observation = _fresh(task, instance)
    _close(environment)
    actions = observation.actions or ()
    if len(set(map(normalised, actions))) < len(actions):
        yield f"{instance.id}: two admissible actions are the same text"
    refusal = _first_result(task, instance, _STRANGE)
    if actions and all(_first_result(task, instance, a) == refusal for a in actions):
        yield f"{instance.id}: no listed action is told from text that is no action"


def _nonsense(task: Task, instance: Instance) -> Iterator[str]:
    for text in ("", _STRANGE, "\N{SNOWMAN}" * 5000):
        try:
            with boundary(TaskError, "step"):
                result = _first_result(task, instance, text)
        except TaskError as error:
            yield f"{instance.id}: on text that is no action, {error}"
        else:
            if result.success:
                yield f"{instance.id}: {text[:30]!r} counts as success"


def _oracle(task: Task, instance: Instance) -> Iterator[str]:
    offered = getattr(task, "oracle", None)
    policy: Policy | None = None if offered is None else offered(instance)
    if policy is None:
        return
    played = play(task, instance, policy)
    if played.success is not True:
        yield f"{instance.id}: the oracle ends with success {played.success}"
    yield from _episode(instance, played)


def _leaks(task: Task, instances: tuple[Instance, ...]) -> Iterator[str]:
    shown = []
    for instance in instances:
        environment, observation = _fresh(task, instance)
        _close(environment)
        shown.append(f" {words(instance.goal)} {words(observation.text)} ")
        if instance.data and canonical_json(instance.data) in observation.text:
            yield f"{instance.id}: the observation holds the hidden data"
    own = [_holds(text, i.answers) for text, i in zip(shown, instances, strict=True)]
    foreign = [
        _holds(text, other.answers)
        for place, text in enumerate(shown)
        for other in instances
        if other.answers != instances[place].answers
    ]
    # A question may name its answer ("red or blue?"); only naming it always and no other is a leak.
    if len(own) > 1 and foreign and all(own) and not any(foreign):
        yield f"every {instances[0].split} observation holds its own hidden answer"


def named_actions(feedback: str, actions: tuple[str, ...], taken: str) -> tuple[str, ...]:
    """The admissible actions other than `taken` that `feedback` gives away.

    An action is given away by its full text, or by all the words that tell it from the others
    ("north" of "move north"), unless the action taken has those words as well.
    """
    said = set(words(feedback).split())
    sets = {action: set(words(action).split()) for action in actions}
    shared = set.intersection(*sets.values()) if len(sets) > 1 else set()
    own_taken = set(words(taken).split())
    found = []
    for action, all_words in sets.items():
        own = (all_words - shared) or all_words
        if normalised(action) == normalised(taken) or own <= own_taken:
            continue
        if own <= said or f" {words(action)} " in f" {words(feedback)} ":
            found.append(action)
    return tuple(found)


def words(text: str) -> str:
    """The words of `text`, folded, one space between them."""
    return " ".join(re.findall(r"\w+", normalised(text)))


def _holds(text: str, answers: tuple[str, ...]) -> bool:
    return any(words(answer) and f" {words(answer)} " in text for answer in answers)


def _fresh(task: Task, instance: Instance) -> tuple[Environment, Observation]:
    environment = task.environment(instance)
    return environment, environment.reset(0)


def _first_result(task: Task, instance: Instance, text: str) -> StepResult:
    environment, _ = _fresh(task, instance)
    try:
        return environment.step(Action(text=text))
    finally:
        _close(environment)


def _close(environment: Environment) -> None:
    close = getattr(environment, "close", None)
    if close is not None:
        close()

"""Gymnasium environments with discrete actions as text tasks: `gym:ID`.

Every state is described in our own words; the map, which shows what is hidden, never is. Success is
a rule declared per id, or by the user (`gym:ID?success=reward>=1`), or unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError, UnknownNameError, first_line
from ..ids import normalised, seed_from
from ..records import Action, Instance, Observation, Split, StepResult
from ..tasks.base import Card, Environment, Policy, Problem, WorldTask
from . import _gym_toys, _gym_types, _gym_words
from ._gym_solved import shortest
from ._gym_types import PREFIX, Known, Moved, Words, import_gymnasium
from ._gym_words import KNOWN, plain
from ._outside import About, Named, behaviour_of, card_of, rule_of

_OWN_LIMIT = 100


def load_gym(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The Gymnasium environment that `ref` names, as a task that learns per instance.

    `ref` is `gym:ID`, with options after a question mark: `success=reward>=1` declares what counts
    as success (`return>=…`: the sum of rewards), `max_steps=N` sets a limit; some of the ids that
    we know also take `slippery=true` and `map=random` (a map of its own for every instance).

    Raises:
        ConfigurationError: Gymnasium is missing, or the environment does not fit into words.
        UnknownNameError: There is no such id or option.
    """
    named = Named.read(ref)
    if named.name not in import_gymnasium().registry:
        raise _unknown(named.name)
    known = KNOWN.get(named.name, Known(plain))
    named.allow(("max_steps", "success", *known.options))
    world = GymWorld(named.name, known, named.options, task_seed)
    environment = world.make(0)
    words = world.words(environment)
    declared = environment.spec.max_episode_steps if environment.spec else None
    limit = named.limit(known.max_steps or declared or _OWN_LIMIT)
    environment.close()
    task = WorldTask(_card(world, words, named, limit), world)
    return task.untrusted() if untrusted else task


def _card(world: GymWorld, words: Words, named: Named, limit: int) -> Card:
    notes = [line for option, line in world.known.notes.items() if option not in named.options]
    if words.success is None:
        notes.append(
            "nothing says what success is, so it stays unknown; declare it, for example "
            f"{PREFIX}{world.name}?success=reward>=1"
        )
    parts = (_gym_words, _gym_toys, _gym_types)
    files = (__file__, *(str(part.__file__) for part in parts))
    about = About(
        summary=f"{world.name} of Gymnasium, its states told in words.",
        max_steps=limit,
        behaviour=behaviour_of({"gymnasium": import_gymnasium().__version__}, *files),
        notes=tuple(notes),
        task_seed=world.task_seed,
    )
    return card_of(named, about)


@dataclass(frozen=True)
class GymWorld:
    """One id with its options; an instance is the seed of its first reset."""

    name: str
    known: Known
    options: dict[str, Any]
    task_seed: int

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """The start that seed number `index` draws."""
        seed = seed_from("gym", self.name, self.task_seed, split, index) % 2**31
        environment = self.make(seed)
        try:
            goal = self.words(environment).goal
        finally:
            environment.close()
        return Problem(goal, {"seed": seed})

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh environment that plays `instance`."""
        seed = int(str(instance.data["seed"]))
        made = self.make(seed)
        return GymEnvironment(made, self.words(made), seed)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Goes the shortest way; None where there is chance, or no table of what follows."""
        seed = int(str(instance.data["seed"]))
        made = self.make(seed)
        try:
            start, _ = made.reset(seed=seed)
            way = shortest(made.unwrapped, start, self.words(made))
        finally:
            made.close()
        if way is None:
            return None
        found = way
        return lambda situation: Action(text=found[min(situation.step, len(found)) - 1])

    def words(self, environment: Any) -> Words:
        """How `environment` is put into words, with the user's rule of success, if any."""
        words = self.known.words(environment.unwrapped)
        rule = self.options.get("success")
        return words if rule is None else words._replace(success=_declared(str(rule)))

    def make(self, seed: int) -> Any:
        """A Gymnasium environment for the instance whose seed is `seed`."""
        arguments = dict(self.known.calm)
        if (slippery := self.options.get("slippery")) is not None:
            if not isinstance(slippery, bool):
                raise ConfigurationError(f"slippery={slippery} is neither true nor false")
            arguments[self.known.slips] = slippery
        drawn = self.options.get("map")
        if drawn is not None:
            if drawn != "random":
                raise ConfigurationError(f"{PREFIX}{self.name}: map={drawn!r}; known: random")
            arguments["desc"] = _random_map(seed)
        return _make(self.name, arguments)


class GymEnvironment:
    """One Gymnasium environment, played in words."""

    def __init__(self, made: Any, words: Words, seed: int) -> None:
        self._made = made
        self._words = words
        self._seed = seed
        self._start = int(made.action_space.start)
        self._state: Any = None
        self._total = 0.0

    def reset(self, seed: int, /) -> Observation:
        """Begin as the instance says; `seed` decides the chance from here on."""
        self._state, info = self._made.reset(seed=self._seed)
        # The instance fixes where it starts, the trial what luck it has on the way.
        self._made.unwrapped.np_random = _generator(seed)
        self._total = 0.0
        return self._observation(info)

    def step(self, action: Action, /) -> StepResult:
        """Do `action`; text that is not admissible changes nothing."""
        numbers = {normalised(text): n for n, text in enumerate(self._words.actions)}
        number = numbers.get(normalised(action.text))
        if number is None:
            return StepResult(
                observation=self._observation({}),
                feedback="That is not a possible action; nothing happened.",
                reward=0.0,
                success=None if self._words.success is None else False,
            )
        before = self._state
        self._state, reward, terminated, truncated, info = self._made.step(self._start + number)
        self._total += float(reward)
        moved = Moved(before, self._state, float(reward), self._total, bool(terminated))
        over = bool(terminated or truncated)
        success = None if self._words.success is None else over and self._words.success(moved)
        return StepResult(
            observation=self._observation(info, over=over),
            feedback=self._words.feedback(moved),
            reward=moved.reward,
            terminated=moved.terminated,
            truncated=bool(truncated),
            success=success,
        )

    def close(self) -> None:
        """Free what the environment holds."""
        self._made.close()

    def _observation(self, info: Mapping[str, Any], *, over: bool = False) -> Observation:
        text = self._words.describe(self._state)
        if over:
            # A hint for a next step would be none.
            return Observation(text=text.split(". ")[0].rstrip(".") + ".", actions=())
        mask = info.get("action_mask")
        actions = self._words.actions
        if mask is not None:
            actions = tuple(a for a, allowed in zip(actions, mask, strict=True) if allowed)
        return Observation(text=text, actions=actions or self._words.actions)


def _make(name: str, arguments: Mapping[str, Any]) -> Any:
    gymnasium = import_gymnasium()
    try:
        # The checker would only warn, and changes global warning filters to do so.
        return gymnasium.make(name, disable_env_checker=True, **arguments)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError, Warning) as error:
        raise ConfigurationError(f"{PREFIX}{name}: {first_line(str(error))}") from error


def _unknown(name: str) -> UnknownNameError:
    # Also for ids without a version, which mean another environment after the next release, and for
    # `module:ID`, which would import a module.
    registry = import_gymnasium().registry
    known = [i for i, spec in registry.items() if "toy_text" in str(spec.entry_point)]
    return UnknownNameError.of("gym id", name, known)


def _random_map(seed: int) -> list[str]:
    from gymnasium.envs.toy_text.frozen_lake import generate_random_map

    return [str(row) for row in generate_random_map(size=4, seed=seed)]


def _generator(seed: int) -> Any:
    from gymnasium.utils import seeding

    return seeding.np_random(seed)[0]


def _declared(text: str) -> Callable[[Moved], bool]:
    holds = rule_of(text)
    return lambda moved: holds(moved.reward, moved.total)

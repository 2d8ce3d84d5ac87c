"""Web pages of MiniWoB++ as text: `miniwob:NAME`, played in a Chromium of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from ..errors import ConfigurationError, TaskError, UnknownNameError, boundary
from ..ids import seed_from
from ..records import Action, Instance, Observation, Split, StepResult
from ..tasks.base import Environment, Problem, WorldTask
from ._framework import framework
from ._outside import About, Named, behaviour_of, card_of

_STEPS = 12
_GOAL = (
    "Do what the task on the web page asks for, one action at a time: click [N]; "
    "type [N] words; or press Enter, Tab, Backspace, ArrowUp or another key."
)
# Else the driver's manager asks the network which browser there is, and reports that it did.
_QUIET = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
_LONG_MS = 24 * 3600 * 1000
"""What a page gives an episode, in place of ten seconds in which no model answers."""
_ACTION = re.compile(
    r"(?:(click) \[?(-?\d+)\]?)|(?:(type) \[?(-?\d+)\]? (.+))|(?:(press) <?([\w-]+)>?)",
    re.IGNORECASE | re.DOTALL,
)
_LISTED = frozenset({"a", "button", "input", "label", "option", "select", "t", "textarea"})


def load_miniwob(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The page that `ref` (`miniwob:click-test-2`) names.

    Raises:
        ConfigurationError: miniwob or a browser is missing; the message says how to install it.
        UnknownNameError: There is no such page or option.
    """
    named = Named.read(ref)
    framework("miniwob", "miniwob")
    gymnasium = framework("gymnasium", "miniwob")
    gymnasium.register_envs(framework("miniwob.registration", "miniwob"))
    pages = {found[1] for name in gymnasium.registry if (found := _page(name))}
    if named.name not in pages:
        raise UnknownNameError.of("MiniWoB page", named.name, pages)
    named.allow(("max_steps",))
    world = MiniWobWorld(named, task_seed)
    world.opened().close()
    about = About(
        summary=f"{named.name} of MiniWoB++, its page told in words.",
        max_steps=named.limit(_STEPS),
        behaviour=behaviour_of({"miniwob": version("miniwob")}, __file__),
        notes=("success is the page's own reward of 1, whatever time it took",),
        untrusted=untrusted,
        task_seed=task_seed,
    )
    return WorldTask(card_of(named, about), world)


class MiniWobWorld:
    """One page; an instance is the seed of its layout."""

    def __init__(self, named: Named, task_seed: int) -> None:
        self._named = named
        self._seed = task_seed

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """The page that seed number `index` lays out; what it asks for stands on it."""
        seed = seed_from("miniwob", self._named.name, self._seed, split, index) % 2**31
        return Problem(_GOAL, {"seed": seed})

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh browser."""
        return MiniWobEnvironment(self.opened(), int(str(instance.data["seed"])))

    def opened(self) -> Any:
        """The page in a browser; a `ConfigurationError` where there is none."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        try:
            with boundary(TaskError, "the browser"):
                gymnasium = framework("gymnasium", "miniwob")
                return gymnasium.make(f"miniwob/{self._named.name}-v1", disable_env_checker=True)
        except TaskError as error:
            raise ConfigurationError(
                f"{self._named.ref}: {error}; it needs Chromium and its driver, on Debian: "
                "apt-get install chromium chromium-driver"
            ) from error


class MiniWobEnvironment:
    """One page, its elements as numbered lines."""

    def __init__(self, made: Any, seed: int) -> None:
        self._made = made
        self._seed = seed
        self._refs: list[int] = []
        self._text = ""

    def reset(self, seed: int, /) -> Observation:
        """Lay the page out; nothing on it depends on `seed`."""
        driver = self._made.unwrapped.instance.driver
        driver.execute_script(f"core.EPISODE_MAX_TIME = {_LONG_MS};")
        seen, _ = self._made.reset(seed=self._seed)
        return self._observed(seen)

    def step(self, action: Action, /) -> StepResult:
        """Click, type or press; text that is none of these changes nothing."""
        made = self._read(action.text)
        if made is None:
            return self._unchanged()
        seen, _, terminated, truncated, info = self._made.step(made)
        reward = float(info["raw_reward"])
        if not terminated and not truncated:
            return StepResult(
                observation=self._observed(seen), feedback="Done.", reward=0.0, success=False
            )
        # The reward that falls with the time taken would judge the model's speed.
        right = bool(terminated) and reward >= 1
        partly = (
            "Only a part of it was right." if reward > 0 else "That was not what was asked for."
        )
        return StepResult(
            observation=Observation(text="The page is done.", actions=()),
            feedback="The page took it, a success." if right else partly,
            reward=reward,
            terminated=bool(terminated),
            truncated=bool(truncated),
            success=right,
        )

    def close(self) -> None:
        """End the browser."""
        self._made.close()

    def _read(self, text: str) -> Any:
        """The package's action for `text`; None when it means none on this page."""
        found = _ACTION.fullmatch(text.strip().removesuffix("."))
        if found is None:
            return None
        create = self._made.unwrapped.create_action
        kinds = framework("miniwob.action", "miniwob").ActionTypes
        if found[6]:
            keys = self._made.unwrapped.action_space_config.allowed_keys
            folded = [key.strip("<>").casefold() for key in keys]
            wanted = found[7].casefold()
            return create(kinds.PRESS_KEY, key=folded.index(wanted)) if wanted in folded else None
        number = int(found[2] or found[4])
        if number not in self._refs:
            return None
        if found[1]:
            return create(kinds.CLICK_ELEMENT, ref=number)
        return create(kinds.FOCUS_ELEMENT_AND_TYPE_TEXT, ref=number, text=_bare(found[5]))

    def _observed(self, seen: Mapping[str, Any]) -> Observation:
        self._refs = [int(e["ref"]) for e in seen["dom_elements"] if int(e["ref"]) > 0]
        lines = [told(element) for element in seen["dom_elements"] if _says(element)]
        self._text = "\n".join([f"Task: {seen['utterance']}", "Page:", *lines])
        return Observation(text=self._text)

    def _unchanged(self) -> StepResult:
        return StepResult(
            observation=Observation(text=self._text),
            feedback="That is no action on something of this page; nothing happened.",
            reward=0.0,
            success=False,
        )


def told(element: Mapping[str, Any]) -> str:
    """One element of a page as a line: its number, what it is, what it says."""
    number, tag = int(element["ref"]), element["tag"]
    parts = [f"[{number}] {tag}" if number > 0 else "text"]
    parts += [f'"{element["text"].strip()}"'] if element["text"].strip() else []
    value = str(element["value"]).strip()
    parts += [f"holds {value}"] if value and not tag.startswith("button") else []
    parts += ["(in focus)"] if int(element["flags"][0]) and tag != "body" else []
    return " ".join(parts)


def _says(element: Mapping[str, Any]) -> bool:
    """Whether an element can be used or read, rather than hold others together."""
    kind = element["tag"].partition("_")[0]
    return kind in _LISTED or bool(element["text"].strip())


def _page(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"miniwob/(.+)-v1", name)


def _bare(text: str) -> str:
    quoted = re.fullmatch(r"\"(.*)\"|'(.*)'", text.strip(), re.DOTALL)
    return text.strip() if quoted is None else quoted[1] or quoted[2] or ""

"""Frameworks and formats of others, one small file each; what a file needs is imported on use."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from ..errors import UnknownNameError, check_kind
from ..tasks import load as _load
from ..tasks.base import WorldTask
from ..tasks.datasets import NAMES as _DATA_SETS
from ..tasks.jsonl import there
from .gymnasium import load_gym as load_gym


class Adapter(NamedTuple):
    """Environments of another package, by the prefix of their names."""

    module: str
    extra: str
    example: str
    what: str
    runs_code: bool = False
    """Whether it runs Python of the user's, which takes `trust_code`."""


ADAPTERS: dict[str, Adapter] = {
    "gym": Adapter("gymnasium", "gym", "gym:Taxi-v4", "Gymnasium, discrete actions"),
    "reasoning": Adapter(
        "reasoning", "reasoning", "reasoning:leg_counting", "questions of reasoning-gym"
    ),
    "textarena": Adapter(
        "textarena", "textarena", "textarena:Mastermind-v0", "TextArena, played alone"
    ),
    "miniwob": Adapter(
        "miniwob", "miniwob", "miniwob:click-test-2", "pages of MiniWoB++ in Chromium"
    ),
    "textworld": Adapter("textworld", "textworld", "textworld:FILE", "games of TextWorld"),
    "alfworld": Adapter("textworld", "alfworld", "alfworld:FILE", "games of ALFWorld"),
    "inspect": Adapter(
        "inspect_bridge", "inspect", "inspect:FILE@TASK", "samples and scorers of Inspect", True
    ),
}
"""In `module` of each, `load_PREFIX(ref, *, task_seed, untrusted)` makes the task."""

_PREFIXED = re.compile(r"([A-Za-z][A-Za-z0-9_-]+):(?!//)")


def load_task(
    ref: str | Path, *, task_seed: int = 0, trust_code: bool = False, untrusted: bool = False
) -> WorldTask:
    """The task that `ref` names, in any of the forms that verbalrl knows.

    Those are a built-in name (`gridnav-v1`), a folder with a task.toml, a `file.jsonl` of
    questions, a data set and its place (`gsm8k:FILE`), an environment of another package
    (`gym:ID`, and whatever else `ADAPTERS` lists). Options follow a question mark
    (`gridnav-v1?pits=6&hint=false`). `task_seed` draws other instances, `trust_code` lets Python
    of a folder run, `untrusted` declares that nobody vouches for what the task says.

    Raises:
        UnknownNameError: Nothing answers to `ref`; the message lists close matches.
        DataError: A file or a folder cannot be used.
        ConfigurationError: A setting cannot work, or a package is missing.
    """
    check_kind(ref, (str, PathLike), "load_task takes a name, a folder or a file")
    adapter = _adapter(str(ref))
    if adapter is not None:
        prefix = str(ref).partition(":")[0]
        make = getattr(import_module(f".{adapter.module}", __package__), f"load_{prefix}")
        more = {"trust_code": trust_code} if adapter.runs_code else {}
        task: WorldTask = make(str(ref), task_seed=task_seed, untrusted=untrusted, **more)
    else:
        task = _load.load_task(ref, task_seed=task_seed, trust_code=trust_code, untrusted=untrusted)
    given: dict[str, JsonValue] = {
        "task_seed": task_seed,
        "trust_code": trust_code,
        "untrusted": untrusted,
    }
    return replace(task, card=task.card.replace(loaded_with=given))


def _adapter(ref: str) -> Adapter | None:
    """Who loads `ref`; None for a built-in name, a place or a data set."""
    found = _PREFIXED.match(ref)
    if found is None:
        return None
    prefix = found[1]
    if prefix in ADAPTERS:
        return ADAPTERS[prefix]
    if prefix in _DATA_SETS or there(Path(ref.partition("?")[0])):
        return None
    raise UnknownNameError.of("prefix of a task", prefix, (*ADAPTERS, *_DATA_SETS))

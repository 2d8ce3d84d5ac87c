"""Frameworks and formats of others, one small file each; what a file needs is imported on use."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

from pydantic import JsonValue

from ..errors import check_kind
from ..tasks import load as _load
from ..tasks.base import WorldTask
from ._gym_types import PREFIX as _GYM
from .gymnasium import load_gym as load_gym


def load_task(
    ref: str | Path, *, task_seed: int = 0, trust_code: bool = False, untrusted: bool = False
) -> WorldTask:
    """The task that `ref` names, in any of the forms that verbalrl knows.

    Those are `gym:ID`, a built-in name (`gridnav-v1`), a folder with a task.toml, a `file.jsonl` of
    questions. Options follow a question mark (`gridnav-v1?pits=6&hint=false`). `task_seed` draws
    other instances, `trust_code` lets Python of a folder run, `untrusted` declares that nobody
    vouches for what the task says.

    Raises:
        UnknownNameError: Nothing answers to `ref`; the message lists close matches.
        DataError: A file or a folder cannot be used.
        ConfigurationError: A setting cannot work, or a package is missing.
    """
    check_kind(ref, (str, PathLike), "load_task takes a name, a folder or a file")
    if str(ref).startswith(_GYM):
        task = load_gym(str(ref), task_seed=task_seed, untrusted=untrusted)
    else:
        task = _load.load_task(ref, task_seed=task_seed, trust_code=trust_code, untrusted=untrusted)
    given: dict[str, JsonValue] = {
        "task_seed": task_seed,
        "trust_code": trust_code,
        "untrusted": untrusted,
    }
    return replace(task, card=task.card.replace(loaded_with=given))

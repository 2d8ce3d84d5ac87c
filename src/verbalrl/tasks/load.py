"""From a reference to a task: a built-in name, a folder, a file of questions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .. import _resources
from ..errors import ConfigurationError, DataError, UnknownNameError
from .base import WorldTask
from .datasets import NAMES as DATA_SETS
from .folder import FolderTask, options_of
from .jsonl import there
from .questions import load_questions

_FORMS = (
    "a task is a name, a folder with task.toml, a file.jsonl, gym:ID, or a data set such as "
    "gsm8k:FILE"
)


def known_tasks() -> tuple[str, ...]:
    """The names of the built-in tasks.

    Raises:
        ConfigurationError: The installation is incomplete.
    """
    return tuple(sorted(path.parent.name for path in _tasks_root().glob("*/task.toml")))


def load_task(
    ref: str | Path, *, task_seed: int = 0, trust_code: bool = False, untrusted: bool = False
) -> WorldTask:
    """The task that `ref` names.

    `ref` is a built-in name (`gridnav-v1`), a folder with a task.toml, a `file.jsonl` of
    questions, or a data set and its place (`gsm8k:FILE`, `spider:FOLDER`); options follow a
    question mark (`gridnav-v1?pits=6&hint=false`). `task_seed` draws other instances, `trust_code`
    lets Python of a folder run, `untrusted` declares that nobody vouches for what the task says.

    Raises:
        UnknownNameError: Nothing answers to `ref`; the message lists close matches.
        DataError: A file or a folder cannot be used.
        ConfigurationError: A setting of a folder cannot work.
    """
    task = _load(str(ref), task_seed, trust_code)
    return task.untrusted() if untrusted else task


def _load(ref: str, task_seed: int, trust_code: bool) -> WorldTask:
    name, mark, query = ref.partition("?")
    kind, colon, _ = name.partition(":")
    if colon and kind in DATA_SETS:
        return _data_set(name, options_of(query, ref) if query else {})
    if ref.endswith(".jsonl"):
        return load_questions(Path(ref))
    if mark:
        _check_options(ref, name)
    options = options_of(query, ref) if query else {}
    if name in known_tasks():
        task = FolderTask.read(_tasks_root() / name, options=options, task_seed=task_seed)
        return task.known_as(name)
    if not name:
        raise UnknownNameError.of("task", ref, known_tasks(), _FORMS)
    folder = Path(name)
    if not there(folder):
        if "/" in name or "\\" in name:
            raise DataError(f"{folder}: no such file or folder")
        raise UnknownNameError.of("task", ref, known_tasks(), _FORMS)
    if (folder / "task.toml").is_file():
        return FolderTask.read(folder, options=options, task_seed=task_seed, trust_code=trust_code)
    if folder.is_dir():
        raise DataError(f"{folder}: the folder has no task.toml")
    raise DataError(f"{folder}: only .jsonl files can be read (one JSON object per line)")


def _data_set(name: str, options: dict[str, Any]) -> WorldTask:
    # Readers, scorers and the sandbox cost a tenth of a second that few runs need.
    made: WorldTask = importlib.import_module(".datasets.load", __package__).load_dataset(
        name, options
    )
    return made


def _check_options(ref: str, name: str) -> None:
    """Raise where a `?` follows what takes no options, or nothing at all."""
    if name.endswith(".jsonl"):
        raise ConfigurationError(f"{ref}: a file of questions takes no options; write {name}")
    if not name.strip():
        raise ConfigurationError(
            f"{ref}: options follow the name of a task, such as gridnav-v1{ref}"
        )


def _tasks_root() -> Path:
    try:
        return _resources.root("tasks")
    except FileNotFoundError as error:
        raise ConfigurationError(str(error)) from error

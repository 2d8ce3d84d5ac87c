"""Tasks that are folders: `task.toml`, data, a README, and perhaps Python of their own."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError

from ..errors import (
    ConfigurationError,
    DataError,
    TaskError,
    UnknownNameError,
    boundary,
    first_line,
)
from ..ids import canonical_json, sha256_json, sha256_text
from ..records import Instance, Origin, Record, RewardSupplier, Split
from . import draws, tables
from .base import Card, Environment, Learns, Policy, Problem, World, WorldTask
from .jsonl import Row, read_lines, summary
from .tables import first_problem

Opener = Callable[[Path, dict[str, JsonValue], int], World]

ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "arithmetic": ("arithmetic", "Arithmetic"),
    "car-dealer": ("dealer", "Dealer"),
    "clarify": ("clarify", "Clarify"),
    "codefix": ("codefix", "CodeFix"),
    "gridnav": ("gridnav", "GridNav"),
    "household": ("household", "Household"),
    "portfolio": ("trading", "Portfolio"),
    "questions": ("questions", "Questions"),
    "scoped-style": ("style", "ScopedStyle"),
    "text2sql": ("text2sql", "TextToSql"),
    "trading": ("trading", "Trading"),
    "triage": ("triage", "Triage"),
    "twenty-questions": ("twenty", "Twenty"),
    "wordle": ("wordle", "Wordle"),
}
"""The module and class of the built-in environments, by the name that task.toml uses.

A run needs one of them, so they are imported on use.
"""

HEADINGS = (
    "What the agent sees",
    "Actions",
    "Reward",
    "End",
    "What can be learned",
    "How layouts were chosen",
)
"""The headings of every task's README."""

_Count = Annotated[int, Field(ge=1)]
_OWN = re.compile(r"[A-Za-z_]\w*:[A-Za-z_]\w*")
_DATA = (".toml", ".jsonl", ".py")
_SPLITS: tuple[Split, ...] = ("train", "test")
_GENERATED = 24


class Limits(Record):
    """The `[limits]` of task.toml."""

    max_steps: _Count | None = None
    """None: what the environment says of itself."""


class Splits(Record):
    """The `[splits]` of task.toml: how many instances a run takes when nothing is said."""

    train: _Count | None = None
    test: _Count | None = None


class Success(Record):
    """The `[success]` of task.toml."""

    means: str = Field(min_length=1)
    """One sentence for people; the environment decides."""
    supplier: RewardSupplier = RewardSupplier.ENVIRONMENT


class TaskFile(Record):
    """The contents of `task.toml`."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*-v[0-9]+$")
    summary: str = Field(min_length=1)
    learns: Learns
    observations: Literal["trusted", "untrusted"] = "untrusted"
    environment: str
    """A built-in name, or `module:Class` for Python of the folder."""
    args: dict[str, JsonValue] = {}
    limits: Limits = Limits()
    splits: Splits = Splits()
    success: Success


class OwnWorld:
    """Instances from `instances.jsonl`, played by a class of the folder's own Python."""

    def __init__(self, folder: Path, make: Callable[..., Environment], args: dict[str, JsonValue]):
        """Read the instances of `folder`."""
        self._make = make
        self._args = args
        path = folder / "instances.jsonl"
        lines = read_lines(path)
        self._splits: dict[Split, list[Problem]] = {"train": [], "test": []}
        for row in lines.rows:
            split, problem = _own_problem(row, path)
            self._splits[split].append(problem)
        names = [problem.name for problems in self._splits.values() for problem in problems]
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"{path}: the id {name!r} stands on more than one line")
        self.notes = (
            (f"rows rejected: {len(lines.rejected)}: {summary(lines.rejected)}",)
            if lines.rejected
            else ()
        )

    def size(self, split: Split, /) -> int | None:
        """The rows of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Row number `index` of `split`."""
        return self._splits[split][index]

    def environment(self, instance: Instance, /) -> Environment:
        """The folder's class, made for `instance`."""
        return self._make(instance, **self._args)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """What the class offers as `oracle(instance)`; None when it does not."""
        offered = getattr(self._make, "oracle", None)
        return None if offered is None else offered(instance)


@dataclasses.dataclass(frozen=True)
class FolderTask(WorldTask):
    """A task read from a folder."""

    folder: Path
    success_means: str
    options: Mapping[str, JsonValue]
    """What may follow the name after a question mark, with the values in use."""

    @classmethod
    def read(
        cls,
        folder: Path,
        *,
        options: Mapping[str, JsonValue] | None = None,
        task_seed: int = 0,
        trust_code: bool = False,
    ) -> FolderTask:
        """The task of `folder`, with `options` in place of the `[args]` of its task.toml.

        Raises:
            ConfigurationError: task.toml cannot work, or its own Python is not trusted.
            DataError: Its data cannot be used.
        """
        path = folder / "task.toml"
        file = _task_file(path)
        args = {**file.args, **_known_options(options or {}, file, path)}
        try:
            world = _world(file, folder, args, task_seed, trust_code)
            if world.size("train") is None:
                world.problem("train", 0)  # settings under which nothing can be made fail here
        except ValidationError as error:
            raise ConfigurationError(_unfit(error, options or {}, file.id, path)) from error
        max_steps = file.limits.max_steps or getattr(world, "max_steps", None)
        if max_steps is None:
            raise ConfigurationError(f"{path}: limits.max_steps is missing")
        changed = {k: v for k, v in args.items() if v != file.args.get(k)}
        query = "&".join(f"{k}={_shown(changed[k])}" for k in sorted(changed))
        suffix = f"?{query}" if query else ""
        card = Card(
            id=file.id + suffix,
            summary=file.summary,
            learns=file.learns,
            observations=Origin.TASK if file.observations == "trusted" else Origin.UNTRUSTED,
            max_steps=int(max_steps),
            inline=file.environment in ENVIRONMENTS and getattr(world, "inline", True),
            reward_supplier=file.success.supplier,
            default_train=_default(world, file, "train"),
            default_instances=_default(world, file, "test"),
            task_seed=task_seed,
            ref=str(folder.resolve()) + suffix,
            notes=getattr(world, "notes", ()),
            behaviour=_behaviour(folder, args, world),
        )
        return cls(card, world, folder, file.success.means, args)

    def known_as(self, name: str) -> FolderTask:
        """The same task, to be loaded again by `name` rather than by its place."""
        _, sign, query = self.card.ref.partition("?")
        return dataclasses.replace(self, card=self.card.replace(ref=name + sign + query))


def _unfit(error: ValidationError, options: Mapping[str, JsonValue], name: str, path: Path) -> str:
    """What the arguments cannot be: those behind the name, or those of task.toml."""
    where, problem = error.errors()[0]["loc"], first_problem(error)
    # What does not fit together names no argument.
    if options and (not where or where[0] in options):
        given = "&".join(f"{k}={_shown(v)}" for k, v in options.items())
        return f"{name}?{given}: {problem}"
    return f"{path}: args.{problem}" if where else f"{path}: args: {problem}"


def _task_file(path: Path) -> TaskFile:
    try:
        return TaskFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_problem(error)}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a TOML file: {first_line(str(error))}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error


def _known_options(
    options: Mapping[str, JsonValue], file: TaskFile, path: Path
) -> dict[str, JsonValue]:
    for name in options:
        if name not in file.args:
            raise UnknownNameError.of(f"option of {file.id}", name, file.args, f"see {path}")
    return dict(options)


def _world(
    file: TaskFile, folder: Path, args: dict[str, JsonValue], task_seed: int, trust_code: bool
) -> World:
    if file.environment in ENVIRONMENTS:
        return _built_in(file.environment)(folder, args, task_seed)
    path = folder / "task.toml"
    if not _OWN.fullmatch(file.environment):
        hint = f"in {path}; Python of the folder is named module:Class"
        raise UnknownNameError.of("environment", file.environment, ENVIRONMENTS, hint)
    if not trust_code:
        raise ConfigurationError(
            f"{path}: environment {file.environment!r} is Python of this folder and runs with your "
            "rights; read it, then pass --trust-code (trust_code=True)"
        )
    return OwnWorld(folder, _own_class(folder, file.environment), args)


def _built_in(environment: str) -> Opener:
    module, name = ENVIRONMENTS[environment]
    opener: Opener = getattr(importlib.import_module(f".{module}", __package__), name).open
    return opener


def _own_class(folder: Path, environment: str) -> Callable[..., Environment]:
    module_name, class_name = environment.split(":")
    path = (folder / f"{module_name}.py").resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ConfigurationError(f"{folder}: environment {environment!r} needs {path.name} there")
    # A name of its own in sys.modules: two folders may both have an `environment.py`.
    unique = f"_verbalrl_task_{sha256_text(str(path))[:16]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        with boundary(TaskError, str(path)):
            spec.loader.exec_module(module)
    except TaskError as error:
        del sys.modules[unique]
        raise ConfigurationError(str(error)) from error
    found = getattr(module, class_name, None)
    if not callable(found):
        raise ConfigurationError(f"{path}: there is no class {class_name!r}")
    made: Callable[..., Environment] = found
    return made


def _own_problem(row: Row, path: Path) -> tuple[Split, Problem]:
    fields = dict(row.fields)
    try:
        name, goal = fields.pop("id"), fields.pop("goal")
        split = fields.pop("split", "train")
        data, answers = fields.pop("data", {}), fields.pop("answers", [])
    except KeyError as error:
        raise DataError(f"{path}: line {row.line}: no {error.args[0]}") from error
    if fields:
        raise DataError(f"{path}: line {row.line}: unknown field {sorted(fields)[0]!r}")
    try:
        instance = Instance(id=name, goal=goal, split=split, data=data, answers=answers)
    except ValidationError as error:
        raise DataError(f"{path}: line {row.line}: {first_problem(error)}") from error
    return instance.split, Problem(instance.goal, instance.data, instance.answers, instance.id)


def _default(world: World, file: TaskFile, split: Split) -> int:
    declared = file.splits.train if split == "train" else file.splits.test
    sizes = {name: world.size(name) for name in _SPLITS}
    if declared is not None or sizes[split] is None:
        return declared or _GENERATED
    # Methods that learn per instance are read on both splits.
    both = split == "test" and file.learns != "shared"
    counted = (size or 0 for name, size in sizes.items() if both or name == split)
    return max(sum(counted), 1)


def _behaviour(folder: Path, args: dict[str, JsonValue], world: World) -> str:
    """A hash over the folder's data and code, the arguments and the code of the environment."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix in _DATA and file.is_file() and "__pycache__" not in file.parts
    )
    own = [(file.relative_to(folder).as_posix(), _sha(file)) for file in files]
    parts = (type(world), draws, tables, *getattr(world, "judged_by", ()))
    code = [_sha(Path(inspect.getfile(part))) for part in parts]
    return sha256_json([own, args, code])


def _sha(file: Path) -> str:
    # Line ends do not decide anything, and a checkout may change them.
    return sha256_text(file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n"))


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def options_of(query: str, ref: str) -> dict[str, Any]:
    """The options of a reference: `a=1&b=false` gives numbers and truth values where they are.

    Raises:
        ConfigurationError: A part is not `name=value`.
    """
    options: dict[str, Any] = {}
    for part in query.split("&"):
        name, sign, value = part.partition("=")
        if not name or not sign:
            raise ConfigurationError(f"{ref}: the option {part!r} is not of the form name=value")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

"""From a kind and a path to a checked data set, and to a task."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from ...errors import ConfigurationError, DataError, UnknownNameError
from ...ids import sha256_json
from ...records import Origin, RewardSupplier, Split
from ...sandbox import choose
from ..base import Card, World, WorldTask
from ..jsonl import there
from ..questions import Question, Questions
from .code import CodeWorld, read_humaneval, read_mbpp
from .hotpot import HotpotWorld, read_hotpotqa
from .math import read_gsm8k, read_math
from .prices import PriceWorld, Settings, is_prices, load_prices, read_prices
from .rows import Dataset, read_rows
from .sql import SqlWorld, questions_file, read_bird, read_spider

_SPLITS: tuple[Split, Split] = ("train", "test")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OPTIONS: Mapping[str, frozenset[str]] = {
    "humaneval": frozenset({"sandbox"}),
    "mbpp": frozenset({"sandbox"}),
    "math": frozenset({"question", "answer"}),
    "spider": frozenset({"reward"}),
    "bird": frozenset({"reward"}),
    "prices": frozenset(Settings.model_fields),
}


class Kind(NamedTuple):
    """A kind of data set: how it is read, and the world that judges answers."""

    read: Callable[[Path], Dataset[Any]]
    world: Callable[[Dataset[Any], Path, Mapping[str, Any]], World]
    inline: bool
    """Whether a step may run on the event loop."""
    seen: Callable[[dict[str, Any]], bool]
    """Whether a row looks like it."""


def _questions(data: Dataset[Any], path: Path, options: Mapping[str, Any]) -> World:
    del options
    return Questions.of(cast("tuple[Question, ...]", data.rows), data.lines(path.name))


def _hotpot(data: Dataset[Any], path: Path, options: Mapping[str, Any]) -> World:
    del path, options
    return HotpotWorld(data.rows)


def _sql(data: Dataset[Any], path: Path, options: Mapping[str, Any]) -> World:
    reward = options.get("reward", "strict")
    if reward not in ("strict", "paverl"):
        raise ConfigurationError(f"{path}: reward is {reward!r}; take strict or paverl")
    return SqlWorld(data.rows, reward)


def _code(data: Dataset[Any], path: Path, options: Mapping[str, Any]) -> World:
    del path
    return CodeWorld(data.rows, choose(str(options.get("sandbox", "auto"))))


def _prices(data: Dataset[Any], path: Path, options: Mapping[str, Any]) -> World:
    del path
    return PriceWorld(data.rows, Settings.model_validate(options))


def _dated(fields: dict[str, Any]) -> bool:
    return bool(fields) and all(_DAY.match(key) for key in fields)


def _has(*keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda fields: set(keys) <= fields.keys()


def _math_row(fields: dict[str, Any]) -> bool:
    pairs = ({"problem", "answer"}, {"problem", "solution"}, {"Body", "Question", "Answer"})
    others = ({"question", "final_answer"}, {"question", "answer"})
    return any(keys <= fields.keys() for keys in (*pairs, *others))


KINDS: Mapping[str, Kind] = {
    "humaneval": Kind(
        read_humaneval, _code, False, _has("prompt", "entry_point", "canonical_solution", "test")
    ),
    "mbpp": Kind(
        read_mbpp,
        _code,
        False,
        lambda f: (
            "test_list" in f
            or ({"name", "prompt"} <= f.keys() and bool({"test", "tests"} & f.keys()))
        ),
    ),
    "hotpotqa": Kind(read_hotpotqa, _hotpot, True, _has("question", "answer", "context")),
    "bird": Kind(read_bird, _sql, False, _has("db_id", "question", "SQL")),
    "spider": Kind(read_spider, _sql, False, _has("db_id", "question", "query")),
    "gsm8k": Kind(
        read_gsm8k,
        _questions,
        True,
        lambda f: "question" in f and "####" in str(f.get("answer", "")),
    ),
    "math": Kind(read_math, _questions, True, _math_row),
    "prices": Kind(read_prices, _prices, True, _dated),
}
"""In the order in which a file without a named kind is compared with them."""


def read_dataset(kind: str, path: Path) -> Dataset[Any]:
    """The rows of `path` as a data set of `kind`.

    Raises:
        UnknownNameError: There is no such kind.
        DataError: It cannot be used.
    """
    if kind not in KINDS:
        raise UnknownNameError.of("kind of data", kind, KINDS)
    if not there(path):
        raise DataError(f"{path}: no such file or folder")
    needs_folder = kind in ("spider", "bird")
    if path.is_dir() != needs_folder and kind != "prices":
        wanted = "a folder" if needs_folder else "a file"
        raise DataError(f"{path}: {kind} is {wanted}")
    return KINDS[kind].read(path)


def check_data(path: Path) -> Dataset[Any]:
    """The rows of `path` as the kind that most of them look like.

    Raises:
        DataError: It looks like none, or cannot be used.
    """
    if not there(path):
        raise DataError(f"{path}: no such file or folder")
    if is_prices(path):
        return read_dataset("prices", path)
    rows, _ = read_rows(questions_file(path) if path.is_dir() else path)
    for name, kind in KINDS.items():
        if sum(kind.seen(row.fields) for row in rows) * 2 > len(rows):
            return read_dataset(name, path)
    keys = ", ".join(sorted(rows[0].fields)[:8])
    raise DataError(f"{path}: rows with {keys} are of no known kind ({', '.join(KINDS)})")


def path_of(kind: str, place: str) -> Path:
    """The path of `kind:PATH`; raises `DataError` where there is none: `.` must be meant."""
    if not place:
        raise DataError(f"{kind}: names no file; write {kind}:PATH")
    return Path(place)


def load_dataset(ref: str, options: Mapping[str, Any], *, untrusted: bool = False) -> WorldTask:
    """The task behind `kind:PATH`.

    Raises:
        ConfigurationError: This machine has no sandbox for programs, or an option is unknown.
        DataError: The file cannot be used.
    """
    kind, _, place = ref.partition(":")
    path = path_of(kind, place)
    known = _OPTIONS.get(kind, frozenset())
    for option in options:
        if option not in known:
            raise UnknownNameError.of(f"option of {kind}", option, known)
    query = "&".join(f"{k}={v}" for k, v in sorted(options.items()))
    if kind == "prices":
        return load_prices(path, options, query, untrusted=untrusted)
    if kind == "math" and options:
        data: Dataset[Any] = read_math(path, {k: str(v) for k, v in options.items()})
    else:
        data = read_dataset(kind, path)
    world = KINDS[kind].world(data, path, options)
    sizes = {split: world.size(split) or 0 for split in _SPLITS}
    problems = [world.problem(s, i) for s in _SPLITS for i in range(sizes[s])]
    card = Card(
        id=f"{kind}-{path.name.split('.')[0].lower()}" + (f"?{query}" if query else ""),
        summary=f"The questions of {path.name} ({kind}).",
        learns="both",
        observations=Origin.UNTRUSTED if untrusted else Origin.TASK,
        max_steps=int(getattr(world, "max_steps", 1)),
        inline=KINDS[kind].inline,
        reward_supplier=RewardSupplier.CHECK,
        default_train=max(sizes["train"], 1),
        default_instances=len(problems),
        ref=f"{kind}:{path.resolve()}" + (f"?{query}" if query else ""),
        notes=data.lines(path.name),
        behaviour=sha256_json([cast("list[JsonValue]", list(p)) for p in problems]),
    )
    return WorldTask(card, world)

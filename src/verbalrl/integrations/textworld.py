"""Games of TextWorld and ALFWorld from files of the user's: `textworld:PATH`, `alfworld:PATH`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigurationError, DataError, TaskError, boundary, first_line
from ..ids import coin, sha256_json
from ..records import Action, Instance, Observation, Split, StepResult
from ..tasks.base import Environment, Policy, Problem, WorldTask
from ..tasks.questions import TRAIN_SHARE
from ._framework import framework
from ._outside import About, Chance, Named, behaviour_of, card_of

_STEPS = 50
_LONGEST = 200
"""Characters of a command: the interpreters of games are old C."""
_META = frozenset(
    {
        "q",
        "quit",
        "restart",
        "restore",
        "save",
        "script",
        "transcript",
        "undo",
        "unscript",
        "verify",
        "version",
    }
)
_UNITS = {".z5": 4, ".z8": 8}
_STATUS = re.compile(r"\n>[^\n]*\Z")
_PUT = re.compile(r"(?:put|place) (.+?) (?:in/on|into|onto|in|on) (.+)", re.IGNORECASE)
_GOAL = re.compile(r"your task is to: ([^\n\"\\]+)", re.IGNORECASE)


class Kind(NamedTuple):
    """One of the two libraries."""

    name: str
    suffixes: tuple[str, ...]
    understood: Callable[[str], str]
    """From what an agent says to what the game's grammar knows."""


def moved(command: str) -> str:
    """ALFWorld's `move X to Y` for the `put X in/on Y` of its earlier releases."""
    found = _PUT.fullmatch(command)
    return command if found is None else f"move {found[1]} to {found[2]}"


KINDS = {
    "textworld": Kind("textworld", (".z5", ".z8"), str),
    "alfworld": Kind("alfworld", (".tw-pddl",), moved),
}


def load_textworld(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The game, or the folder of games, that `ref` (`textworld:FILE`) names; one is an instance.

    `?admissible=true` lists the commands that a game would accept, which gives much away;
    `?max_steps=N` sets the limit.

    Raises:
        ConfigurationError: The package is missing, or a game cannot be played here.
        DataError: There is no such file, or no game in the folder.
    """
    del task_seed  # the games are what they are
    named = Named.read(ref)
    kind = KINDS[named.prefix]
    framework("textworld", kind.name)
    framework(kind.name, kind.name)
    named.allow(("admissible", "max_steps"))
    named = named._replace(name=str(Path(named.name).resolve()))
    world = GameWorld(kind, games_of(kind, Path(named.name)), bool(named.options.get("admissible")))
    versions = {name: version(name) for name in {"textworld", kind.name}}
    sums = {"games": sha256_json([[name, _sum(path)] for name, path in world.games])}
    about = About(
        summary=f"{len(world.games)} of {kind.name}'s games, from {Path(named.name).name}.",
        max_steps=named.limit(_STEPS),
        behaviour=behaviour_of({**versions, **sums}, __file__),
        notes=world.notes(),
        untrusted=untrusted,
        instances=len(world.games),
    )
    return WorldTask(card_of(named, about), world)


def load_alfworld(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The same for games of ALFWorld: `alfworld:FILE`, a `game.tw-pddl`, or a folder of them."""
    return load_textworld(ref, task_seed=task_seed, untrusted=untrusted)


def games_of(kind: Kind, place: Path) -> tuple[tuple[str, Path], ...]:
    """The games at `place` with their names, sorted by these."""
    if place.is_file():
        if place.suffix not in kind.suffixes:
            raise DataError(f"{place}: a game of {kind.name} ends in {', '.join(kind.suffixes)}")
        return ((place.stem, place),)
    if not place.is_dir():
        raise DataError(f"{place}: no such file or folder")
    found = sorted(path for path in place.rglob("*") if path.suffix in kind.suffixes)
    if not found:
        raise DataError(f"{place}: no game of {kind.name} ({', '.join(kind.suffixes)})")
    return tuple((path.relative_to(place).as_posix(), path) for path in found)


def check_game(path: Path) -> None:
    """Raise `DataError` for a file that would end this process: interpreters exit on such.

    A story file states its version, its length in units of 4 or 8 bytes and the sum of its bytes
    (Z-Machine Standard 1.1, section 11).
    """
    if path.suffix not in _UNITS:
        return
    story = path.read_bytes()
    length = int.from_bytes(story[0x1A:0x1C], "big") * _UNITS[path.suffix]
    whole = len(story) >= length >= 0x40 and f".z{story[0]}" == path.suffix
    if not whole or sum(story[0x40:length]) % 0x10000 != int.from_bytes(story[0x1C:0x1E], "big"):
        raise DataError(f"{path}: cannot be played here: it is no whole {path.suffix} story file")


class GameWorld:
    """Games in files; several are divided 70/30 by a hash of their names."""

    def __init__(self, kind: Kind, games: Sequence[tuple[str, Path]], listed: bool) -> None:
        self.games = tuple(games)
        self._kind = kind
        self._listed = listed
        in_order = sorted(games, key=lambda game: (coin("split", game[0]), game[0]))
        cut = max(1, round(TRAIN_SHARE * len(games)))
        train = {name for name, _ in in_order[:cut]}
        self._splits: dict[Split, list[tuple[str, Path]]] = {
            "train": [game for game in games if game[0] in train],
            "test": [game for game in games if game[0] not in train],
        }
        self._paths = dict(games)
        self._goals: dict[str, str] = {}

    def notes(self) -> tuple[str, ...]:
        """What is said before a run; starts the first game to see that it can be played."""
        game = self.opened(self.games[0][1])
        try:
            won = game.reset().get("won")
        finally:
            game.close()
        if won is None:
            return ("the game does not say whether it is won, so success stays unknown",)
        return ("success is a game that is won, whatever its score",)

    def size(self, split: Split, /) -> int | None:
        """The games of `split`."""
        return len(self._splits[split])

    def problem(self, split: Split, index: int, /) -> Problem:
        """Game number `index` of `split`, with what it says of its purpose as the goal."""
        name, path = self._splits[split][index]
        if name not in self._goals:
            self._goals[name] = self._goal(path)
        return Problem(self._goals[name], {"game": name}, (), name)

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh interpreter of the game."""
        path = self._paths[str(instance.data["game"])]
        return GameEnvironment(self.opened(path), self._kind, self._listed)

    def oracle(self, instance: Instance, /) -> Policy | None:
        """Follows the game's own walkthrough, where there is one."""
        game = self.opened(self._paths[str(instance.data["game"])], extras=["walkthrough"])
        try:
            way = game.reset().get("extra.walkthrough")
        finally:
            game.close()
        if not way:
            return None
        return lambda situation: Action(text=str(way[min(situation.step, len(way)) - 1]))

    def opened(self, path: Path, **more: Any) -> Any:
        """The game at `path`; a `ConfigurationError` where it cannot be played here."""
        package = framework("textworld", self._kind.name)
        asked = package.EnvInfos(
            won=True, lost=True, objective=True, admissible_commands=self._listed, **more
        )
        wrappers = []
        if self._kind.name == "alfworld":
            own = framework("alfworld.agents.environment.alfred_tw_env", "alfworld")
            wrappers = [own.AlfredDemangler()]
        check_game(path)
        try:
            with boundary(TaskError, str(path)), Chance(0).own():
                return package.start(str(path), asked, wrappers=wrappers)
        except TaskError as error:
            raise ConfigurationError(f"cannot be played here: {error}") from error

    def _goal(self, path: Path) -> str:
        if self._kind.name == "alfworld":
            found = _GOAL.search(_grammar(path))
            return f"Your task is to: {found[1].strip()}" if found else "Do what the game asks for."
        game = self.opened(path)
        try:
            told = str(game.reset().get("objective") or "")
        finally:
            game.close()
        return told.strip() or "Win the game."


class GameEnvironment:
    """One game; nothing in it depends on chance."""

    def __init__(self, game: Any, kind: Kind, listed: bool) -> None:
        self._game = game
        self._kind = kind
        self._listed = listed
        self._state: Any = None
        self._score = 0.0

    def reset(self, seed: int, /) -> Observation:
        """Begin; the goal is not said twice."""
        self._state = self._game.reset()
        self._score = 0.0
        return self._observed(readable(str(self._state["feedback"])))

    def step(self, action: Action, /) -> StepResult:
        """Say a command; the reward is by how much the score rose."""
        command = self._kind.understood(" ".join(action.text.split()))
        if not _harmless(command):
            told = "The game knows no such command."
            return StepResult(
                observation=self._observed(told), feedback=told, reward=0.0, success=self._open()
            )
        self._state, score, done = self._game.step(command)
        told = readable(str(self._state["feedback"]))
        gained, self._score = float(score) - self._score, float(score)
        won = self._state.get("won")
        return StepResult(
            observation=Observation(text=told, actions=()) if done else self._observed(told),
            feedback=_change(gained, bool(done), won),
            reward=gained,
            terminated=bool(done),
            success=bool(won) if done and won is not None else self._open(),
        )

    def close(self) -> None:
        """End the interpreter."""
        self._game.close()

    def _open(self) -> bool | None:
        return None if self._state.get("won") is None else False

    def _observed(self, told: str) -> Observation:
        commands = self._state.get("admissible_commands") if self._listed else None
        return Observation(text=told, actions=None if commands is None else tuple(commands))


def _change(gained: float, done: bool, won: bool | None) -> str:
    """What a command changed; the game's own words are the next observation."""
    if done:
        return "The game is over." if won is None else "You won." if won else "You lost."
    change = f"The score {'rose' if gained > 0 else 'fell'} by {abs(gained):g}."
    return change if gained else ""


def readable(text: str) -> str:
    """What a game said, without its banner, prompt and status line."""
    kept = [line.rstrip() for line in _STATUS.sub("", text).splitlines()]
    lines = [line for line in kept if "$$" not in line and not re.fullmatch(r"[\s_|\\/$]+", line)]
    said = re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()
    return said or "Nothing happens."


def _harmless(command: str) -> bool:
    """Whether `command` may go to an interpreter: a short line that does not end or save games."""
    plain = command.isascii() and command.isprintable() and 0 < len(command) <= _LONGEST
    return plain and command.split()[0].lower() not in _META


def _grammar(path: Path) -> str:
    """What a game of ALFWorld says of its words; raises `DataError` in one line."""
    try:
        game = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise DataError(f"{path}: is no game of alfworld: {first_line(str(error))}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    grammar = game.get("grammar", "") if isinstance(game, dict) else None
    if not isinstance(grammar, str):
        raise DataError(f"{path}: is no game of alfworld: expected an object with a grammar text")
    return grammar


def _sum(path: Path) -> str:
    return sha256_json([path.read_bytes().hex()])

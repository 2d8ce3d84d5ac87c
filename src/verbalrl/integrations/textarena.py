"""Single-player games of TextArena: `textarena:ID`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from ..errors import ConfigurationError, TaskError, UnknownNameError, boundary
from ..ids import seed_from
from ..records import Action, Instance, Observation, Split, StepResult
from ..tasks.base import Environment, Problem, WorldTask
from ._framework import framework
from ._outside import About, Chance, Named, behaviour_of, card_of, rule_of

_OWN_LIMIT = 60
_SOLVED_AT_ONE = frozenset(
    {
        "2048",
        "Bandit",
        "Countdown",
        "Crosswords",
        "Cryptarithm",
        "FrozenLake",
        "GuessTheNumber",
        "LightsOut",
        "LogicPuzzle",
        "Mastermind",
        "Minesweeper",
        "PegJump",
        "RushHour",
        "Secretary",
        "Slitherlink",
        "Sudoku",
        "ThreeCardMonte",
        "TowerOfHanoi",
    }
)
"""Families whose reward is 1 when the game is solved, and less for a part of it."""


def load_textarena(ref: str, *, task_seed: int = 0, untrusted: bool = False) -> WorldTask:
    """The single-player game that `ref` (`textarena:Mastermind-v0`) names.

    `?success=reward>=0.5` declares what counts as success where nothing else does, `?max_steps=N`
    sets the limit.

    Raises:
        ConfigurationError: TextArena is missing, or the game cannot be played here; says why.
        UnknownNameError: There is no such game or option.
    """
    named = Named.read(ref)
    registry = framework("textarena.envs.registration", "textarena").ENV_REGISTRY
    if named.name not in registry:
        plain = [name for name in registry if not name.endswith(("-raw", "-train"))]
        raise UnknownNameError.of("TextArena game", named.name, plain)
    named.allow(("max_steps", "success"))
    world = TextArenaWorld(named, task_seed)
    turns = getattr(world.begun(0).state, "max_turns", None)
    # A move that is refused once costs no turn.
    limit = named.limit(min(2 * turns, _OWN_LIMIT) if turns else _OWN_LIMIT)
    notes = []
    if world.success is None:
        notes.append(
            "nothing says what success is, so it stays unknown; declare it, for example "
            f"{named.prefix}:{named.name}?success=reward>=1"
        )
    about = About(
        summary=f"{named.name} of TextArena, played alone.",
        max_steps=limit,
        behaviour=behaviour_of({"textarena": version("textarena")}, __file__),
        notes=tuple(notes),
        untrusted=untrusted,
        task_seed=task_seed,
    )
    return WorldTask(card_of(named, about), world)


class TextArenaWorld:
    """One game; an instance is the seed of its reset."""

    def __init__(self, named: Named, task_seed: int) -> None:
        declared = named.options.get("success")
        family = named.name.partition("-v")[0]
        rule = "reward>=1" if declared is None and family in _SOLVED_AT_ONE else declared
        self.success = None if rule is None else rule_of(str(rule))
        self._named = named
        self._seed = task_seed

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """The game that seed number `index` deals, with its rules as the goal."""
        seed = seed_from("textarena", self._named.name, self._seed, split, index) % 2**31
        rules = told(self.begun(seed).get_observation()[1], "PROMPT")
        return Problem(rules or f"Play {self._named.name}.", {"seed": seed})

    def environment(self, instance: Instance, /) -> Environment:
        """A fresh game."""
        return TextArenaEnvironment(self, int(str(instance.data["seed"])))

    def begun(self, seed: int, chance: Chance | None = None) -> Any:
        """A game dealt by `seed`; a `ConfigurationError` where it cannot be played here."""
        make = framework("textarena", "textarena").make
        name = self._named.name
        raw = name if name.endswith("-raw") else f"{name.removesuffix('-train')}-raw"
        try:
            # Files that are missing, syntax of a newer Python, keys that are not set.
            with boundary(TaskError, self._named.ref), (chance or Chance(seed)).own():
                game = make(raw)
                game.reset(num_players=1, seed=seed)
        except TaskError as error:
            raise ConfigurationError(f"cannot be played here: {error}") from error
        return game


class TextArenaEnvironment:
    """One game; its text is what is new, as the history holds the rest."""

    def __init__(self, world: TextArenaWorld, dealt: int) -> None:
        self._world = world
        self._dealt = dealt
        self._chance = Chance(dealt)
        self._game: Any = None
        self._board = ""

    def reset(self, seed: int, /) -> Observation:
        """Deal as the instance says; `seed` decides the chance from here on."""
        self._chance.reseed(self._dealt)
        self._game = self._world.begun(self._dealt, self._chance)
        messages = self._game.get_observation()[1]
        self._chance.reseed(seed)
        self._board = told(messages, "GAME_BOARD")
        said = told(messages, "GAME_MESSAGE", "GAME_ACTION_DESCRIPTION")
        return Observation(
            text="\n\n".join(filter(None, (said, self._board))) or "The game begins."
        )

    def step(self, action: Action, /) -> StepResult:
        """Make a move; brackets around it may be left out."""
        move = action.text.strip()
        with self._chance.own():
            done, _ = self._game.step(move if "[" in move or "]" in move else f"[{move}]")
            messages = self._game.get_observation()[1]
        said = told(messages, "GAME_ADMIN", "GAME_MESSAGE", "GAME_ACTION_DESCRIPTION")
        if done:
            return self._ended(said)
        self._board = told(messages, "GAME_BOARD") or self._board
        known = self._world.success is not None
        return StepResult(
            observation=Observation(text=self._board or "It is your move."),
            feedback=said,
            reward=0.0,
            success=False if known else None,
        )

    def _ended(self, said: str) -> StepResult:
        rewards, info = self._game.close()
        mine = (info or {}).get(0, {})
        reward = float((rewards or {}).get(0, 0.0))
        rule = self._world.success
        # A refused move may end a game with the marks of what was reached before.
        won = None if rule is None else rule(reward, reward) and not mine.get("invalid_move")
        reason = str(mine.get("reason") or "")
        return StepResult(
            observation=Observation(text="The game is over.", actions=()),
            feedback="\n".join(filter(None, (said if said != reason else "", reason))),
            reward=reward,
            terminated=True,
            success=won,
        )


def told(messages: Any, *kinds: str) -> str:
    """The texts of the messages of `kinds`, which are `(sender, text, kind)`."""
    if isinstance(messages, str):
        return messages
    return "\n".join(text.strip() for _, text, kind in messages if kind.name in kinds)

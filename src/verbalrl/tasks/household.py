"""`household`: find things in a small home, treat them, and put them where they belong.

The six kinds of goal are those of ALFWorld: pick, clean, heat, cool, examine, two objects. A home
is drawn from `home.toml` of the task folder and stays the same in every trial of an instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self, cast

from pydantic import Field, JsonValue, model_validator

from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import below, dealt, pick, sample
from .tables import read_table

VERSION = "household-v1"
Kind = Literal["pick", "clean", "heat", "cool", "examine", "two"]
KINDS: tuple[Kind, ...] = ("pick", "clean", "heat", "cool", "examine", "two")
LAMP = "desklamp 1"
_STATES = {"clean": "clean", "heat": "hot", "cool": "cool"}
_MILESTONE = 0.1


class Furniture(Record):
    """A receptacle: where it stands, whether it has to be opened, what can be done with it."""

    name: str = Field(min_length=1)
    room: str = Field(min_length=1)
    closed: bool = False
    treats: Literal["clean", "heat", "cool", ""] = ""
    lamp: bool = False


class Home(Record):
    """The contents of `home.toml`."""

    furniture: tuple[Furniture, ...] = Field(min_length=3)
    things: dict[Kind, tuple[str, ...]]
    """The things that each kind of goal is about."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [kind for kind in KINDS if not self.things.get(kind)]
        if missing:
            raise ValueError(f"things: no thing to {missing[0]}")
        offered = {f.treats for f in self.furniture}
        if not {"clean", "heat", "cool"} <= offered or not any(f.lamp for f in self.furniture):
            raise ValueError(
                "furniture: something to clean, to heat, to cool and a lamp are wanted"
            )
        return self


class Move(NamedTuple):
    """What an action does."""

    verb: str
    thing: str = ""
    place: str = ""


class Household(Record):
    """All homes of one `home.toml`, with `places` receptacles and `clutter` other things each."""

    home: Home
    task_seed: int = 0
    places: int = Field(default=7, ge=5)
    clutter: int = Field(default=4, ge=0)
    steps: int = Field(default=24, ge=6)
    dialect: Literal["put", "move"] = "put"

    @model_validator(mode="after")
    def _room_for_places(self) -> Self:
        if self.places > len(self.home.furniture):
            raise ValueError(f"places is {self.places}; there are {len(self.home.furniture)}")
        return self

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Household:
        """The world of a task folder, with the furniture and things of its `home.toml`."""
        home = read_table(folder / "home.toml", Home)
        return cls.model_validate({**args, "home": home, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """The limit of steps."""
        return self.steps

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Home number `index`: six in a row hold each kind of goal once."""
        key = (VERSION, self.task_seed, split)
        kind = dealt(KINDS, index, *key, "kinds")
        own = (*key, index)
        needed = [
            f for f in self.home.furniture if f.treats == kind or (f.lamp and kind == "examine")
        ]
        others = [f for f in self.home.furniture if f not in needed]
        drawn = (*needed, *sample(others, self.places - len(needed), *own, "places"))
        furniture = tuple(f for f in self.home.furniture if f in drawn)
        thing = pick(self.home.things[kind], *own, "thing")
        plain = [f.name for f in furniture if f not in needed]
        target = pick(plain, *own, "target") if kind != "examine" else needed[0].name
        where = self._things(thing, kind, target, [f.name for f in furniture], own)
        data: dict[str, JsonValue] = {
            "kind": kind,
            "thing": thing,
            "target": target,
            "furniture": [f.name for f in furniture],
            "where": where,
        }
        return Problem(_goal(kind, thing, target), data)

    def environment(self, instance: Instance, /) -> Environment:
        """One home, with the agent in the middle of it."""
        return HouseholdEnvironment(self.errand(instance), self.dialect)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows where everything is."""
        path = self.errand(instance).solution(self.dialect)
        return follow(*path)

    def errand(self, instance: Instance) -> Errand:
        """The home and the goal of `instance`."""
        data = instance.data
        names = cast("list[str]", data["furniture"])
        by_name = {f.name: f for f in self.home.furniture}
        return Errand(
            cast("Kind", data["kind"]),
            str(data["thing"]),
            str(data["target"]),
            {name: by_name[name] for name in names},
            cast("dict[str, str]", data["where"]),
        )

    def _things(
        self, thing: str, kind: Kind, target: str, names: list[str], own: tuple[object, ...]
    ) -> dict[str, JsonValue]:
        """Where each thing is; what is looked for is never in its place already."""
        elsewhere = [name for name in names if name != target]
        wanted = [f"{thing} {n}" for n in range(1, 3 if kind == "two" else 2)]
        kinds = sorted({t for things in self.home.things.values() for t in things} - {thing})
        clutter = [f"{name} 1" for name in sample(kinds, self.clutter, *own, "clutter")]
        found: dict[str, JsonValue] = {w: pick(elsewhere, *own, "at", w) for w in wanted}
        return found | {c: names[below(len(names), *own, "at", c)] for c in clutter}


class Errand(NamedTuple):
    """A home and what is to be done in it."""

    kind: Kind
    thing: str
    target: str
    furniture: Mapping[str, Furniture]
    where: Mapping[str, str]

    @property
    def wanted(self) -> tuple[str, ...]:
        """The things that the goal is about."""
        return tuple(name for name in self.where if name.rpartition(" ")[0] == self.thing)

    @property
    def tool(self) -> str:
        """Where they are cleaned, heated or cooled; empty where the goal asks for no such thing."""
        return next((f.name for f in self.furniture.values() if f.treats == self.kind), "")

    def solution(self, dialect: str) -> tuple[str, ...]:
        """The actions of somebody who knows where everything is."""
        path: list[str] = []
        opened: set[str] = set()

        def at(name: str) -> None:
            path.append(f"go to {name}")
            if self.furniture[name].closed and name not in opened:
                opened.add(name)
                path.append(f"open {name}")

        for wanted in self.wanted:
            at(self.where[wanted])
            path.append(f"take {wanted} from {self.where[wanted]}")
            if self.kind in _STATES:
                path += [f"go to {self.tool}"] * (self.tool != self.where[wanted])
                path.append(f"{self.kind} {wanted} with {self.tool}")
            if self.kind == "examine":
                path += [f"go to {self.target}", f"use {LAMP}"]
            else:
                at(self.target)
                path.append(_put(wanted, self.target, dialect))
        return tuple(path)


class HouseholdEnvironment:
    """One home; nothing here depends on chance."""

    def __init__(self, errand: Errand, dialect: str) -> None:
        self._errand = errand
        self._dialect = dialect
        self.reset(0)

    def reset(self, seed: int, /) -> Observation:
        """Everything is where it was, all doors are shut."""
        self._place = ""
        self._held = ""
        self._where = dict(self._errand.where)
        self._open: set[str] = set()
        self._states: dict[str, str] = {}
        self._reached: set[str] = set()
        return self._observe()

    def step(self, action: Action, /) -> StepResult:
        """Do it, if it can be done here and now."""
        move = self._moves.get(normalised(action.text))
        if move is None:
            return StepResult(
                observation=self._seen, feedback="Nothing happens.", reward=0.0, success=False
            )
        feedback = self._do(move)
        success = self._done(move)
        shown = self._observe()
        reward = 1.0 if success else _MILESTONE * self._progress(move)
        if success:
            shown, feedback = _OVER, f"{feedback} That was the task: a success."
        return StepResult(
            observation=shown,
            feedback=feedback,
            reward=reward,
            terminated=success,
            success=success,
        )

    def _do(self, move: Move) -> str:
        match move.verb:
            case "go":
                self._place = move.place
                return (
                    f"You arrive at {move.place} in the {self._errand.furniture[move.place].room}."
                )
            case "open":
                self._open.add(move.place)
                return f"You open {move.place}."
            case "take":
                self._held = move.thing
                del self._where[move.thing]
                return f"You pick up {move.thing}."
            case "put":
                self._held = ""
                self._where[move.thing] = move.place
                return f"You put {move.thing} down there."
            case "use":
                return "You switch the lamp on."
        self._states[move.thing] = _STATES[move.verb]
        return f"You {move.verb} {move.thing}."

    def _done(self, move: Move) -> bool:
        kind, thing, target = self._errand.kind, self._errand.thing, self._errand.target
        if kind == "examine":
            return move.verb == "use" and self._held.rpartition(" ")[0] == thing
        there = [w for w, p in self._where.items() if p == target and w.rpartition(" ")[0] == thing]
        if kind in _STATES:
            return any(self._states.get(w) == _STATES[kind] for w in there)
        return len(there) >= (2 if kind == "two" else 1)

    def _progress(self, move: Move) -> bool:
        """Whether a step that the goal needs was made for the first time in this attempt."""
        kind, wanted = self._errand.kind, self._errand.wanted
        found = self._place and not self._held
        new = {f"find {w}" for w in wanted if found and self._where.get(w) == self._place}
        if move.thing in wanted and move.verb in ("take", kind):
            new.add(f"{move.verb} {move.thing}")
        if move.thing in wanted and kind == "two" and move.verb == "put":
            new |= {f"put {move.thing}"} if move.place == self._errand.target else set()
        if move.verb == "go" and self._held in wanted:
            new |= (
                {f"bring {self._next_place()} {self._held}"}
                if move.place == self._next_place()
                else set()
            )
        new -= self._reached
        self._reached |= new
        return bool(new)

    def _next_place(self) -> str:
        """Where what is held has to go next."""
        kind = self._errand.kind
        if kind in _STATES and self._states.get(self._held) != _STATES[kind]:
            return self._errand.tool
        return self._errand.target

    def _visible(self) -> list[str]:
        place = self._errand.furniture.get(self._place)
        if place is None or (place.closed and self._place not in self._open):
            return []
        return [thing for thing, where in self._where.items() if where == self._place]

    def _observe(self) -> Observation:
        visible = self._visible()
        self._moves = {}
        listed: list[str] = []
        for text, other, move in self._options(visible):
            listed.append(text)
            self._moves[normalised(text)] = move
            if other:
                self._moves[normalised(other)] = move
        self._seen = Observation(text=self._text(visible), actions=tuple(listed))
        return self._seen

    def _options(self, visible: list[str]) -> list[tuple[str, str, Move]]:
        """Text, the same in the other dialect, and what it does."""
        names, here = self._errand.furniture, self._place
        found = [(f"go to {n}", "", Move("go", place=n)) for n in names if n != here]
        if not here:
            return found
        at = names[here]
        reachable = not at.closed or here in self._open
        if not reachable:
            found.append((f"open {here}", "", Move("open", place=here)))
        if not self._held:
            found += [(f"take {t} from {here}", "", Move("take", t, here)) for t in visible]
            return found
        held = self._held
        if reachable:
            other = "move" if self._dialect == "put" else "put"
            texts = _put(held, here, self._dialect), _put(held, here, other)
            found.append((*texts, Move("put", held, here)))
        if at.treats:
            found.append((f"{at.treats} {held} with {here}", "", Move(at.treats, held, here)))
        if at.lamp:
            found.append((f"use {LAMP}", "", Move("use", held, here)))
        return found

    def _text(self, visible: list[str]) -> str:
        # Not where the agent stands, which the history tells: what was learned at one empty place
        # has to serve at all of them.
        at = self._errand.furniture.get(self._place)
        if at is not None and at.closed and self._place not in self._open:
            said = f"{self._place}, which is closed"
        else:
            things = visible + [LAMP] * (at is not None and at.lamp)
            said = f"{_list(things)} at {self._place}" if things else "nothing"
        state = self._states.get(self._held, "")
        held = f"{self._held}, which is {state}" if state else self._held or "nothing"
        return f"You see {said}. You hold {held}."


_OVER = Observation(text="The task is done.", actions=())


def _put(thing: str, place: str, dialect: str) -> str:
    return f"put {thing} in/on {place}" if dialect == "put" else f"move {thing} to {place}"


def _list(names: list[str]) -> str:
    if len(names) < 2:
        return names[0] if names else "nothing"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _goal(kind: Kind, thing: str, target: str) -> str:
    match kind:
        case "examine":
            return f"Look at the {thing} under the lamp that is lit."
        case "two":
            return f"Put two of the things called {thing} in or on {target}."
        case "pick":
            return f"Put the {thing} in or on {target}."
    return f"Put the {thing} in or on {target} after making it {_STATES[kind]}."

"""`car-dealer`: a buyer with a hidden budget and a temper of their own, after LMRL-Gym.

First a car is offered: one above the budget drives the buyer away, one far below it is bought at
once and earns little. Then the buyer remarks on the car, and what closes the sale depends on the
kind of buyer. Phrases, prices and sentences stand in `dealer.toml` of the task folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, JsonValue

from ..errors import DataError
from ..ids import normalised
from ..records import Action, Instance, Observation, Record, Split, StepResult
from .base import Environment, Policy, Problem, follow
from .draws import dealt, pick, sample, shuffled
from .tables import read_table, sentence

VERSION = "car-dealer-v1"
_OVER = Observation(text="The visitor is gone.", actions=())


class Car(Record):
    """A car of the lot, and the phrases of buyers who can just pay for it."""

    name: str = Field(min_length=1)
    price: int = Field(gt=0)
    budget: int = Field(gt=0)
    """The budget of those buyers, hidden from the agent."""
    phrases: tuple[str, ...] = Field(min_length=1)


class Tactic(Record):
    """What closes a sale, and the remarks of the buyers with whom it does."""

    action: str = Field(min_length=1)
    remarks: tuple[str, ...] = Field(min_length=1)
    discount: float = Field(default=0.0, ge=0, lt=1)


class Scenes(Record):
    """The sentences of one split; braces name a filling."""

    openings: tuple[str, ...] = Field(min_length=1)
    cues: tuple[str, ...] = Field(min_length=1)
    details: tuple[str, ...] = Field(min_length=2)
    remarks: tuple[str, ...] = Field(min_length=1)


class Lot(Record):
    """The contents of `dealer.toml`."""

    cars: tuple[Car, ...] = Field(min_length=2)
    tactics: tuple[Tactic, ...] = Field(min_length=2)
    fill: dict[str, tuple[str, ...]]
    train: Scenes
    test: Scenes


class Dealer(Record):
    """All buyers of one `dealer.toml`."""

    lot: Lot
    task_seed: int = 0

    @classmethod
    def open(cls, folder: Path, args: dict[str, JsonValue], task_seed: int) -> Dealer:
        """The world of a task folder, with the cars and buyers of its `dealer.toml`."""
        lot = read_table(folder / "dealer.toml", Lot)
        return cls.model_validate({**args, "lot": lot, "task_seed": task_seed})

    @property
    def max_steps(self) -> int:
        """An offer, what closes the sale, and two slips."""
        return 4

    def size(self, split: Split, /) -> int | None:
        """Without end."""
        return None

    def problem(self, split: Split, index: int, /) -> Problem:
        """Buyer number `index`: runs of as many as there are phrases hold each phrase once."""
        key = (VERSION, self.task_seed, split)
        cues = [(n, cue) for n, car in enumerate(self.lot.cars) for cue in car.phrases]
        temper = [(n, said) for n, t in enumerate(self.lot.tactics) for said in t.remarks]
        car, cue = dealt(cues, index, *key, "car")
        tactic, remark = dealt(temper, index, *key, "temper")
        scenes = self.lot.train if split == "train" else self.lot.test
        own = (*key, index)
        fill = {name: pick(words, *own, name) for name, words in self.lot.fill.items()}
        fill |= {"cue": cue, "remark": remark}
        body = (pick(scenes.cues, *own, "cue"), *sample(scenes.details, 2, *own, "details"))
        said = (pick(scenes.openings, *own, "opening"), *shuffled(body, *own, "order"))
        data: dict[str, JsonValue] = {
            "text": " ".join(sentence(part, fill) for part in said),
            "remark": sentence(pick(scenes.remarks, *own, "remark"), fill),
            "car": car,
            "tactic": tactic,
        }
        return Problem(self._goal(), data)

    def environment(self, instance: Instance, /) -> Environment:
        """One buyer."""
        return DealerEnvironment(self.lot, instance.data)

    def oracle(self, instance: Instance, /) -> Policy:
        """Knows the budget and the temper."""
        car, tactic = _places(instance.data)
        path = (offer(self.lot.cars[car].name), self.lot.tactics[tactic].action)
        return follow(*path)

    def _goal(self) -> str:
        cars = ", ".join(f"{car.name} ${car.price:,}" for car in self.lot.cars)
        return (
            f"Sell the dearest car that is within the budget, which nobody tells you: {cars}. "
            "Offer one car, then say what closes the sale."
        )


class DealerEnvironment:
    """One buyer; nothing here depends on chance."""

    def __init__(self, lot: Lot, data: Mapping[str, JsonValue]) -> None:
        self._lot = lot
        self._text, self._remark = str(data["text"]), str(data["remark"])
        self._car, self._tactic = _places(data)
        self._offers = {normalised(offer(car.name)): n for n, car in enumerate(lot.cars)}
        self._closings = {normalised(t.action): n for n, t in enumerate(lot.tactics)}
        self._offered = False

    def reset(self, seed: int, /) -> Observation:
        """Somebody comes in."""
        self._offered = False
        actions = tuple(offer(car.name) for car in self._lot.cars)
        return Observation(text=self._text, actions=actions)

    def step(self, action: Action, /) -> StepResult:
        """Hear what the buyer makes of it."""
        said = normalised(action.text)
        if self._offered:
            return self._closed(self._closings.get(said))
        number = self._offers.get(said)
        if number is None:
            return _over("Wrong: that is no offer, and the visitor leaves.")
        if number == self._car:
            self._offered = True
            actions = tuple(tactic.action for tactic in self._lot.tactics)
            shown = Observation(text=self._remark, actions=actions)
            return StepResult(
                observation=shown, feedback="The visitor takes a look.", success=False
            )
        car = self._lot.cars[number]
        if car.price > self._lot.cars[self._car].budget:
            return _over(f"Wrong: the {car.name} is beyond the budget, and the visitor leaves.")
        said = f"Wrong: the {car.name} was bought at once, and far more could have been earned."
        return _over(said, car.price)

    def _closed(self, number: int | None) -> StepResult:
        if number is None:
            return _over("Wrong: that closes no sale, and the visitor leaves.")
        if number != self._tactic:
            return _over("Wrong: that was not what this visitor wanted to hear; the sale is lost.")
        price = self._lot.cars[self._car].price * (1 - self._lot.tactics[number].discount)
        return _over("Correct: the car is sold.", price, success=True)


def offer(name: str) -> str:
    """The action that offers the car `name`."""
    return f"offer the {name}"


def _over(feedback: str, price: float = 0.0, success: bool = False) -> StepResult:
    return StepResult(
        observation=_OVER,
        feedback=feedback,
        reward=round(price / 1000, 3),
        terminated=True,
        success=success,
    )


def _places(data: Mapping[str, JsonValue]) -> tuple[int, int]:
    car, tactic = data["car"], data["tactic"]
    if not isinstance(car, int) or not isinstance(tactic, int):
        raise DataError("car-dealer: the instance names no car and no tactic")
    return car, tactic

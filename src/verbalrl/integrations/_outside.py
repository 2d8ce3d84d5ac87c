"""What the adapters of other people's environments share: references, cards, chance and noise."""

from __future__ import annotations

import operator
import random
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigurationError, UnknownNameError
from ..ids import canonical_json, sha256_json, sha256_text
from ..records import Origin, RewardSupplier
from ..tasks.base import Card
from ..tasks.folder import options_of

_RULE = re.compile(r"(reward|return)(>=|<=|==|>|<)(-?\d+(?:\.\d+)?)")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_ONE_AT_A_TIME = threading.RLock()


class Named(NamedTuple):
    """A reference such as `reasoning:NAME?max_steps=4`, read."""

    prefix: str
    name: str
    options: dict[str, Any]

    @classmethod
    def read(cls, ref: str) -> Named:
        """The parts of `ref`; raises `ConfigurationError` where an option is no `name=value`."""
        whole, _, query = ref.partition("?")
        prefix, _, name = whole.partition(":")
        return cls(prefix, name, options_of(query, ref) if query else {})

    def allow(self, known: Iterable[str]) -> None:
        """Raise `UnknownNameError` for an option that is none of `known`."""
        options = tuple(known)
        for option in self.options:
            if option not in options:
                kind = f"option of {self.prefix}:{self.name}"
                raise UnknownNameError.of(kind, option, options)

    @property
    def ref(self) -> str:
        """What loads the same task again."""
        pairs = (
            f"{k}={v if isinstance(v, str) else canonical_json(v)}" for k, v in self.options.items()
        )
        query = "&".join(sorted(pairs))
        return f"{self.prefix}:{self.name}" + (f"?{query}" if query else "")

    def limit(self, usual: int) -> int:
        """The steps of an episode: `?max_steps=N`, else `usual`."""
        chosen = self.options.get("max_steps", usual)
        if isinstance(chosen, bool) or not isinstance(chosen, int) or chosen < 1:
            raise ConfigurationError(f"max_steps={chosen} is not a whole number of at least 1")
        return chosen


class About(NamedTuple):
    """What a card says beside the reference."""

    summary: str
    max_steps: int
    behaviour: str
    """See `behaviour_of`."""
    notes: tuple[str, ...] = ()
    learns_both: bool = False
    reward_supplier: RewardSupplier = RewardSupplier.ENVIRONMENT
    untrusted: bool = False
    task_seed: int = 0
    instances: int = 8


def card_of(named: Named, about: About) -> Card:
    """The card of a task whose steps another package takes."""
    return Card(
        id=named.ref,
        summary=about.summary,
        learns="both" if about.learns_both else "instance",
        observations=Origin.UNTRUSTED if about.untrusted else Origin.TASK,
        max_steps=about.max_steps,
        reward_supplier=about.reward_supplier,
        default_train=about.instances,
        default_instances=about.instances,
        task_seed=about.task_seed,
        ref=named.ref,
        notes=about.notes,
        behaviour=about.behaviour,
    )


def behaviour_of(versions: Mapping[str, str], *files: str) -> str:
    """A hash of the packages' `versions` and of our own `files`, which decide with them."""
    own = [sha256_text(Path(file).read_text(encoding="utf-8")) for file in files]
    return sha256_json([dict(versions), own])


def rule_of(text: str) -> Callable[[float, float], bool]:
    """The rule of success that `text` declares, of the last reward and of the sum of all.

    Raises:
        ConfigurationError: It is none; the message shows one.
    """
    found = _RULE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ConfigurationError(
            f"success={text!r} is not a rule; write reward>=1, or return>=10 for the sum"
        )
    what, sign, bound = found.groups()
    compare, limit = _COMPARE[sign], float(bound)
    return lambda reward, total: compare(reward if what == "reward" else total, limit)


class Chance:
    """The global chance of `random` and NumPy as one environment leaves it, seeded by `seed`.

    Packages that draw from it would otherwise disturb each other's episodes.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state: tuple[Any, Any] | None = None

    def reseed(self, seed: int) -> None:
        """What is drawn from here on follows `seed`."""
        self._seed, self._state = seed, None

    @contextmanager
    def own(self) -> Iterator[None]:
        """Within, draws are those of this environment, and what is printed goes to stderr."""
        with _ONE_AT_A_TIME, redirect_stdout(sys.stderr):
            others = _state()
            if self._state is None:
                _seed(self._seed)
            else:
                _restore(self._state)
            try:
                yield
            finally:
                self._state = _state()
                _restore(others)


def _numpy() -> Any:
    # Only where somebody has imported it already: what has not cannot draw from it.
    return sys.modules.get("numpy")


def _state() -> tuple[Any, Any]:
    numpy = _numpy()
    return random.getstate(), numpy.random.get_state() if numpy else None


def _restore(state: tuple[Any, Any]) -> None:
    random.setstate(state[0])
    if state[1] is not None:
        _numpy().random.set_state(state[1])


def _seed(seed: int) -> None:
    random.seed(seed)
    if numpy := _numpy():
        numpy.random.seed(seed % 2**32)

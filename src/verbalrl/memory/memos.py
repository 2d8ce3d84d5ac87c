"""Memos: what earlier days of an episode chain may tell about the present one; never lessons.

The recall policies of FinCon (Yu et al. 2024, arXiv 2407.06567, appendix A.13) and FinMem (Yu et
al. 2023, arXiv 2311.13743, section 3.2; constants of its code, `config.toml` and `puppy/`). Pure
functions: the state is a fold over the steps (their reports, cited memos and rewards), so that a
replay gives the same. A day is a step; its result is the step's reward.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple

from ..errors import UnknownNameError
from ..ids import coin, normalised
from ..records import Action, Memo, Step

OWN = "actor"
"""The source of what the deciding agent thought itself."""
RAISE = 5.0
"""What one citation adds to an importance (FinCon A.13; FinMem's `access_counter.py`)."""
LEAST_RECENCY, LEAST_IMPORTANCE = 0.05, 5.0
"""Below either FinMem forgets an item (`clean_up_threshold_dict`)."""
_FULL = 100.0
"""The importance that counts as 1."""
_PASSES = 2
"""How often a day FinMem lets items change layers."""


class Layer(NamedTuple):
    """How one layer keeps its items."""

    drawn: tuple[tuple[float, float], ...]
    """Initial importances with their chances."""
    fades: float
    """What an importance is multiplied by each day."""
    spans: float = math.inf
    """Recency is exp(-days / spans)."""
    rises: tuple[float, str] | None = None
    """From this importance on an item goes up to that layer, as if it were new."""
    sinks: tuple[float, str] | None = None
    """Below this importance it goes down to that layer."""


@dataclass(frozen=True)
class MemoRules:
    """How memos are kept and chosen."""

    name: str
    layers: Mapping[str, Layer]
    homes: Mapping[str, str]
    """By source the layer in which its items begin."""
    home: str
    """The layer of all other sources."""
    most: int
    """So many are shown."""
    by_layer: bool = False
    """So many of each layer."""
    back: int = 1
    """The results of so many days, from the decision on, say whether it was a good one."""
    counts: bool = False
    """A citation counts for or against and adds the count so far; else only a good one adds."""
    forgets: bool = False
    """Recency counts, items are forgotten, and they change layers with their importance."""
    reflects: bool = False
    """What the agent thought is kept, too."""


# FinCon prints neither importances nor decays: they are those of INVESTOR-BENCH, by its authors.
FINCON = MemoRules(
    name="fincon",
    layers=MappingProxyType(
        {"daily": Layer(((50, 1.0),), 0.92), "filed": Layer(((60, 1.0),), 0.96)}
    ),
    homes=MappingProxyType({"filing": "filed"}),
    home="daily",
    most=5,
)
"""Relevance + importance, each from 0 to 1; filings fade slowly, all else fast; top 5 (A.13)."""

_DEEP = ((40, 0.05), (60, 0.15), (80, 0.8))
FINMEM = MemoRules(
    name="finmem",
    layers=MappingProxyType(
        {
            "short": Layer(((50, 0.5), (70, 0.45), (90, 0.05)), 0.92, 3, rises=(60, "mid")),
            "mid": Layer(
                ((40, 0.05), (60, 0.8), (80, 0.15)), 0.967, 90, (80, "long"), (60, "short")
            ),
            "long": Layer(_DEEP, 0.988, 365, sinks=(80, "mid")),
            "reflection": Layer(_DEEP, 0.988, 365),
        }
    ),
    homes=MappingProxyType({"filing": "mid", OWN: "reflection"}),
    home="short",
    most=3,
    by_layer=True,
    back=7,
    counts=True,
    forgets=True,
    reflects=True,
)
"""Relevance + recency + importance, three of each layer; layers as in `puppy/memory_functions`."""

MEMO_RULES: Mapping[str, MemoRules] = MappingProxyType({p.name: p for p in (FINCON, FINMEM)})


def memo_rules(name: str) -> MemoRules:
    """The rules `name`; raises `UnknownNameError` with the close matches."""
    if name not in MEMO_RULES:
        raise UnknownNameError.of("rules for memos", name, tuple(MEMO_RULES))
    return MEMO_RULES[name]


class Item(NamedTuple):
    """One memo as it is kept."""

    id: str
    """TRIAL.STEP.SOURCE of the day on which it was first said."""
    source: str
    text: str
    trial: int
    step: int
    """The last day on which it was said, with `trial`."""
    layer: str
    importance: float
    recency: float = 1.0
    age: int = 0
    """Days since then, or since it rose."""
    counter: int = 0
    """How often it was cited: good citations less bad ones, or good ones alone."""


class Day(NamedTuple):
    """A decision whose outcome may still speak for what it rested on."""

    cited: tuple[str, ...]
    result: float


class Memos(NamedTuple):
    """All that is kept."""

    trial: int
    items: tuple[Item, ...] = ()
    days: tuple[Day, ...] = ()
    """The newest of this trial, as many as the rules look back."""


@dataclass(frozen=True)
class Chain:
    """Whose memos they are: the rules, and what the coins of initial importances hang on."""

    rules: MemoRules
    key: tuple[object, ...] = field(default=())

    def begun(self, state: Memos | None, trial: int) -> Memos:
        """`state` at the start of `trial`; outcomes of the trial before it decide nothing more."""
        return Memos(trial, state.items if state else ())

    def fold(self, attempts: Iterable[tuple[int, Sequence[Step]]]) -> Memos | None:
        """What `attempts` (trial and steps, oldest first) leave; None where there are none."""
        state: Memos | None = None
        for trial, steps in attempts:
            state = self.begun(state, trial)
            for step in steps:
                state = self.after(state, step)
        return state

    def after(self, state: Memos, step: Step) -> Memos:
        """What is kept at the end of the day `step`: told, judged, aged, forgotten, moved."""
        days = (*state.days, Day(cited_in(step), step.reward or 0.0))[-self.rules.back :]
        items = self._told(state, step)
        if len(days) == self.rules.back:
            good = math.fsum(day.result for day in days)
            items = tuple(_judged(self.rules, x, days[0].cited, good) for x in items)
        items = tuple(self._aged(x) for x in items)
        if self.rules.forgets:
            items = self._sorted(tuple(x for x in items if not _forgotten(x)))
        return Memos(state.trial, items, days)

    def _sorted(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """The items in the layers to which their importances belong."""
        for _ in range(_PASSES):
            for layer in self.rules.layers:
                items = tuple(map(partial(_moved, self.rules, layer), items))
        return items

    def _told(self, state: Memos, step: Step) -> tuple[Item, ...]:
        """The items with those of the day; what was said before is said again, not kept twice."""
        said = [(r.role, r.text) for r in step.reports]
        if self.rules.reflects and step.action.thought.strip():
            said.append((OWN, step.action.thought))
        kept = {_same(x.source, x.text): x for x in state.items}
        for source, text in said:
            key = _same(source, text)
            fresh = self._fresh(state.trial, step.n, source, text)
            held = kept.pop(key, None)
            kept[key] = fresh if held is None else _again(held, fresh)
        return tuple(kept.values())

    def _fresh(self, trial: int, step: int, source: str, text: str) -> Item:
        layer = self.rules.homes.get(source, self.rules.home)
        identity = f"{trial}.{step}.{source}"
        drawn = coin("memo", *self.key, identity)
        importance = first_importance(self.rules.layers[layer], drawn)
        return Item(identity, source, text, trial, step, layer, importance)

    def _aged(self, item: Item) -> Item:
        layer, age = self.rules.layers[item.layer], item.age + 1
        return item._replace(
            age=age,
            importance=item.importance * layer.fades,
            recency=math.exp(-age / layer.spans),
        )


def first_importance(layer: Layer, drawn: float) -> float:
    """The importance with which an item of `layer` begins; `drawn` is a coin from [0, 1)."""
    upto = 0.0
    for importance, chance in layer.drawn:
        upto += chance
        if drawn < upto:
            return importance
    return layer.drawn[-1][0]


def cited_in(step: Step) -> tuple[str, ...]:
    """The ids of the memos on which the decision of `step` rested, as it says."""
    known, _ = checked(step.action.memos_used, len(step.memos))
    return tuple(step.memos[n - 1].id for n in known)


def checked(cited: Iterable[int], shown: int) -> tuple[tuple[int, ...], int]:
    """The numbers of `cited` among 1 to `shown`, each once, and how many name nothing shown."""
    numbers = tuple(dict.fromkeys(cited))
    known = tuple(n for n in numbers if 1 <= n <= shown)
    return known, len(numbers) - len(known)


def score(rules: MemoRules, item: Item, cosine: float) -> float:
    """How much `item` is worth showing where its cosine to what is seen is `cosine`.

    FinCon: relevance and importance, each from 0 to 1 (a negative cosine is no relevance). FinMem:
    the cosine, recency, and importance over 100, at most 1.
    """
    importance = min(max(item.importance, 0.0), _FULL) / _FULL
    if not rules.forgets:
        return max(cosine, 0.0) + importance
    return cosine + item.recency + importance


def candidates(state: Memos, said: Collection[tuple[str, str]]) -> tuple[Item, ...]:
    """The items but for those that are `said` now, as (source, text), and so are read anyhow."""
    now = {_same(source, text) for source, text in said}
    return tuple(x for x in state.items if _same(x.source, x.text) not in now)


def top(rules: MemoRules, items: Sequence[Item], cosines: Sequence[float]) -> tuple[Item, ...]:
    """The items to be shown, the highest score first; `cosines` go with `items`.

    FinMem's own code returns the lowest scores of what it keeps sorted; that is not repeated here.
    Ties go to the newest, then by source and text.
    """
    rows = zip(items, cosines, strict=True)
    # In the last digits of a cosine machines differ.
    scored = [
        (-round(score(rules, x, c), 6), -x.trial, -x.step, x.source, x.text, x) for x, c in rows
    ]
    chosen: list[Item] = []
    shown: dict[str, int] = {}
    for *_, item in sorted(scored, key=lambda row: row[:-1]):
        group = item.layer if rules.by_layer else ""
        shown[group] = shown.get(group, 0) + 1
        if shown[group] <= rules.most:
            chosen.append(item)
    return tuple(chosen)


def memo_of(item: Item, trial: int) -> Memo:
    """`item` as a step of `trial` records it."""
    ago = trial - item.trial
    return Memo(id=item.id, source=item.source, step=item.step, ago=ago, text=item.text)


def grounded(action: Action, shown: int) -> Action:
    """`action` with the memos that it cites checked against how many it was shown."""
    if not action.memos_used:
        return action
    known, unknown = checked(action.memos_used, shown)
    return action.model_copy(update={"memos_used": known, "memos_unknown": unknown})


@lru_cache(maxsize=1 << 14)
def _same(source: str, text: str) -> tuple[str, str]:
    return source, normalised(text)


def _again(held: Item, fresh: Item) -> Item:
    """`held` said once more: as new as `fresh`, and at least as important."""
    importance = max(held.importance, fresh.importance)
    return held._replace(
        trial=fresh.trial, step=fresh.step, importance=importance, recency=1.0, age=0
    )


def _judged(rules: MemoRules, item: Item, cited: Collection[str], good: float) -> Item:
    """`item` after a decision that rested on `cited` and brought `good`."""
    if item.id not in cited or good == 0 or (good < 0 and not rules.counts):
        return item
    counter = item.counter + (1 if good > 0 else -1)
    raised = RAISE * counter if rules.counts else RAISE
    return item._replace(counter=counter, importance=item.importance + raised)


def _forgotten(item: Item) -> bool:
    return item.recency < LEAST_RECENCY or item.importance < LEAST_IMPORTANCE


def _moved(rules: MemoRules, layer: str, item: Item) -> Item:
    """`item` where it belongs by its importance, if it is in `layer`."""
    if item.layer != layer:
        return item
    own = rules.layers[layer]
    if own.rises is not None and item.importance >= own.rises[0]:
        return item._replace(layer=own.rises[1], recency=1.0, age=0)
    if own.sinks is not None and item.importance < own.sinks[0]:
        return item._replace(layer=own.sinks[1])
    return item

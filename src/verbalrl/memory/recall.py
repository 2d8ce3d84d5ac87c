"""Which lessons one prompt gets: a pure function of lessons, wishes and the situation's text.

Order of decisions: condition, window, trust, budget. What passed and fits goes in, all of it. When
it does not fit, the stable block comes first, then reflections from the newest, and the other
lessons compete: the best of a ranking first, each the less the more it is like one that is in.
Without a ranking, those whose condition holds come first, then the rest from the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import MethodError
from ..ids import token_estimate
from ..prompts import PromptLibrary, one_line
from ..records import (
    Block,
    Guidance,
    GuidanceLine,
    GuidanceSpec,
    Lesson,
    LessonBody,
    Outcome,
    Use,
)
from .applies import fits
from .pool import BARRED, Item, Pool, Room
from .ranking import Ranking
from .render import guidance_text

if TYPE_CHECKING:
    import numpy as np

LEFT_OUT_KEPT = 50
"""How many of the lessons left out are recorded one by one."""
_DIVERSITY = 3 / 7
"""What being like a lesson that is in takes off: marginal relevance with a lambda of 0.7."""


@dataclass(frozen=True, slots=True)
class _Choice:
    item: Item
    outcome: Outcome
    block: Block | None = None
    probability: float = 1.0
    parts: Mapping[str, float] = field(default_factory=dict)


def recall(
    lessons: Iterable[Lesson] | Pool,
    spec: GuidanceSpec,
    *,
    situation: str,
    prompts: PromptLibrary,
    role: str = "actor",
    step: int = 0,
    ranking: Ranking | None = None,
    judged: Mapping[str, bool] = {},
) -> Guidance:
    """What the prompt of `role` gets from `lessons`, as `spec` asks.

    Args:
        lessons: Of the branch at the pinned revision, in any order and status; or their pool.
        spec: Its source `instance` is the caller's to resolve: hand on that instance's guidance.
        situation: Goal and observation, which conditions are tested against.
        prompts: Words the result's `text`.
        role: Recorded with every use.
        step: The step it is selected for; 0 when it is pinned for the episode.
        judged: By lesson id whether its condition holds; those not in it are tested by words.
        ranking: How well the best candidates fit; looked at when not everything fits.

    Raises:
        MethodError: `spec` names a lesson that is not there or may not be shown.
    """
    texts = _texts(spec)
    pool = lessons if isinstance(lessons, Pool) else Pool.of(lessons, spec)
    reach = 0
    match spec.source:
        case "none" | "text":
            chosen: list[_Choice] = []
        case "lessons":
            named = _named(spec.lessons, pool.known)
            chosen = [_Choice(x, "injected", "volatile") for x in named]
        case "recall":
            reach = pool.size
            chosen = _Selection(pool, spec, situation, judged).choose(ranking)
        case "instance":
            raise MethodError("the source `instance` is resolved before recall")
    return _guidance(chosen, texts, prompts, reach=reach, use=(role, step))


def overflows(
    pool: Pool, spec: GuidanceSpec, situation: str, judged: Mapping[str, bool] = {}
) -> bool:
    """Whether not all that may go in fits, so that a ranking would decide."""
    return spec.source == "recall" and _Selection(pool, spec, situation, judged).overflows()


def _texts(spec: GuidanceSpec) -> tuple[str, ...]:
    return (spec.text,) if spec.text.strip() and spec.source != "none" else ()


def _named(ids: Sequence[str], lessons: Iterable[Lesson]) -> list[Item]:
    known = {lesson.id: lesson for lesson in lessons if lesson.status not in BARRED}
    if missing := [i for i in ids if i not in known]:
        raise MethodError(f"guidance asks for lesson {missing[0]!r}, which may not be shown here")
    return [Item.of(known[i]) for i in dict.fromkeys(ids)]


class _Selection:
    """One choice under way: what is in, and what room is left."""

    def __init__(
        self, pool: Pool, spec: GuidanceSpec, situation: str, judged: Mapping[str, bool]
    ) -> None:
        self._pool, self._situation, self._judged = pool, situation, judged
        budget = max(0, spec.budget - sum(map(token_estimate, _texts(spec))))
        self._room = room = Room(budget)
        recent, self._older = _by_window(pool.reflections, spec.window)
        for item in pool.forced:
            room.take(item)
        # The stable block does not see the situation: it must not move with it. What texts and
        # forced lessons leave of the budget is the same for all situations of one plan.
        self._stable = pool.shared.stable(spec.budget, room.tokens)
        for item in self._stable:
            room.take(item)
        self._inside = {item.lesson.id for item in self._stable}
        self._chosen = [_Choice(x, "injected", "volatile") for x in pool.forced]
        self._chosen += [_Choice(x, "injected", "stable") for x in self._stable]
        for item in reversed(recent):
            self._offer(item)

    def overflows(self) -> bool:
        """Whether some shared lesson that passes its condition has to stay out."""
        shelf, room = self._pool.shared, self._room
        # Stable ones are general and are in already.
        tokens = shelf.general_tokens - sum(x.tokens for x in self._stable)
        untrusted = shelf.untrusted_tokens - sum(x.tokens for x in self._stable if x.untrusted)
        for item in shelf.conditional:
            if tokens > room.tokens or untrusted > room.untrusted:
                break
            if self._holds(item):
                tokens += item.tokens
                untrusted += item.tokens if item.untrusted else 0
        return tokens > room.tokens or untrusted > room.untrusted

    def choose(self, ranking: Ranking | None) -> list[_Choice]:
        """What became of the lessons, those left out the best first, if not all of them."""
        # First among what is left out: effects are measured by them, so none may go unrecorded.
        self._chosen += [_Choice(x, "withheld", None, 0.0) for x in self._pool.withheld]
        if ranking is None or not ranking.items or not self.overflows():
            self._in_fixed_order()
        else:
            self._ranked(ranking)
        self._chosen += [_Choice(x, "cap") for x in self._older]
        return self._chosen

    def _in_fixed_order(self) -> None:
        """Those whose condition holds, then the rest from the oldest."""
        shelf = self._pool.shared
        passed = [self._holds(x) for x in shelf.conditional]
        held = [x for x, holds in zip(shelf.conditional, passed, strict=True) if holds]
        failed = [x for x, holds in zip(shelf.conditional, passed, strict=True) if not holds]
        for item in held:
            self._offer(item)
        for item in shelf.items:
            if item.general and item.lesson.id not in self._inside:
                self._offer(item)
        self._chosen += [_Choice(x, "condition") for x in failed]

    def _ranked(self, ranking: Ranking) -> None:
        """The best first, then those that no channel found, from the oldest."""
        seen: set[str] = set()
        for item, parts in self._by_rank(ranking):
            seen.add(item.lesson.id)
            if self._holds(item):
                self._offer(item, parts)
            else:
                self._chosen.append(_Choice(item, "condition", parts=parts))
        left_out = 0
        for item in self._pool.shared.items:
            # More than is kept on record need not be looked at once nothing can get in.
            if left_out >= LEFT_OUT_KEPT and self._room.tokens < self._pool.shared.least_tokens:
                break
            if item.lesson.id in seen or item.lesson.id in self._inside:
                continue
            left_out += 1
            if not self._holds(item):
                self._chosen.append(_Choice(item, "condition"))
            elif self._offer(item) == "injected":
                left_out -= 1

    def _by_rank(self, ranking: Ranking) -> Iterator[tuple[Item, Mapping[str, float]]]:
        """Candidates by score less likeness to what has been put in meanwhile, the best first."""
        import numpy as np

        free = [n for n, x in enumerate(ranking.items) if x.lesson.id not in self._inside]
        if not free:
            return
        alike = ranking.alike[np.ix_(free, free)]
        items, scores = [ranking.items[n] for n in free], ranking.scores[free]
        likeness = np.zeros(len(free))
        open_: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.ones(len(free), dtype=bool)
        least = min(item.tokens for item in items)
        while open_.any() and self._room.tokens >= least:
            values = np.where(open_, scores - _DIVERSITY * likeness, -np.inf)
            best = int(values.argmax())
            open_[best] = False
            before = len(self._inside)
            yield items[best], _parts(ranking, free[best], float(likeness[best]))
            if len(self._inside) > before:
                likeness = np.maximum(likeness, alike[best])
        values = scores - _DIVERSITY * likeness
        for n in np.argsort(-values, kind="stable"):
            if open_[n]:
                yield items[n], _parts(ranking, free[n], float(likeness[n]))

    def _offer(self, item: Item, parts: Mapping[str, float] | None = None) -> Outcome:
        outcome = self._room.offer(item)
        block: Block | None = "volatile" if outcome == "injected" else None
        if outcome == "injected":
            self._inside.add(item.lesson.id)
        self._chosen.append(_Choice(item, outcome, block, parts=parts or {}))
        return outcome

    def _holds(self, item: Item) -> bool:
        return item.general or fits(item.lesson, self._situation, self._judged)


def _parts(ranking: Ranking, place: int, likeness: float) -> dict[str, float]:
    taken = round(-_DIVERSITY * likeness, 6) + 0.0
    score = round(float(ranking.scores[place]) + taken, 6)
    return {**ranking.parts(place), "diversity": taken, "score": score}


def _by_window(pool: Sequence[Item], window: int | None) -> tuple[list[Item], list[Item]]:
    """Reflections of the newest `window` critiques, and the older ones."""
    if window is None:
        return list(pool), []

    def critique(item: Item) -> tuple[int, str]:
        return (item.lesson.kept_at, item.lesson.critique or "")

    # Published ones share a revision: among them the order of the pool decides.
    found = dict.fromkeys(critique(x) for x in reversed(pool))
    newest = set(sorted(found, key=lambda c: c[0], reverse=True)[: max(0, window)])
    return [x for x in pool if critique(x) in newest], [
        x for x in pool if critique(x) not in newest
    ]


def _guidance(
    chosen: list[_Choice],
    texts: tuple[str, ...],
    prompts: PromptLibrary,
    *,
    reach: int,
    use: tuple[str, int],
) -> Guidance:
    stable = [c.item for c in chosen if c.block == "stable"]
    volatile = sorted((c.item for c in chosen if c.block == "volatile"), key=lambda x: x.age)
    place = {item.lesson.id: n for n, item in enumerate((*stable, *volatile), start=1)}
    lessons = [item.lesson for item in (*stable, *volatile)]
    lines = [_line(x.id, x.body, place[x.id]) for x in lessons]
    inside = sorted((c for c in chosen if c.block), key=lambda c: place[c.item.lesson.id])
    outside = [c for c in chosen if not c.block]
    withheld = sum(choice.outcome == "withheld" for choice in outside)
    kept = [*inside, *outside[: max(LEFT_OUT_KEPT, withheld)]]
    guidance = Guidance(
        stable=tuple(lines[: len(stable)]),
        volatile=tuple(lines[len(stable) :]),
        texts=texts,
        uses=tuple(_use(c, rank, *use) for rank, c in enumerate(kept, start=1)),
        left_out=max(0, reach - len(inside)),
        tokens=sum(c.item.tokens for c in inside) + sum(map(token_estimate, texts)),
    )
    return guidance.model_copy(update={"text": guidance_text(guidance, prompts)})


@lru_cache(maxsize=1 << 10)
def _line(lesson: str, body: LessonBody, alias: int) -> GuidanceLine:
    # One line each, also for agents that print the fields themselves.
    return GuidanceLine(
        alias=alias,
        lesson=lesson,
        name=one_line(body.name),
        when=one_line(body.when),
        when_not=one_line(body.when_not),
        instruction=one_line(body.instruction),
    )


def _use(choice: _Choice, rank: int, role: str, step: int) -> Use:
    return Use(
        lesson=choice.item.lesson.id,
        version=choice.item.lesson.version,
        content=choice.item.content,
        rank=rank,
        outcome=choice.outcome,
        block=choice.block,
        probability=choice.probability,
        tokens=choice.item.tokens,
        parts=dict(choice.parts),
        step=step,
        role=role,
    )

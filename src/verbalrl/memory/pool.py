"""The lessons that a prompt may draw on, arranged once for the many prompts of a view. Pure.

Shared lessons stand on a `Shelf`, which the prompts of a whole round have in common; what belongs
to one instance, and what a plan forces in or out, joins it in a `Pool` for one prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from ..records import GuidanceSpec, Lesson, LessonBody, LessonKind, Origin, Outcome, Status
from .applies import is_conditional
from .embed import text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Places = NDArray[np.signedinteger[Any]]

STABLE_SHARE = 0.5
"""Of the budget, at most, for the stable block."""
UNTRUSTED_SHARE = 0.25
"""Of the budget, at most, for lessons made from untrusted text."""

BARRED = (Status.QUARANTINED, Status.REVOKED, Status.PURGED)


@dataclass(frozen=True, slots=True)
class Item:
    """A lesson, with what takes long to find out about it."""

    lesson: Lesson
    content: str
    tokens: int
    general: bool
    """True where there is no condition to test."""

    @classmethod
    def of(cls, lesson: Lesson) -> Item:
        """The item of `lesson`."""
        body = lesson.body
        # Few, and of no use to others: kept, they would outlive their instance by thousands.
        is_reflection = lesson.kind is LessonKind.REFLECTION
        facts = _facts(body) if is_reflection else _kept_facts(body)
        return cls(lesson, *facts, not is_conditional(lesson))

    @property
    def untrusted(self) -> bool:
        """Whether it was made from untrusted text."""
        return self.lesson.trust is Origin.UNTRUSTED

    @property
    def age(self) -> tuple[int, int, int, str, str]:
        """Oldest first, whatever order they came in; a reflection is as new as its critique."""
        lesson = self.lesson
        moved = lesson.kept_at if lesson.kind is LessonKind.REFLECTION else 0
        return (moved, lesson.born, lesson.position, self.content, lesson.id)


def _facts(body: LessonBody) -> tuple[str, int]:
    return body.content, body.tokens


@lru_cache(maxsize=1 << 14)
def _kept_facts(body: LessonBody) -> tuple[str, int]:
    # The same shared bodies are arranged for every prompt.
    return _facts(body)


class Room:
    """What is left of the budget, and of the share of it that untrusted text may fill."""

    def __init__(self, tokens: int, untrusted: int | None = None) -> None:
        self.tokens = tokens
        self.untrusted = int(tokens * UNTRUSTED_SHARE) if untrusted is None else untrusted

    def take(self, item: Item) -> None:
        """Put `item` in, whether or not there is room."""
        self.tokens -= item.tokens
        if item.untrusted:
            self.untrusted -= item.tokens

    def offer(self, item: Item) -> Outcome:
        """Put `item` in if there is room; what became of it."""
        if item.untrusted and item.tokens > self.untrusted:
            return "trust"
        if item.tokens > self.tokens:
            return "budget"
        self.take(item)
        return "injected"


class Shelf:
    """Lessons of shared scopes in the order of (scope as asked for, age)."""

    def __init__(
        self, items: Iterable[Item], spec: GuidanceSpec, apart: Sequence[Lesson] = ()
    ) -> None:
        self.apart = apart
        """Reflections that came with them."""
        self.items = sorted(items, key=lambda item: (_place(item.lesson, spec), item.age))
        self.by_id = {item.lesson.id: item for item in self.items}
        self.by_content: dict[str, list[Item]] = {}
        """Those that say the same stand by id."""
        for item in self.items:
            self.by_content.setdefault(item.content, []).append(item)
        for same in self.by_content.values():
            if len(same) > 1:
                same.sort(key=lambda item: item.lesson.id)
        self.conditional = [item for item in self.items if not item.general]
        general = [item for item in self.items if item.general]
        self.general_tokens = sum(item.tokens for item in general)
        self.untrusted_tokens = sum(item.tokens for item in general if item.untrusted)
        self.least_tokens = min((item.tokens for item in self.items), default=0)
        self.merits: Floats | None = None
        """A row for each of `ordered`, of nan until it is found out; for whoever ranks."""
        self._stable: dict[tuple[int, int], tuple[Item, ...]] = {}

    @classmethod
    def of(
        cls, lessons: Iterable[Lesson], spec: GuidanceSpec, before: Shelf | None = None
    ) -> Shelf:
        """The usable ones that `spec` asks for; what `before` knows of them is taken from there."""
        known = {} if before is None else before.by_id
        found: list[Item] = []
        apart: list[Lesson] = []
        for lesson in lessons:
            if lesson.kind is LessonKind.REFLECTION:
                apart.append(lesson)
            elif lesson.usable and asked(lesson, spec):
                old = known.get(lesson.id)
                same = old is not None and old.lesson is lesson
                found.append(old if old is not None and same else Item.of(lesson))
        return cls(found, spec, apart)

    @cached_property
    def ordered(self) -> list[Item]:
        """All items in the order in which candidates stand, that of (content, id)."""
        return [item for content in sorted(self.by_content) for item in self.by_content[content]]

    @cached_property
    def places(self) -> dict[str, int]:
        """By content, where the first item that says it stands in `ordered`."""
        count = len(self.ordered)
        return {item.content: count - n for n, item in enumerate(reversed(self.ordered), start=1)}

    @cached_property
    def groups(self) -> Places:
        """For each of `ordered`, where its content stands among the sorted contents."""
        import numpy as np

        sizes = [len(self.by_content[content]) for content in sorted(self.by_content)]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def texts(self) -> dict[str, str]:
        """What is embedded and searched, by content."""
        return {content: text_of(same[0].lesson.body) for content, same in self.by_content.items()}

    @cached_property
    def revisions(self) -> dict[str, int]:
        """By scope, the newest revision that any of its lessons knows."""
        found: dict[str, int] = {}
        for item in self.items:
            lesson = item.lesson
            found[lesson.scope] = max(found.get(lesson.scope, 0), lesson.born, lesson.kept_at)
        return found

    def may_overflow(self, budget: int) -> bool:
        """Whether there is a situation in which not all of them fit into `budget` tokens."""
        untrusted = sum(item.tokens for item in self.items if item.untrusted)
        whole = sum(item.tokens for item in self.items)
        return whole > budget or untrusted > int(budget * UNTRUSTED_SHARE)

    def stable(self, budget: int, left: int) -> tuple[Item, ...]:
        """General active lessons, oldest first, while they fit; never looks at a situation.

        Whether one goes in depends on older ones alone, so a new one never changes what is before.
        `left` is what texts and forced lessons leave of the budget.
        """
        tokens = max(0, min(int(budget * STABLE_SHARE), left))
        if (budget, tokens) not in self._stable:
            room = Room(tokens, untrusted=int(budget * UNTRUSTED_SHARE))
            self._stable[budget, tokens] = tuple(
                item
                for item in self.items
                if item.general
                and item.lesson.status is Status.ACTIVE
                and room.tokens >= self.least_tokens
                and room.offer(item) == "injected"
            )
        return self._stable[budget, tokens]


@dataclass(frozen=True, slots=True)
class Pool:
    """What one prompt may get."""

    shared: Shelf
    reflections: Sequence[Item] = ()
    """Of the instance, in the order of (scope, age)."""
    forced: Sequence[Item] = ()
    withheld: Sequence[Item] = ()
    known: Sequence[Lesson] = field(default=(), repr=False)
    """All lessons of the view, in any order and status."""

    @classmethod
    def of(cls, lessons: Iterable[Lesson], spec: GuidanceSpec, shelf: Shelf | None = None) -> Pool:
        """What `spec` asks for; `shelf` stands for the shared lessons, where nothing is forced."""
        known = tuple(lessons)
        if shelf is not None and not spec.force_in and not spec.force_out:
            own = [x for x in known if x.kind is LessonKind.REFLECTION and x.usable]
            return cls(shelf, _sorted((x for x in own if asked(x, spec)), spec), known=known)
        reach = [x for x in known if _in_reach(x, spec)]
        out = [x for x in reach if x.id in spec.force_out]
        forced = [x for x in reach if x.id in spec.force_in and x.id not in spec.force_out]
        free = [x for x in reach if x.id not in spec.force_in and x.id not in spec.force_out]
        return cls(
            Shelf((Item.of(x) for x in free if x.kind is not LessonKind.REFLECTION), spec),
            _sorted((x for x in free if x.kind is LessonKind.REFLECTION), spec),
            _sorted(forced, spec),
            _sorted(out, spec),
            known,
        )

    @property
    def size(self) -> int:
        """How many lessons are in reach."""
        parts = (self.shared.items, self.reflections, self.forced, self.withheld)
        return sum(map(len, parts))


def _sorted(lessons: Iterable[Lesson], spec: GuidanceSpec) -> list[Item]:
    items = map(Item.of, lessons)
    return sorted(items, key=lambda item: (_place(item.lesson, spec), item.age))


def _in_reach(lesson: Lesson, spec: GuidanceSpec) -> bool:
    fit = lesson.usable or lesson.id in spec.force_in
    return fit and lesson.status not in BARRED and asked(lesson, spec)


def asked(lesson: Lesson, spec: GuidanceSpec) -> bool:
    """Whether `spec` asks for lessons of that scope, kind and audience."""
    wanted = not spec.scopes or lesson.scope in spec.scopes
    heard = spec.audience is None or lesson.body.audience == spec.audience
    return wanted and heard and (not spec.kinds or lesson.kind in spec.kinds)


def _place(lesson: Lesson, spec: GuidanceSpec) -> int:
    # Revisions count per scope, so ages of two scopes do not compare: scopes stand in order.
    return spec.scopes.index(lesson.scope) if lesson.scope in spec.scopes else len(spec.scopes)

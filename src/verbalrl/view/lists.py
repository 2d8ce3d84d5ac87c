"""Lists of a page: what a reader may ask for, and the rows that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..memory.measured import effects_on, order_of, order_of_content
from ..records import Episode, Lesson, LessonBody, LessonKind, Usage
from ..store import Page, RunHead, Store, UseCounts, Words, as_it_is, within
from .lineage import ORDER, support
from .tables import Cell, Table
from .wording import about, episode_word, rule

ROWS = 50
"""On one page."""
ARMS = ("none", "retry", "learned")
"""Whose success the list of runs tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in the list of runs."""

    id: str
    status: str
    task: str
    method: str
    model: str
    simulated: bool
    rates: Mapping[str, float]
    """Of `ARMS`, where they have ended."""
    begun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """An episode in a list."""

    id: str
    arm: str
    seed: int
    instance: str
    trial: int
    went: str
    reward: float | None
    ended: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonRow:
    """A lesson in a list."""

    id: str
    branch: str
    scope: str
    kind: str
    status: str
    trust: str
    version: int
    text: str
    about: str
    support: int
    used: UseCounts


def run_rows(store: Store, heads: Iterable[RunHead]) -> list[RunRow]:
    """`heads` in the list of runs, with the status that they have now."""
    return [
        RunRow(
            id=head.id,
            status=_status(store, head),
            task=head.task,
            method=head.method,
            model=head.model.removeprefix("ChatAgent(").removesuffix(")"),
            simulated=head.simulated,
            rates=head.rates,
            begun=head.created_at[:16].replace("T", " "),
        )
        for head in heads
    ]


def _status(store: Store, head: RunHead) -> str:
    going = head.status == "running"
    return as_it_is(store, store.run(head.id)).status if going else head.status


def episode_row(episode: Episode, states: Mapping[str, str]) -> EpisodeRow:
    """`episode` in a list; `states` as `Store.states` gives it, of those that were served."""
    return EpisodeRow(
        id=episode.id,
        arm=episode.arm,
        seed=episode.seed,
        instance=episode.instance,
        trial=episode.trial,
        went=episode_word(episode),
        reward=episode.reward.value,
        ended=states.get(episode.id, episode.stop_reason.value),
        tokens=sum(episode.usage.values(), Usage()).total,
    )


def lesson_row(branch: str, lesson: Lesson, used: Mapping[str, UseCounts]) -> LessonRow:
    """`lesson` in a list; `used` as `Store.use_counts` gives it."""
    return LessonRow(
        id=lesson.id,
        branch=branch,
        scope=lesson.scope,
        kind=lesson.kind.value,
        status=lesson.status.value,
        trust=lesson.trust.value,
        version=lesson.version,
        text=rule(lesson.body),
        about=about(lesson.body),
        support=support(lesson),
        used=used.get(lesson.id, UseCounts()),
    )


def lessons_page(
    store: Store,
    asked: Mapping[str, str | None],
    *,
    text: str = "",
    sort: str = "status",
    limit: int | None = ROWS,
    offset: int = 0,
) -> Page[tuple[str, Lesson]]:
    """(branch, lesson), also of branches that read some lessons through their parent."""
    branch = asked.get("branch")
    through = branch is not None and store.reads_through(branch)
    if branch is None or not (through or sort == "effect"):
        return store.lesson_page(asked, text=text, sort=sort, limit=limit, offset=offset)
    cut = slice(offset, None if limit is None else offset + limit)
    if not through:
        return _by_effect(store, branch, asked, text, cut)
    words = text.casefold().split()
    found = [
        lesson
        for lesson in store.current_lessons(branch)
        if _fits(lesson, asked) and _says(lesson.name, lesson.body, words)
    ]
    found.sort(key=_key(sort))
    if sort == "effect":
        effects = effects_on(store, branch, frozenset(x.scope for x in found))
        found.sort(key=lambda x: order_of(x, effects))
    return Page(tuple((branch, x) for x in found[cut]), len(found), offset)


def _by_effect(
    store: Store, branch: str, asked: Mapping[str, str | None], text: str, cut: slice
) -> Page[tuple[str, Lesson]]:
    """Of the branch's own lessons: sorted by their columns, and only those of the page are read."""
    words, scope = text.casefold().split(), asked.get("scope")
    named = {name: asked.get(name) for name in ("kind", "status", "trust")}
    found = [x for x in store.places(branch, named) if _says(x.name, x.words, words)]
    if scope is not None:
        # What a reflection is about its evidence says, which is in the body.
        far = [x for x in found if x.scope != scope and x.kind == LessonKind.REFLECTION]
        near = {(x.scope, x.id) for x in store.lessons_of(branch, far) if within(x, scope)}
        found = [x for x in found if x.scope == scope or (x.scope, x.id) in near]
    effects = effects_on(store, branch, frozenset(x.scope for x in found))
    found.sort(key=lambda x: (order_of_content(x.content, effects), x.born, x.position))
    shown = store.lessons_of(branch, found[cut])
    return Page(tuple((branch, x) for x in shown), len(found), cut.start)


def _says(name: str, body: LessonBody | Words, words: Sequence[str]) -> bool:
    said = f"{name} {rule(body)}".casefold() if words else ""
    return all(word in said for word in words)


def episodes_table(rows: Sequence[EpisodeRow]) -> Table:
    """Episodes for a file."""
    heads = ("episode", "arm", "seed", "instance", "trial", "outcome", "reward", "ended", "tokens")
    cells: list[tuple[Cell, ...]] = [
        (r.id, r.arm, r.seed, r.instance, r.trial, r.went, r.reward, r.ended, r.tokens)
        for r in rows
    ]
    return Table(name="episodes", caption="Episodes", heads=heads, rows=tuple(cells))


def lessons_table(rows: Sequence[LessonRow]) -> Table:
    """Lessons for a file."""
    first = ("lesson", "branch", "scope", "kind", "status", "trust", "version")
    heads = (*first, "text", "about", "support")
    cells: list[tuple[Cell, ...]] = [
        (r.id, r.branch, r.scope, r.kind, r.status, r.trust, r.version, r.text, r.about, r.support)
        for r in rows
    ]
    return Table(name="lessons", caption="Lessons", heads=heads, rows=tuple(cells))


def _fits(lesson: Lesson, asked: Mapping[str, str | None]) -> bool:
    scope = asked.get("scope")
    return (scope is None or within(lesson, scope)) and all(
        asked.get(name) in (None, value)
        for name, value in (
            ("kind", lesson.kind),
            ("status", lesson.status),
            ("trust", lesson.trust),
        )
    )


def _key(sort: str) -> Any:
    keys = {
        "status": lambda x: (ORDER.index(x.status), -support(x), x.born, x.position),
        "support": lambda x: (-support(x), x.born, x.position),
        "new": lambda x: (-x.born, -x.position),
        "name": lambda x: (x.name.casefold(), x.when.casefold()),
    }
    return keys.get(sort, lambda x: (x.born, x.position))

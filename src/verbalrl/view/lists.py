"""Lists of a page: what a reader may ask for, and the rows that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..memory.measured import effects_on, order_of
from ..records import Episode, Lesson, RunRecord, Usage
from ..store import Page, Store, within
from .lineage import ORDER, support
from .tables import Cell, Table
from .wording import about, episode_word, rule

ROWS = 50
"""On one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in the list of runs."""

    id: str
    status: str
    task: str
    method: str
    model: str
    simulated: bool
    rates: tuple[tuple[str, float | None], ...]
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
    injected: int
    solved: int


def run_row(record: RunRecord) -> RunRow:
    """`record` in the list of runs."""
    arms: Any = (record.result or {}).get("arms") or {}
    return RunRow(
        id=record.id,
        status=record.status,
        task=record.task,
        method=record.method,
        model=record.model.removeprefix("ChatAgent(").removesuffix(")"),
        simulated=record.simulated,
        rates=tuple(
            (a, arms[a]["success_rate"]) for a in ("none", "retry", "learned") if a in arms
        ),
        begun=record.created_at[:16].replace("T", " "),
    )


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


def lesson_row(branch: str, lesson: Lesson, used: Mapping[str, tuple[int, int, int]]) -> LessonRow:
    """`lesson` in a list; `used` as `Store.use_counts` gives it."""
    injected, solved, _ = used.get(lesson.id, (0, 0, 0))
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
        injected=injected,
        solved=solved,
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
    by_effect = sort == "effect" and branch is not None
    if branch is None or not (by_effect or store.reads_through(branch)):
        return store.lesson_page(asked, text=text, sort=sort, limit=limit, offset=offset)
    words = text.casefold().split()
    found = [
        lesson
        for lesson in store.current_lessons(branch)
        if _fits(lesson, asked)
        and all(w in f"{lesson.name} {rule(lesson.body)}".casefold() for w in words)
    ]
    found.sort(key=_key(sort))
    if by_effect:
        effects = effects_on(store, branch, frozenset(x.scope for x in found))
        found.sort(key=lambda x: order_of(x, effects))
    end = None if limit is None else offset + limit
    return Page(tuple((branch, x) for x in found[offset:end]), len(found), offset)


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

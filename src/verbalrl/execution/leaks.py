"""Whether lessons hold words of the test split that nothing in the train split holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from ..records import Episode, Instance, LaneKey, Lesson, Split
from ..store import Store
from .plan import RunPlan

RUN = 8
"""Words in a row."""

_WORD = re.compile(r"\w+")
_PAGE = 64

Run = tuple[str, ...]


def leaks(lessons: Mapping[str, str], train: Iterable[str], test: Iterable[str]) -> tuple[str, ...]:
    """Ids of the lessons with 8 words in a row that a test text holds and no train text.

    Texts are read once, and `train` only where a test text holds any of them.
    """
    own = {name: frozenset(_runs(text)) for name, text in lessons.items()}
    held = _held(frozenset().union(*own.values()), test)
    held -= _held(held, train)
    return tuple(name for name, runs in own.items() if runs & held)


def leaked(store: Store, plan: RunPlan, run: str, scope: str) -> tuple[str, ...] | None:
    """The lessons of a run that leak; None where no test split is kept apart."""
    if plan.reported != "test":
        return None
    lanes = [lane for lane, learns in plan.lanes(run) if learns]
    return tuple(x for lane in lanes for x in _leaked(store, plan, lane, scope))


def _leaked(store: Store, plan: RunPlan, lane: LaneKey, scope: str) -> tuple[str, ...]:
    """The usable shared lessons of a lane that leak; of its own episodes it reads what was shown.

    What the environment said to actions counts for train: lessons may quote it.
    """
    lessons = [x for x in store.current_lessons(lane.branch) if x.usable and x.scope == scope]
    texts = {x.id: "\n".join((x.when, x.when_not, x.instruction, x.body.aspect)) for x in lessons}
    train = chain(
        _goals(plan.train), _shown(store, lane, "train"), _behind(store, lessons, lane.run)
    )
    return leaks(texts, train, chain(_goals(plan.read), _shown(store, lane, "test")))


def _goals(instances: Iterable[Instance]) -> Iterable[str]:
    return dict.fromkeys(instance.goal for instance in instances)


def _runs(text: str) -> Iterator[Run]:
    words = _WORD.findall(text.casefold())
    return zip(*(words[start:] for start in range(RUN)), strict=False)


def _held(wanted: frozenset[Run], texts: Iterable[str]) -> frozenset[Run]:
    """Those of `wanted` that stand in any of `texts`."""
    found: set[Run] = set()
    for text in texts if wanted else ():
        found.update(run for run in _runs(text) if run in wanted)
        if len(found) == len(wanted):
            break
    return frozenset(found)


def _shown(store: Store, lane: LaneKey, split: Split) -> Iterator[str]:
    """What the episodes of a split show, a page of them at a time."""
    offset = 0
    while page := store.episodes(
        run=lane.run, arm=lane.arm, seed=lane.seed, limit=_PAGE, offset=offset
    ):
        offset += len(page)
        for episode in page:
            if episode.spec.split == split:
                yield from _texts(episode)


def _behind(store: Store, lessons: Iterable[Lesson], run: str) -> Iterator[str]:
    """What the train episodes of other runs show on which inherited lessons rest."""
    names = dict.fromkeys(e.episode for lesson in lessons for e in lesson.evidence)
    for name in names:
        episode = store.episode(name)
        if episode is not None and episode.run != run and episode.spec.split == "train":
            yield from _texts(episode)


def _texts(episode: Episode) -> Iterator[str]:
    for step in episode.trajectory.steps:
        yield step.observation.text
        if episode.spec.split == "train":
            yield step.feedback
    if episode.trajectory.final is not None:
        yield episode.trajectory.final.text

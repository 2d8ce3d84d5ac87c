"""Lanes: what drives plans (design section 2). It reads as the loop it is.

A lane asks its plan, lets the bench do the batch, lets its view grow by the whole batch, and asks
again. Views therefore depend on model replies alone: not on timing, concurrency or other lanes. A
resumed run drives the same lanes from empty views; the bench takes what is committed from its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

from . import growth
from .ids import instance_scope
from .methods import Method
from .records import (
    Batch,
    Done,
    Instance,
    InstanceView,
    LaneKey,
    Lesson,
    OpenRound,
    SharedView,
    Work,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of work stands: whose it is, what its plan saw, and its place in line."""

    lane: LaneKey
    order: int
    """Among the instances of the arm and seed; decides who waits, never what is learned."""
    view: InstanceView | SharedView

    @property
    def base(self) -> int:
        """The revision of the scope that its plan commits to."""
        view = self.view
        return view.own_revision if isinstance(view, InstanceView) else view.revision


class Inherited(NamedTuple):
    """The lessons with which a scope starts."""

    revision: int
    lessons: tuple[Lesson, ...]


class Bench(Protocol):
    """Does the work that plans ask for; see `verbalrl.execution`."""

    @property
    def stopping(self) -> bool:
        """True once no new batch may start."""

    @property
    def lanes_at_once(self) -> int:
        """How many lanes of one stream may be under way; enough to fill the slots."""

    def whole(self, lane: LaneKey, view: InstanceView, /) -> InstanceView:
        """`view`, whose past is bare records, with all that these said."""

    async def do(self, work: Work, place: Place, /) -> growth.Result | None:
        """The result of `work`: from its row when it is committed, else by doing it.

        None where it waited to begin until the bench was stopping, or can make no more calls.
        """

    async def pin(self, lane: LaneKey, number: int, opened: OpenRound, view: SharedView, /) -> None:
        """Record that the round `number` runs against the revision of `view`."""

    def inherited(self, lane: LaneKey, scope: str, /) -> Inherited:
        """With what `scope` starts: the revision and usable lessons of the branch started from."""

    def allowance(self, lane: LaneKey, instance: str, /) -> int | None:
        """The tokens that this arm may spend on an instance; None: it is bound by none."""


class Stream:
    """The shared stream of one arm and seed, with a lane for each of its instances."""

    def __init__(
        self,
        lane: LaneKey,
        method: Method,
        bench: Bench,
        scope: str,
        instances: Mapping[str, Instance],
    ) -> None:
        self._lane, self._method, self._bench = lane, method, bench
        self._instances = instances
        self._order = {name: n for n, name in enumerate(instances)}
        self._kept: dict[str, growth.Kept] = {}
        """Of lanes that were under way before; those of the others are made when it is their turn,
        or thousands of them would wait."""
        self._asked: set[str] = set()
        """Keys of the work of the shared stream."""
        self._cut = False
        """Whether a lane ended before its plan did."""
        shared = bench.inherited(lane, scope)
        self._view = SharedView(
            scope=scope,
            train=tuple(i.id for i in instances.values() if i.split == "train"),
            test=tuple(i.id for i in instances.values() if i.split == "test"),
            lessons=shared.lessons,
            revision=shared.revision,
        )

    async def run(self) -> SharedView:
        """Drive the plan to its end, or until the bench is stopping."""
        while not self._bench.stopping:
            step = self._method.plan_shared(self._view)
            match step:
                case Done():
                    break
                case OpenRound():
                    growth.check_round(step, self._view)
                    if not await self._round(step):
                        break
                case Batch():
                    growth.check_shared_batch(step, self._view)
                    place = Place(self._lane, -1, self._view)
                    results = await self._results(step, place, self._asked)
                    if results is None:
                        break
                    self._view = growth.grow_shared(self._view, step, results)
        return self._view

    async def _round(self, opened: OpenRound) -> bool:
        """Run the lanes of a round side by side; whether all were done, which closes it."""
        await self._bench.pin(self._lane, len(self._view.rounds) + 1, opened, self._view)
        before = {name: self._kept.get(name, growth.NOTHING) for name in opened.instances}
        waiting = iter(opened.instances)
        at_once = min(self._bench.lanes_at_once, len(opened.instances))
        await together(self._lanes(waiting, opened) for _ in range(at_once))
        if self._bench.stopping or self._cut:
            return False
        self._view = growth.close_round(self._view, opened, before, self._kept)
        return True

    async def _lanes(self, waiting: Iterator[str], opened: OpenRound) -> None:
        """One lane after the other; little is kept of each, so that memory stays flat."""
        for name in waiting:
            if self._bench.stopping:
                return
            view = await self._driven(self._begun(name, opened))
            self._kept[name] = growth.kept(view, self._kept.get(name, growth.NOTHING))

    def _begun(self, name: str, opened: OpenRound) -> InstanceView:
        """The view of a lane at the start of a round: all that it has seen, and what is pinned."""
        shared, own_scope = self._view, instance_scope(self._view.scope, name)
        view = InstanceView(
            instance=self._instances[name],
            scope=shared.scope,
            instance_scope=own_scope,
            round=opened,
            number=len(shared.rounds) + 1,
            lessons=shared.lessons,
            revision=shared.revision,
            allowance=self._bench.allowance(self._lane, name),
        )
        before = self._kept.get(name, growth.NOTHING)
        if before.episodes:
            return self._bench.whole(self._lane, growth.woken(view, before, self._lane))
        own = self._bench.inherited(self._lane, own_scope)
        return replace(view, reflections=own.lessons, own_revision=own.revision)

    async def _driven(self, view: InstanceView) -> InstanceView:
        """Plan, do the batch, grow, until done."""
        order = self._order[view.instance.id]
        asked = growth.asked_before(view, self._lane)
        while not self._bench.stopping:
            step = self._method.plan(view)
            if isinstance(step, Done):
                break
            growth.check_batch(step, view)
            place = Place(self._lane, order, view)
            results = await self._results(step, place, asked)
            if results is None:
                self._cut = True
                break
            view = growth.grow(view, step, results)
        return view

    async def _results(
        self, batch: Batch, place: Place, asked: set[str]
    ) -> Sequence[growth.Result] | None:
        """What `batch` led to; None when not all of it was begun, because the bench is stopping.

        Its keys are added to `asked`. Keys name the instance, so no two lanes can share one.
        """
        asked |= growth.check_new(batch, self._lane, asked)
        # Rows are handed back at once: without this a long resume could not be interrupted.
        await asyncio.sleep(0)
        results = await together(self._bench.do(work, place) for work in batch.work)
        done = [result for result in results if result is not None]
        return done if len(done) == len(results) else None


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """The results in order; the first failure cancels the rest and is raised as it is.

    One begins in each turn of the event loop: of those that begin in the same turn, the requests
    leave together, when the last is built.
    """
    coroutines = list(work)
    if len(coroutines) == 1:
        return [await coroutines[0]]
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                tasks.append(group.create_task(coroutine))
                await asyncio.sleep(0)
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from failures
    finally:
        for coroutine in coroutines[len(tasks) :]:
            coroutine.close()
    return [task.result() for task in tasks]


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first leaf of a group: the failure that cancelled the others."""
    leaf: BaseException = failures
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf

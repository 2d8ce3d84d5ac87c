"""Recall reads the lessons of the lane's view, whatever the table holds by then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from tests.loop.world import Staged, batch, episode, episodes, safes
from verbalrl import Learner, Situation
from verbalrl.records import (
    Batch,
    CurateLessons,
    GuidanceSpec,
    InstanceView,
    LessonKind,
    WriteCritique,
)
from verbalrl.store import Store

TASK = safes("blue", max_steps=1)


class SideBySide(Staged):
    """The second attempt stands in one batch with the commit: it must not see what that makes."""

    trials: int = 3

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        own = {"actor": GuidanceSpec(source="recall", scopes=(view.instance_scope,))}
        yield batch(episode(view, trial=1, guidance=own))
        yield batch(WriteCritique(episodes=(view.episodes[0].id,)))
        commit = CurateLessons(
            critiques=(view.critiques[0].id,),
            scope=view.instance_scope,
            kind=LessonKind.REFLECTION,
        )
        yield batch(commit, episode(view, trial=2, guidance=own))
        yield batch(episode(view, trial=3, guidance=own))


class Presser:
    """Presses red; where it waits, its second attempt never ends once the commit is stored."""

    def __init__(self, store: Store, *, waits: bool) -> None:
        self.store, self.waits = store, waits
        self.acted = 0
        self.stored = asyncio.Event()

    async def __call__(self, _: Situation, /) -> str:
        self.acted += 1
        if self.waits and self.acted == 2:
            while not any(self.store.current_lessons(b.id) for b in self.store.branches()):
                await asyncio.sleep(0.001)
            self.stored.set()
            await asyncio.Event().wait()
        return "red"


def learner(agent: Presser) -> Learner:
    said = "Press another colour next time."
    return Learner(agent, method=SideBySide(), critic=lambda _: said, store=agent.store)


async def interrupted(store: Store) -> str:
    """A run that ends between the commit and the attempt beside it."""
    agent = Presser(store, waits=True)
    work = asyncio.ensure_future(learner(agent).run(TASK, arms=("learned",)))
    await asyncio.wait_for(agent.stored.wait(), 20)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    return store.runs()[0].id


def test_a_resumed_run_recalls_only_what_its_view_holds(store: Store) -> None:
    run = asyncio.run(interrupted(store))
    assert len(store.episodes()) == 1
    result = learner(Presser(store, waits=False)).resume_sync(run, TASK)
    read = [len(e.guidance["actor"].lines) for e in episodes(store, result)]
    assert read == [0, 0, 1]

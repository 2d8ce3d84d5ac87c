"""The revision that an episode records is the one it read, also in a run that was resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from tests.loop.test_guidance import GENERAL, curator
from tests.loop.world import Staged, batch, episode, pressing, run, safes
from verbalrl import Learner, Situation
from verbalrl.methods import handbook, reflexion
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
OWN = "safes-v1/train/0"


class SideBySide(Staged):
    """The second attempt stands in one batch with a commit: it reads what was there before."""

    def stages(self, view: InstanceView) -> Iterator[Batch]:
        own = {"actor": GuidanceSpec(source="recall", scopes=(view.instance_scope, view.scope))}
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
    """Presses red; where it hangs, its second attempt never ends once the commit is stored."""

    def __init__(self, store: Store, *, hangs: bool) -> None:
        self.store, self.hangs = store, hangs
        self.acted = 0
        self.hanging = asyncio.Event()

    async def __call__(self, _: Situation, /) -> str:
        self.acted += 1
        if self.hangs and self.acted == 2:
            while not any(self.store.current_lessons(b.id) for b in self.store.branches()):
                await asyncio.sleep(0.001)
            self.hanging.set()
            await asyncio.Event().wait()
        return "red"


def learner(agent: Presser) -> Learner:
    said = "Press another colour next time."
    return Learner(agent, method=SideBySide(), critic=lambda _: said, store=agent.store)


async def broken_off(store: Store) -> str:
    """A run that ends between the commit and the attempt beside it."""
    agent = Presser(store, hangs=True)
    work = asyncio.ensure_future(learner(agent).run(TASK, arms=("learned",)))
    await asyncio.wait_for(agent.hanging.wait(), 20)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    return store.runs()[0].id


def revisions(store: Store, run_id: str) -> list[dict[str, int]]:
    return [e.revision for e in store.episodes(run=run_id)]


def test_a_resumed_run_records_the_revisions_of_an_uninterrupted_one(store: Store) -> None:
    cut = asyncio.run(broken_off(store))
    learner(Presser(store, hangs=False)).resume_sync(cut, TASK)
    whole = learner(Presser(store, hangs=False)).run_sync(TASK, arms=("learned",))
    expected = [{"safes-v1": 0, OWN: 0}, {"safes-v1": 0, OWN: 0}, {"safes-v1": 0, OWN: 1}]
    assert revisions(store, whole.run) == expected
    assert revisions(store, cut) == expected


def test_episodes_record_the_revision_of_the_scope_that_they_recall_from(store: Store) -> None:
    reflected = run(store, pressing("red"), reflexion(trials=2), TASK)
    assert revisions(store, reflected.run) == [{OWN: 0}, {OWN: 1}]
    task = safes("blue", test=["blue"], max_steps=1)
    shared = run(store, pressing("red"), handbook(trials=1), task, curator=curator(GENERAL))
    train_then_test = sorted(store.episodes(run=shared.run), key=lambda e: e.spec.round)
    assert [e.revision for e in train_then_test] == [{"safes-v1": 0}, {"safes-v1": 1}]

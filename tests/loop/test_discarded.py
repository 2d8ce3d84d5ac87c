"""What had to be done again, because its journal held other requests, is said by the run."""

from __future__ import annotations

import pytest

from tests.loop.world import safes
from verbalrl import Learner, ScriptedModel, Situation
from verbalrl.errors import StorageError
from verbalrl.methods import reflexion
from verbalrl.store import Store

TASK = safes("green", max_steps=2)


class Asks:
    """Asks a model for each press, in words of its own; may fail at the second press."""

    name = "asks"

    def __init__(self, words: str, *, fails: bool = False) -> None:
        self.words, self.fails = words, fails
        self.model = ScriptedModel(lambda _: "red")

    async def __call__(self, situation: Situation, /) -> str:
        if self.fails and situation.step == 2:
            raise StorageError("the disk is full")
        return await self.model.ask(f"{self.words} Step {situation.step}.")


def learner(store: Store, agent: Asks) -> Learner:
    return Learner(agent, method=reflexion(trials=1), critic=lambda _: "x", store=store)


def test_a_run_says_how_much_work_was_done_again(store: Store) -> None:
    with pytest.raises(StorageError):
        learner(store, Asks("Which one?", fails=True)).run_sync(TASK, arms=("learned",))
    (record,) = store.runs()
    again = learner(store, Asks("Which colour?")).resume_sync(record.id, TASK)
    assert again.figures["discarded"] == 1
    assert "1× work was done again: its journal held other requests" in again.table()
    (episode,) = store.episodes(run=record.id)
    assert episode.generation == 1
    # Whoever reads the figures of a later session must know it as well.
    later = learner(store, Asks("Which colour?")).resume_sync(record.id, TASK)
    assert later.figures["discarded"] == 1


def test_a_run_that_fits_its_journal_says_nothing(store: Store) -> None:
    with pytest.raises(StorageError):
        learner(store, Asks("Which one?", fails=True)).run_sync(TASK, arms=("learned",))
    again = learner(store, Asks("Which one?")).resume_sync(store.runs()[0].id, TASK)
    assert again.figures["discarded"] == 0
    assert "done again" not in again.table()

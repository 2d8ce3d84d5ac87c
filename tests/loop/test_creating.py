"""A run is there with all its branches, or not at all; what cannot work is said before it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loop.world import pressing, run, safes
from verbalrl.errors import ConfigurationError, StorageError
from verbalrl.methods import Reflexion, handbook, reflexion
from verbalrl.store import Store


def refuse_branches_of(arm: str, folder: Path) -> None:
    """The file itself refuses them from now on, as a full disk would."""
    with closing(sqlite3.connect(folder / "verbalrl.db")) as connection:
        connection.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON branches WHEN NEW.arm = '{arm}'"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )


def test_a_run_that_breaks_off_while_it_is_made_leaves_nothing(store: Store) -> None:
    refuse_branches_of("retry", store.path)
    arms = ("none", "retry", "learned")
    with pytest.raises(StorageError, match="no room"):
        run(store, pressing("red"), reflexion(trials=1), safes("blue"), arms=arms)
    assert store.runs() == ()
    assert [branch.id for branch in store.branches()] == ["main"]


def test_a_missing_curator_is_found_before_the_first_call(store: Store) -> None:
    agent, task = pressing("red"), safes("blue", test=["green"])
    with pytest.raises(ConfigurationError, match=r"handbook learns lessons .* curator="):
        run(store, agent, handbook(trials=1), task)
    assert (agent.seen, store.runs()) == ([], ())
    # Nobody curates where nothing is learned, nor where each instance learns for itself.
    run(store, agent, handbook(trials=1), task, learn=False)
    run(store, agent, handbook(trials=1), task, arms=("none", "retry"))
    run(store, agent, reflexion(trials=1), task)


def test_a_method_that_is_read_nowhere_is_refused(store: Store) -> None:
    class Both(Reflexion):
        learns: Any = "both"

    with pytest.raises(ConfigurationError, match=r"reflexion: learns='both'; a method is read on"):
        run(store, pressing("red"), Both(), safes("blue", test=["green"]), arms=("none", "retry"))
    assert store.runs() == ()

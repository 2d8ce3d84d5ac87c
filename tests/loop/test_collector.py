"""The collector of cycles waits during a run and is as before afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.loop.world import run, safes
from verbalrl.execution.collector import PATIENCE, patient
from verbalrl.methods import reflexion
from verbalrl.records import Situation
from verbalrl.store import Store


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield before
    gc.set_threshold(*before)


def test_it_waits_during_a_run_and_not_longer(store: Store) -> None:
    seen: list[int] = []

    def agent(situation: Situation) -> str:
        seen.append(gc.get_threshold()[0])
        return "red"

    run(store, agent, reflexion(trials=1), safes("green"), arms=("none",))
    assert set(seen) == {PATIENCE}
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_overlapping_runs_puts_it_back() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(patient())
    second.enter_context(patient())
    first.close()
    assert gc.get_threshold()[0] == PATIENCE
    second.close()
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [0, 2 * PATIENCE])
def test_what_the_user_chose_stays(own: int) -> None:
    gc.set_threshold(own)
    with patient():
        assert gc.get_threshold()[0] == own
    assert gc.get_threshold()[0] == own

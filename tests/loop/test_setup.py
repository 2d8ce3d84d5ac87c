"""What a run does before its first episode: quick, or ended like all else."""

from __future__ import annotations

import asyncio

import pytest

from verbalrl import ChatAgent, Learner, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.execution.plan import MAX_INSTANCES
from verbalrl.store import Store


def offline(store: Store) -> Learner:
    return Learner(ChatAgent("offline:apprentice"), store=store)


def test_making_instances_can_be_cancelled(store: Store) -> None:
    async def go() -> None:
        async with asyncio.timeout(0.2):
            await offline(store).run(load_task("gridnav-v1"), instances=MAX_INSTANCES)

    with pytest.raises(TimeoutError):
        asyncio.run(go())
    assert store.runs() == ()


@pytest.mark.parametrize("ref", ["gridnav-v1", "triage-v1", "gym:FrozenLake-v1"])
def test_instances_far_away_are_made_alone(ref: str) -> None:
    first = 10**15
    made = load_task(ref).instances("train", first, first + 2)
    assert [i.id.rsplit("/", 1)[1] for i in made] == [str(first), str(first + 1)]


def test_more_instances_than_a_run_holds_are_refused_at_once(store: Store) -> None:
    with pytest.raises(ConfigurationError, match=r"100,001 train instances .* \(100,000\)"):
        offline(store).run_sync(load_task("gridnav-v1"), instances=(5, MAX_INSTANCES + 6))

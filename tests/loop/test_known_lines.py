"""What counts as said before is what the lane's own view holds."""

from __future__ import annotations

import asyncio

from tests.loop.world import run, safes
from verbalrl import Situation
from verbalrl.methods import reflexion
from verbalrl.store import Store


def test_the_same_line_of_another_instance_is_no_duplicate(store: Store) -> None:
    first: list[str] = []

    async def agent(situation: Situation) -> str:
        """On every instance but the first it waits until the first one's line is in the table."""
        assert situation.instance is not None
        first.append(situation.instance.id)
        while situation.instance.id != first[0] and not _in_table(store):
            await asyncio.sleep(0.001)
        return "red"

    run(store, agent, reflexion(trials=2), safes("blue", "blue", max_steps=1))
    assert [c.status for c in store.critiques()] == ["accepted"] * 2


def _in_table(store: Store) -> bool:
    return any(store.current_lessons(branch.id) for branch in store.branches())

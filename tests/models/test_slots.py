"""Slots bound what is in flight and let the urgent go first."""

import asyncio

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.models import Slots


def test_urgent_roles_go_first_then_order_then_arrival() -> None:
    async def run() -> list[str]:
        slots, done = Slots(1), list[str]()

        async def hold(name: str, role: str, order: int) -> None:
            async with slots.hold(role, (order,)):
                done.append(name)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for name, role, order in [
                ("first", "actor", 9),
                ("actor 2", "actor", 2),
                ("actor 1", "actor", 1),
                ("actor 1 later", "actor", 1),
                ("critic", "critic", 7),
                ("curator", "curator", 8),
            ]:
                group.create_task(hold(name, role, order))
        return done

    expected = ["first", "curator", "critic", "actor 1", "actor 1 later", "actor 2"]
    assert asyncio.run(run()) == expected


def test_figures_count_what_is_in_flight() -> None:
    async def run() -> Slots:
        slots = Slots(3)

        async def hold() -> None:
            async with slots.hold("actor"):
                assert slots.in_flight <= 3
                await asyncio.sleep(0.01)

        await asyncio.gather(*(hold() for _ in range(7)))
        return slots

    slots = asyncio.run(run())
    assert (slots.in_flight, slots.peak, slots.calls) == (0, 3, 7)
    assert slots.busy_seconds > 0.05


@pytest.mark.parametrize("handed_over", [False, True])
def test_cancelled_waiter_does_not_lose_the_slot(handed_over: bool) -> None:
    async def run() -> int:
        slots = Slots(1)

        async def hold() -> None:
            async with slots.hold("actor"):
                pass

        async with slots.hold("actor"):
            waiting = asyncio.create_task(hold())
            other = asyncio.create_task(hold())
            await asyncio.sleep(0)
            if not handed_over:
                waiting.cancel()
                await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait_for(other, 1)
        return slots.in_flight

    assert asyncio.run(run()) == 0


def test_slots_need_one() -> None:
    with pytest.raises(ConfigurationError):
        Slots(0)

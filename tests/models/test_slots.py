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


def test_lanes_share_whatever_their_numbers() -> None:
    async def run() -> list[str]:
        slots, done = Slots(2), list[str]()

        async def hold(lane: str, order: int) -> None:
            async with slots.hold("actor", (order,), lane):
                done.append(lane)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            # The big lane comes first, and with smaller numbers.
            for lane, count, lead in (("big", 60, 0), ("small", 6, 1000), ("late", 6, 2000)):
                for n in range(count):
                    group.create_task(hold(lane, lead + n))
        return done

    done = asyncio.run(run())
    assert len(done) == 72
    for lane in ("small", "late"):
        assert done.index(lane) < 4
        # Each lane gets a third while all three want slots.
        assert max(n for n, name in enumerate(done) if name == lane) < 3 * 6 + 4


def test_an_idle_lane_saves_nothing_up() -> None:
    async def run() -> list[str]:
        slots, done = Slots(1), list[str]()

        async def hold(lane: str) -> None:
            async with slots.hold("actor", (), lane):
                done.append(lane)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(hold("busy"))
            await asyncio.sleep(0)
            while len(done) < 20:
                await asyncio.sleep(0)
            for _ in range(10):
                group.create_task(hold("fresh"))
        return done

    done = asyncio.run(run())
    assert len(done) == 50
    # It is served in turn with the other from when it came; it does not hold the slot for itself.
    assert done[22:40].count("busy") >= 8


def test_every_waiter_is_served_under_a_stream_of_urgent_ones() -> None:
    async def run() -> list[str]:
        slots, done = Slots(2), list[str]()

        async def attempt(lane: str, n: int) -> None:
            async with slots.hold("actor", (n,), lane):
                await asyncio.sleep(0)
            # As in a run: every actor's call brings one of a critic.
            async with slots.hold("critic", (n,), lane):
                await asyncio.sleep(0)
            done.append(lane)

        async with asyncio.TaskGroup() as group:
            for lane in ("a", "b", "c"):
                for n in range(30):
                    group.create_task(attempt(lane, n))
        assert slots.in_flight == 0
        return done

    done = asyncio.run(run())
    assert sorted(done) == sorted([*"abc"] * 30)
    # At no time is a lane far behind.
    for end in range(9, 90, 9):
        counts = [done[:end].count(lane) for lane in "abc"]
        assert max(counts) - min(counts) <= 3


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

"""The streams of a run: which there are, and which waits for which."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..lanes import Stream, together
from ..methods import BEST_OF_N, LEARNED
from ..records import LaneKey
from .bench import Bench


async def drive(bench: Bench) -> None:
    """Run every stream of a run to its end."""
    await together(streams_of(bench))


def streams_of(bench: Bench) -> list[Coroutine[Any, Any, object]]:
    """The streams of a run under way, one for each of its arms and seeds."""
    plan, scope = bench.plan, bench.kit.task.id
    ended = {seed: asyncio.Event() for seed in plan.seeds}

    async def driven(lane: LaneKey) -> None:
        if lane.arm == BEST_OF_N:
            # It spends what `learned` spent, which must be known by then.
            await ended[lane.seed].wait()
        stream = Stream(lane, plan.arm(lane.arm), bench, scope, plan.instances_of(lane.arm))
        try:
            await stream.run()
        finally:
            if lane.arm == LEARNED:
                ended[lane.seed].set()

    return [driven(lane) for lane, _ in plan.lanes(bench.record.id)]

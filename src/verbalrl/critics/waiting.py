"""A critic that does not come back: nobody waits for it for ever."""

from __future__ import annotations

import asyncio

from ..errors import CriticError
from ..models import CallContext
from ..records import Critique, Usage
from .critique import Critic
from .view import CritiqueCase, trust


async def write_in_time(
    critic: Critic, case: CritiqueCase, context: CallContext, seconds: float | None
) -> Critique:
    """What `critic` writes of `case`; after `seconds` (None: never) that it failed."""
    try:
        async with asyncio.timeout(seconds) as clock:
            return await critic.write(case, context)
    except TimeoutError:
        if not clock.expired():
            raise
    return Critique(
        id=case.id,
        episodes=tuple(e.id for e in case.episodes),
        instance=case.instance.id,
        trial=case.episodes[-1].trial,
        template=case.work.template,
        status="failed",
        detail=f"{CriticError.kind}: the critic took longer than {seconds:g} s",
        trust=trust(case),
        sample=case.work.sample,
        usage=sum(context.usage.values(), Usage()),
    )

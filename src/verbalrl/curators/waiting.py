"""A curator that does not come back: nobody waits for it for ever."""

from __future__ import annotations

import asyncio

from ..errors import CuratorError
from ..models import CallContext
from ..records import Commit, Usage
from .case import CurationCase
from .curator import Curator
from .shared import curate_shared


async def curate_in_time(
    case: CurationCase, curator: Curator, context: CallContext, seconds: float | None
) -> Commit:
    """The commit of `case`; after `seconds` one without updates that consumes its critiques."""
    try:
        async with asyncio.timeout(seconds) as clock:
            return await curate_shared(case, curator, context)
    except TimeoutError:
        if not clock.expired():
            raise
    return Commit(
        id=case.id,
        branch=case.branch,
        scope=case.work.scope,
        base=case.base,
        critiques=tuple(c.id for c in case.critiques),
        failure=f"{CuratorError.kind}: the curator took longer than {seconds:g} s",
        usage=sum(context.usage.values(), Usage()),
    )

"""What the digest of a run has of its episodes, made while the run waits for its curator.

At the end of a run nothing else is left to do, and all would wait for it. A line is made of the
rows, like those that are made at the end, and kept only as they were then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ..errors import StorageError
from ..records import EpisodeSpec
from ..store import Store
from ..store.digest import EpisodeLine, line_of

MOST = 4_096
"""Lines that are kept, some 1.5 MiB; of a longer run the others are made at the end."""

_SENT_S = 0.01
"""Until then the curator's own requests are built."""


class Ahead:
    """Lines of the episodes of one run, by id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[str] = deque(maxlen=MOST)
        self.lines: dict[str, EpisodeLine] = {}

    def put(self, name: str) -> None:
        """Make the line of this episode, which is durable, when there is time."""
        self._waiting.append(name)

    def clear(self) -> None:
        """Forget all lines: what a person has taken out of the store is not in them any more."""
        self.lines.clear()

    @asynccontextmanager
    async def while_waiting(self) -> AsyncIterator[None]:
        """Within, one line is made in each turn of the event loop."""
        making = asyncio.create_task(self._make())
        try:
            yield
        finally:
            making.cancel()

    async def _make(self) -> None:
        await asyncio.sleep(_SENT_S)
        while self._waiting and len(self.lines) < MOST:
            name = self._waiting.popleft()
            # What cannot be read is read at the end, and named there.
            with suppress(StorageError):
                episode = self._store.episode(name)
                # What lessons began with, by which they are named, is read at the end, too.
                if episode is not None and not _names_lessons(episode.spec):
                    self.lines[name] = line_of(episode, {})
            await asyncio.sleep(0)


def _names_lessons(spec: EpisodeSpec) -> bool:
    return any(g.lessons or g.force_in or g.force_out for g in spec.guidance.values())

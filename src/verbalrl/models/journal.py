"""Where the answers of models, hooks and persons are kept while a run works."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..records import CallRecord


class Journal(Protocol):
    """Where answers are kept; the store's, or a `MemoryJournal`."""

    def lookup(self, key: str, generation: int, /) -> CallRecord | None:
        """The record under `key`, if there is one."""

    def begin(self, record: CallRecord, /) -> asyncio.Future[None]:
        """Keep `record`; done when it is durable, and whether or not somebody waits for it."""


class MemoryJournal:
    """A journal that lasts as long as the process: for contract checks and tests."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], CallRecord] = {}

    def lookup(self, key: str, generation: int, /) -> CallRecord | None:
        """The record under `key`, if there is one."""
        return self.records.get((key, generation))

    async def append(self, record: CallRecord, /) -> None:
        """Keep `record`."""
        self.records.setdefault((record.key, record.generation), record)

    def begin(self, record: CallRecord, /) -> asyncio.Future[None]:
        """`append` in a task of its own."""
        task = asyncio.ensure_future(self.append(record))
        _appending.add(task)
        task.add_done_callback(_appending.discard)
        return asyncio.shield(task)


# The loop holds tasks weakly; an append that outlives its caller must not be collected.
_appending: set[asyncio.Future[None]] = set()

"""Where the answers of models, hooks and persons are kept while a run works."""

from __future__ import annotations

from typing import Protocol

from ..records import CallRecord


class Journal(Protocol):
    """Where answers are kept; the store's, or a `MemoryJournal`."""

    def lookup(self, key: str, generation: int, /) -> CallRecord | None:
        """The record under `key`, if there is one."""

    async def append(self, record: CallRecord, /) -> None:
        """Keep `record`; returns when it is durable."""


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

"""The latest episodes and critiques of a run: a lane that goes on soon need not read them again.

Reading those of two earlier passes takes 1 ms of a lane's start, and all lanes of a round wait for
it. Kept are so many and no more, so that memory stays flat.
"""

from __future__ import annotations

from ..records import Critique, Episode
from ..store import Store
from ..store.tombstones import Tombstone

MOST = 640
"""Episodes and critiques that are kept, some 15 MiB where each has forty lessons.

The oldest go first, whatever was read since: in a later pass they are those of lanes that began.
"""
_LONG = 16_000
"""Characters of an episode's texts: longer ones are read each time."""


class Recent:
    """Episodes and critiques as their rows have them, the latest from memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Episode | Critique] = {}
        self.stones: tuple[Tombstone, ...] | None = None
        """What had been taken out for good before any of it was kept."""

    def begin(self) -> None:
        """Forget what is kept if a person has taken something out of the store since."""
        stones = self._store.tombstones()
        if stones != self.stones:
            self._kept.clear()
            self.stones = stones

    def put(self, record: Episode | Critique) -> None:
        """Keep what is durable by now."""
        if self.stones is None:
            self.begin()
        if isinstance(record, Episode) and _size(record) > _LONG:
            return
        self._kept[record.id] = record
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def episode(self, name: str) -> Episode | None:
        """The episode of that id; None where the store has none."""
        found = self._kept.get(name)
        return found if isinstance(found, Episode) else self._store.episode(name)

    def critique(self, name: str) -> Critique | None:
        """The critique of that id; None where the store has none."""
        found = self._kept.get(name)
        return found if isinstance(found, Critique) else self._store.critique(name)


def _size(episode: Episode) -> int:
    return sum(
        len(step.observation.text) + len(step.action.text) + len(step.feedback)
        for step in episode.trajectory.steps
    )

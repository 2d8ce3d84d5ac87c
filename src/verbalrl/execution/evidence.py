"""What critiques of a run stand on, kept between its curations, so that each is read once.

Every curation is shown what earlier ones were, so that reading it anew takes longer with each. Kept
is what a curator sees, the steps that a critique speaks of, and not the episodes.
"""

from __future__ import annotations

from typing import NamedTuple

from ..curators import Item, items_of
from ..records import Critique, Episode, Origin
from ..store import Store
from ..store.digest import EpisodeLine
from ..store.tombstones import Tombstone
from .ahead import Ahead
from .recent import Recent

MOST = 512
"""Critiques that are kept, the first ones; of a longer run the others are read each time."""
_LONG = 4_000
"""Characters of an observation: those of longer ones are read each time, too."""


class Shown(NamedTuple):
    """A critique, and what it stands on."""

    critique: Critique
    items: tuple[Item, ...]


class RunEvidence:
    """What the critiques of one run stand on, as the store has it."""

    def __init__(self, store: Store, observations: Origin, run: str, *, shared: bool) -> None:
        """Keep nothing where no memory is `shared`: lanes do not go on, and nothing is shown."""
        self._observations, self._run, self._shared = observations, run, shared
        self.recent = Recent(store)
        self.ahead = Ahead(store)
        self._kept: dict[str, Shown] = {}
        self._stones: tuple[Tombstone, ...] | None = None

    @property
    def lines(self) -> dict[str, EpisodeLine]:
        """What the digest of the run has of those of its episodes that were looked at already."""
        self.begin()
        return self.ahead.lines

    def begin(self) -> None:
        """Forget what is kept if a person has taken something out of the store since."""
        self.recent.begin()
        if self.recent.stones != self._stones:
            self._kept.clear()
            self.ahead.clear()
            self._stones = self.recent.stones

    def put(self, record: Episode | Critique) -> None:
        """Keep what is durable by now, for lanes that go on and for the curation after them.

        It is made ready while other lanes wait for their replies.
        """
        if not self._shared:
            return
        if self._stones is None:
            self.begin()
        self.recent.put(record)
        if isinstance(record, Episode):
            self.ahead.put(record.id)
        if isinstance(record, Critique) and record.status == "accepted":
            self.of(record.id)

    def of(self, name: str) -> Shown | None:
        """The critique `name`; None where the store lacks it, or an episode that it read."""
        found = self._kept.get(name)
        if found is not None:
            return found
        critique = self.recent.critique(name)
        if critique is None:
            return None
        read = {e: x for e in critique.episodes if (x := self.recent.episode(e)) is not None}
        if len(read) < len(set(critique.episodes)):
            return None
        found = Shown(critique, items_of(critique, read, self._observations))
        # What was served may be judged anew at any time; what this run has done may not.
        own = all(episode.run == self._run for episode in read.values())
        short = all(len(item.observation) <= _LONG for item in found.items)
        if own and short and len(self._kept) < MOST:
            self._kept[name] = found
        return found

"""What a run starts from: the branch whose lessons its learning arms read first."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..records import Lesson
from ..store import Store, open_store


def parents(store: Store, start: str | None) -> dict[str, int]:
    """The revisions at which the branch `start` is pinned, by scope.

    Raises:
        UnknownNameError: There is no such branch.
    """
    if start is None:
        return {}
    store.branch(start)
    return {scope: store.revision(start, scope) for scope in store.scopes(start)}


def inherited(
    place: Store | Path | str | None, start: str | None, scope: str
) -> tuple[Lesson, ...]:
    """The usable lessons of `scope` that a run in the store `place` would start with.

    Raises:
        ConfigurationError: No store is named, so that there is no branch to start from.
        StorageError: There is no store.
        UnknownNameError: There is no such branch.
    """
    if start is None:
        return ()
    if place is None:
        raise ConfigurationError(f"start={start!r}: a new store has no such branch; give store=")
    if not isinstance(place, Store):
        with open_store(place) as store:
            return inherited(store, start, scope)
    place.branch(start)
    return tuple(x for x in place.current_lessons(start, scope=scope) if x.usable)

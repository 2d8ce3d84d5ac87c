"""What one curation of a shared scope works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..records import Commit, Critique, CurateLessons, Episode, Lesson, Objection, Origin
from .evidence import Item

Check = Callable[[Commit, tuple[Lesson, ...]], Objection | None]
"""A commit and the lessons that it was made against → why it is refused; None where it stands."""


@dataclass(frozen=True, slots=True)
class CurationCase:
    """All that one curation works with."""

    id: str
    """The commit's id."""
    work: CurateLessons
    branch: str
    base: int
    """The pinned revision."""
    critiques: tuple[Critique, ...]
    """The new ones, in canonical order."""
    earlier: tuple[Critique, ...] = ()
    """Of earlier rounds, in canonical order."""
    episodes: Mapping[str, Episode] = field(default_factory=dict)
    items: Mapping[str, tuple[Item, ...]] = field(default_factory=dict)
    """By critique, what it stands on; of one that is not there, it is found in its episodes."""
    lessons: tuple[Lesson, ...] = ()
    """Of the scope at the pinned revision, in any status; only usable ones are shown."""
    goal: str = ""
    """What the agent's task is."""
    goals: Mapping[str, str] = field(default_factory=dict)
    """Instance → its goal, where they differ."""
    check: Check | None = None
    """A method's own check."""
    observations: Origin = Origin.UNTRUSTED
    """Who the task's observations come from, where their parts do not say."""
    barred: frozenset[str] = frozenset()
    """Critiques whose source was revoked: they are consumed, and never shown."""

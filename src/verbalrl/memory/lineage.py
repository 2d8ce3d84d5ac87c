"""Where every text of every lesson stems from: one pass over the updates of a whole store. Pure.

A text is tainted when what is taken out has a part in it: it cites it, it was made from a tainted
text, or it was copied from one. A text that clean evidence says word for word stands on its own.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..records import (
    BranchRecord,
    Evidence,
    Lesson,
    LessonBody,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..store import LIVE, Line, apply, hashed, is_copy

_TAKES_PLACE = (Operation.MERGE, Operation.SUPERSEDE)

Home = tuple[str, str]
"""A branch and a scope."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is taken out, with all that stems from it."""

    lessons: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    episodes: frozenset[str] = frozenset()
    critiques: frozenset[str] = frozenset()

    def hits(self, evidence: Evidence) -> bool:
        """Whether `evidence` stems from it."""
        return (
            evidence.episode in self.episodes
            or evidence.critique in self.critiques
            or any(s in self.sources or hashed(s) in self.sources for s in evidence.sources)
        )


@dataclass(slots=True)
class Text:
    """One version of a lesson."""

    number: int
    body: LessonBody
    tainted: bool
    status: Status
    """The last one in which the lesson lived with this text."""
    entered: Status
    """The one in which the text was made."""


@dataclass(slots=True)
class Track:
    """What is known of one lesson on one branch besides what it is now."""

    texts: list[Text] = field(default_factory=list)
    named: bool = False
    """It is what is taken out, or a copy of it."""
    gained: set[Evidence] = field(default_factory=set)
    """Evidence that came to it with a tainted text."""
    left: Status | None = None
    """The status that it had before it was retired or its place was taken."""
    retired_by_taint: bool = False

    @property
    def tainted(self) -> bool:
        """Whether the text that it has now is."""
        return self.named or (bool(self.texts) and self.texts[-1].tainted)


@dataclass(slots=True)
class Memory:
    """The lessons of one branch and scope, with their tracks."""

    lessons: dict[str, Lesson] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    revision: int = 0

    def is_purged(self, lesson: str) -> bool:
        """Whether nothing of a lesson is left but its place."""
        return self.lessons[lesson].status is Status.PURGED


def trace(
    lines: Iterable[Line],
    branches: Iterable[BranchRecord],
    target: Target,
    homes: Collection[Home] | None = None,
) -> Mapping[Home, Memory]:
    """All lessons as they are now, of every branch and scope that has or reads any.

    A branch that only reads its parent's lessons gets them as they were at the revision it pinned.

    Args:
        lines: The updates, in the order of writing: all, or those of `Store.lines_around`.
        branches: All.
        target: What is taken out.
        homes: All that have updates; by default those of `lines`.
    """
    made = _Trace(target, {b.id: b for b in branches})
    ordered = list(lines)
    owned = {(line.branch, line.scope) for line in ordered}
    readers = made.readers(owned if homes is None else homes)
    for line in ordered:
        home = (line.branch, line.scope)
        for revision, reader in readers.get(home, ()):
            if reader not in made.memories and line.revision > revision:
                made.memories[reader] = copy.deepcopy(made.memories.get(home, Memory()))
        made.add(line)
    for home, waiting in readers.items():
        for _, reader in waiting:
            made.memories.setdefault(reader, copy.deepcopy(made.memories.get(home, Memory())))
    return made.memories


class _Trace:
    def __init__(self, target: Target, branches: Mapping[str, BranchRecord]) -> None:
        self.target, self.branches = target, branches
        self.memories: dict[Home, Memory] = {}
        self.everywhere: dict[str, list[Track]] = {}
        """The tracks of a lesson on all branches, as they were made."""

    def readers(self, owned: Collection[Home]) -> dict[Home, list[tuple[int, Home]]]:
        """By home that has updates: the revision at which another branch reads it."""
        found: dict[Home, list[tuple[int, Home]]] = {}
        for branch in self.branches.values():
            for scope, pinned in branch.pinned.items():
                if (branch.id, scope) in owned or not pinned:
                    continue
                home = self._owner(branch, scope, pinned, owned)
                if home is not None:
                    found.setdefault(home, []).append((pinned, (branch.id, scope)))
        return found

    def _owner(
        self, branch: BranchRecord, scope: str, at: int, owned: Collection[Home]
    ) -> Home | None:
        parent = self.branches.get(branch.parent or "")
        while parent is not None:
            if (parent.id, scope) in owned and at > parent.pinned.get(scope, 0):
                return (parent.id, scope)
            parent = self.branches.get(parent.parent or "")
        return None

    def add(self, line: Line) -> None:
        """Apply one update and follow what it means for the lesson's lineage."""
        memory = self.memories.setdefault((line.branch, line.scope), Memory())
        update, state = line.update, memory.lessons
        before = state.get(update.lesson)
        parents = [(state[p], memory.tracks[p]) for p in update.parents if p in state]
        apply(state, update, line.scope, (line.revision, line.ordinal))
        memory.revision = line.revision
        after = state.get(update.lesson)
        if after is None:
            return
        track = memory.tracks.get(update.lesson)
        if track is None:
            track = memory.tracks[update.lesson] = self._begun(line, after)
            self.everywhere.setdefault(update.lesson, []).append(track)
        if is_copy(update):
            return
        if before is None or before.version != after.version:
            tainted = self._taints(update, after, track, parents)
            made = Text(after.version, after.body, tainted, after.status, after.status)
            track.texts.append(made)
        self._follow(update, before, after, track)
        self._gain(update, before, track, parents)
        if update.op in _TAKES_PLACE:
            for parent, its in parents:
                its.left, its.retired_by_taint = parent.status, False

    def _begun(self, line: Line, lesson: Lesson) -> Track:
        """The track of a lesson that comes up on a branch: a copied one goes on from its parent."""
        update, named = line.update, lesson.id in self.target.lessons
        if is_copy(update):
            origin = self._ancestor(line.branch, lesson.id)
            track = Track(named=named)
            if origin is None:
                bad = bool(lesson.evidence) and all(map(self.target.hits, lesson.evidence))
                stood = lesson.status
                track.texts = [Text(lesson.version, lesson.body, bad, stood, stood)]
                return track
            track = copy.deepcopy(origin)
            track.texts = [t for t in track.texts if t.number <= lesson.version]
            return track
        if update.snapshot is not None and update.op is Operation.ADD:
            named = named or any(t.named for t in self.everywhere.get(update.snapshot.id, ()))
            named = named or update.snapshot.id in self.target.lessons
        return Track(named=named)

    def _ancestor(self, branch: str, lesson: str) -> Track | None:
        parent = self.branches.get(self.branches[branch].parent or "")
        while parent is not None:
            for (name, _), memory in self.memories.items():
                if name == parent.id and lesson in memory.tracks:
                    return memory.tracks[lesson]
            parent = self.branches.get(parent.parent or "")
        return None

    def _taints(
        self,
        update: MemoryUpdate,
        after: Lesson,
        track: Track,
        parents: list[tuple[Lesson, Track]],
    ) -> bool:
        if track.named:
            return True
        if update.undoes is not None and update.snapshot is not None:
            back = update.snapshot.version
            return any(t.tainted for t in track.texts if t.number == back)
        if update.revokes:
            said = after.body.content
            return any(t.tainted for t in track.texts if t.body.content == said)
        clean = [e for e in update.evidence if not self.target.hits(e)]
        if any(e.says == after.body.content for e in clean):
            return False
        if len(clean) < len(update.evidence) or self.target.critiques & set(update.critiques):
            return True
        if update.trust is Origin.OPERATOR and update.op is Operation.REVISE:
            return False  # a person's own words
        earlier = bool(track.texts) and track.texts[-1].tainted
        made_from = update.op in _TAKES_PLACE and any(its.tainted for _, its in parents)
        return earlier or made_from or self._copies_taint(update)

    def _copies_taint(self, update: MemoryUpdate) -> bool:
        if update.snapshot is None:
            return False
        number = update.snapshot.version
        tracks = self.everywhere.get(update.snapshot.id, ())
        return any(t.tainted for track in tracks for t in track.texts if t.number == number)

    def _follow(
        self, update: MemoryUpdate, before: Lesson | None, after: Lesson, track: Track
    ) -> None:
        if after.status in LIVE:
            track.left = None
            if track.texts:
                track.texts[-1].status = after.status
        elif before is not None and before.status in LIVE:
            track.left = before.status
            cited = update.evidence
            track.retired_by_taint = (
                update.op is Operation.RETIRE and bool(cited) and all(map(self.target.hits, cited))
            )

    def _gain(
        self,
        update: MemoryUpdate,
        before: Lesson | None,
        track: Track,
        parents: list[tuple[Lesson, Track]],
    ) -> None:
        """Evidence that is not the lesson's own: of a tainted parent, or of a lesson taken out."""
        own = set(before.evidence) if before is not None else set()
        if update.op is Operation.MERGE:
            for parent, its in parents:
                if its.named:
                    track.gained |= set(parent.evidence) - own - set(update.evidence)
        if update.op is Operation.SUPPORT and update.snapshot is not None:
            others = self.everywhere.get(update.snapshot.id, ())
            if update.snapshot.id in self.target.lessons or any(t.named for t in others):
                track.gained |= set(update.evidence) - own
        elif update.op is not Operation.MERGE:
            track.gained -= set(update.evidence)

"""Whether a store is sound, and whether its memory is any good: pure counts over what was read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..ids import normalised
from ..records import GuidanceSpec, Lesson, LessonKind, Origin
from ..store import LIVE, Carried, Store, clashes

_WORD = re.compile(r"\w+")
_VACUOUS = frozenset({"", "always", "any", "any time", "every time", "at all times", "in general"})


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    where: str
    what: str


class Verified(NamedTuple):
    """What `verify` has looked at and found."""

    lessons: int
    scopes: int
    digests: int
    """Runs whose digest of memory was compared with the one they ended with."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What differs for a good reason."""


class Audit(NamedTuple):
    """Figures on the live lessons of one branch; shares are None where there is none."""

    lessons: int
    by_status: dict[str, int]
    duplicates: float | None
    """The share that says, fillers and order aside, what an older one of its scope says."""
    never_used: float | None
    """The share that no prompt has carried."""
    loops: float | None
    """The share learned from an episode whose prompt said it already."""
    conflicts: int
    usable_when: float | None
    """The share of shared lessons that say when they apply."""
    over_budget: dict[str, int]
    """Scopes whose usable lessons do not all fit into one prompt, with their tokens."""
    waiting: int
    """Untrusted lessons in quarantine."""


def verify(store: Store) -> Verified:
    """Hold the tables against the updates, the file against itself, and memory against digests."""
    findings = [Finding("the file", what) for what in store.damage()]
    notes: list[str] = []
    lessons = scopes = digests = 0
    for branch in store.branches():
        for scope in store.owned(branch.id):
            table, replayed = store.projected(branch.id, scope), store.replayed(branch.id, scope)
            where = f"branch {branch.id}, scope {scope}"
            findings += [Finding(where, what) for what in unlike(table, replayed)]
            findings += [
                Finding(where, f"{' and '.join(same)} say the same") for same in clashes(table)
            ]
            lessons, scopes = lessons + len(table), scopes + 1
    changed = {x.branch for x in store.lines() if x.update.trust is Origin.OPERATOR}
    for run in store.runs():
        for name, digest in _digests(run.id, run.result or {}).items():
            digests += 1
            if store.memory_digest(name) == digest:
                continue
            if name in changed:
                notes.append(f"branch {name} was changed by a person since its run ended")
            else:
                findings.append(Finding(f"branch {name}", "its digest is not the run's"))
    return Verified(lessons, scopes, digests, tuple(findings), tuple(notes))


def unlike(table: Iterable[Lesson], replayed: Iterable[Lesson]) -> list[str]:
    """What of the table is not what the updates make, lesson by lesson."""
    has, should = {x.id: x for x in table}, {x.id: x for x in replayed}
    found = [f"lesson {n} is missing in the table" for n in should if n not in has]
    found += [f"lesson {n} is in no update" for n in has if n not in should]
    both = [n for n in should if n in has and has[n] != should[n]]
    return found + [f"lesson {n} differs from its updates" for n in both]


def audit(store: Store, branch: str, scope: str | None = None) -> Audit:
    """Figures on the memory of a branch."""
    live = store.current_lessons(branch, scope=scope, statuses=LIVE)
    episodes = {e.episode for x in live for e in x.evidence}
    read = store.carried_in(episodes)
    return figures(live, store.used(), read, GuidanceSpec().budget)


def figures(
    live: Sequence[Lesson],
    used: Collection[str],
    read: Mapping[str, Sequence[Carried]],
    budget: int,
) -> Audit:
    """`read`: by episode, what its prompts carried. Lessons come oldest first within a scope."""
    words = {x.id: (x.scope, x.kind, same_words(x)) for x in live}
    firsts: set[object] = set()
    twice = 0
    for lesson in live:
        twice += words[lesson.id] in firsts
        firsts.add(words[lesson.id])
    by_id = {x.id: x for x in live}
    loops = sum(_is_loop(x, read, by_id) for x in live)
    shared = [x for x in live if x.kind is not LessonKind.REFLECTION]
    tokens: Counter[str] = Counter()
    for lesson in live:
        tokens[lesson.scope] += lesson.body.tokens if lesson.usable else 0
    return Audit(
        lessons=len(live),
        by_status=dict(sorted(Counter(x.status.value for x in live).items())),
        duplicates=_share(twice, len(live)),
        never_used=_share(sum(x.id not in used for x in live), len(live)),
        loops=_share(loops, len(live)),
        conflicts=sum(x.conflict_with is not None for x in live),
        usable_when=_share(sum(says_when(x) for x in shared), len(shared)),
        over_budget={s: n for s, n in sorted(tokens.items()) if n > budget},
        waiting=sum(x.status is LIVE[0] for x in live),
    )


def same_words(lesson: Lesson) -> frozenset[str]:
    """The words of a lesson; equal for two that differ in order and repetition alone."""
    text = f"{lesson.when} {lesson.when_not} {lesson.instruction}"
    return frozenset(_WORD.findall(normalised(text)))


def says_when(lesson: Lesson) -> bool:
    """Whether its condition can be told from none."""
    return normalised(lesson.when) not in _VACUOUS


def _is_loop(
    lesson: Lesson, read: Mapping[str, Sequence[Carried]], by_id: Mapping[str, Lesson]
) -> bool:
    mine = same_words(lesson)
    for evidence in lesson.evidence:
        for carried in read.get(evidence.episode, ()):
            other = by_id.get(carried.lesson)
            if other is not None and other.id != lesson.id and same_words(other) == mine:
                return True
    return False


def _share(count: int, of: int) -> float | None:
    return None if not of else count / of


def _digests(run: str, result: Mapping[str, object]) -> dict[str, str]:
    """By branch, the digest of memory that a run ended with."""
    arms = result.get("arms")
    found: dict[str, str] = {}
    if isinstance(arms, dict):
        for arm, facts in arms.items():
            digests = facts.get("memory_digest") if isinstance(facts, dict) else None
            if isinstance(digests, dict):
                found |= {f"{run}/{arm}/{seed}": str(d) for seed, d in digests.items()}
    return found

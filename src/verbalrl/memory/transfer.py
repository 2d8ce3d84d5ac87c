"""Lessons as lines of JSON: out of one store, and into another's quarantine.

A line holds what a lesson says and what it rests on, and says of the rest only what it was. A file
has nobody's trust: what comes in waits for a person, whatever the file claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from ..errors import ConfigurationError, wanted
from ..ids import canonical_json, key_id
from ..records import (
    Commit,
    Evidence,
    Lesson,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    Operation,
    Origin,
    Status,
)
from ..records._base import Record
from ..store import LIVE, Barred, Store, lesson_id
from ..text import normalise, redact
from .changing import check_over, leased
from .editing import check_text

FORMAT = "verbalrl-lessons-1"
DIFFERS = ("status", "trust", "version")
"""What an imported lesson does not take over from its line: the store decides it."""
_LONGEST_LINE = 1_000_000
_WORDS = ("name", "when", "when_not", "instruction", "aspect", "audience", "check")


class Exported(Record):
    """One line."""

    format: str = FORMAT
    scope: str
    kind: LessonKind
    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str = ""
    aspect: str = ""
    audience: str = ""
    conditional: bool = False
    examples_not: tuple[str, ...] = ()
    check: str = ""
    confidence: float | None = None
    votes: dict[str, int] = {}
    evidence: tuple[Evidence, ...] = ()
    status: Status = Status.QUARANTINED
    trust: Origin = Origin.UNTRUSTED
    version: int = 1


class Imported(NamedTuple):
    """What became of the lines of a file."""

    added: int
    unchanged: int
    """Lines that say what the branch has already."""
    refused: tuple[str, ...]
    """Why the others were not taken."""


def export_lines(lessons: Iterable[Lesson]) -> list[str]:
    """One line for each live lesson, in the order (scope, kind, content), whatever the store."""
    live = [x for x in lessons if x.status in LIVE]
    ordered = sorted(live, key=lambda x: (x.scope, x.kind.value, x.body.content))
    return [canonical_json(_line(x).model_dump(mode="json")) for x in ordered]


def read_lines(lines: Iterable[str]) -> list[Exported]:
    """The lessons of a file, with texts as they enter a run; empty lines are passed over.

    Raises `ConfigurationError` with the number of the first line that is none.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_read(line))
            except (ValueError, ConfigurationError) as error:
                raise ConfigurationError(f"line {number}: {_why(error)}") from error
    return found


async def import_lessons(store: Store, lines: Sequence[Exported], branch: str) -> Imported:
    """Put lessons into quarantine on `branch`, all scopes in one transaction.

    What is there already stays as it is and gains nothing by a file; what was revoked stays out.

    Raises:
        ConfigurationError: The run of the branch can be resumed.
        LeaseError: The lessons of the branch are being changed by somebody else.
    """
    check_over(store, branch)
    with leased(store, [branch], "import") as fences:
        commits, unchanged, refused = [], 0, list[str]()
        bar = store.barred()
        by_scope: dict[str, list[Exported]] = {}
        for line in lines:
            by_scope.setdefault(line.scope, []).append(line)
        known = frozenset(store.scopes(branch))
        for scope, here in sorted(by_scope.items()):
            base = store.revision(branch, scope) if scope in known else 0
            identity = key_id("im", branch, scope, base, [x.model_dump(mode="json") for x in here])
            there = store.current_lessons(branch, scope=scope) if scope in known else ()
            updates, same, why = entering(here, there, bar, (branch, identity))
            unchanged += same
            refused += why
            if updates:
                made = {"id": identity, "branch": branch, "scope": scope, "base": base}
                commits.append(Commit(**made, updates=updates))
        await store.put_commits(commits, fences)
    return Imported(sum(len(c.updates) for c in commits), unchanged, tuple(refused))


def entering(
    lines: Iterable[Exported], there: Iterable[Lesson], bar: Barred, home: tuple[str, str]
) -> tuple[tuple[MemoryUpdate, ...], int, list[str]]:
    """The updates that bring `lines` in, how many are there already, and why others are refused.

    `home` is the branch and the id of the commit. Evidence comes along as a record of where a
    lesson says that it stems from; it confirms nothing here.
    """
    live, over = set(), set()
    for lesson in there:
        if lesson.status in LIVE:
            live.add(lesson.body.content)
        elif lesson.status is Status.REVOKED:
            over.add(lesson.body.content)
    made: list[MemoryUpdate] = []
    refused: list[str] = []
    unchanged = 0
    for line in lines:
        body = _body(line)
        if body.content in live:
            unchanged += 1
        elif body.content in over:
            refused.append(f"{body.instruction[:60]!r}: this text was revoked")
        elif any(map(bar.hits, line.evidence)):
            refused.append(f"{body.instruction[:60]!r}: its source was revoked")
        else:
            live.add(body.content)
            made.append(_update(line, body, lesson_id(home[0], line.scope, body, home[1])))
    return tuple(made), unchanged, refused


def _line(lesson: Lesson) -> Exported:
    body = lesson.body.model_dump()
    return Exported(
        **body,
        scope=lesson.scope,
        confidence=lesson.confidence,
        votes=lesson.votes,
        evidence=_plain(lesson.evidence),
        status=lesson.status,
        trust=lesson.trust,
        version=lesson.version,
    )


def _plain(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    # What it confirms holds in the store that saw the episode, and in no other.
    return tuple(
        dict.fromkeys(e.replace(sound=False, says="") if e.sound or e.says else e for e in evidence)
    )


def _read(line: str) -> Exported:
    if len(line) > _LONGEST_LINE:
        raise ConfigurationError(f"it has more than {_LONGEST_LINE:,} characters")
    given: Any = json.loads(line)
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise ConfigurationError(f"it is no lesson; expected an object with format {FORMAT!r}")
    found = Exported.model_validate(given)
    if not found.scope.strip():
        raise ConfigurationError("it names no scope")
    # Texts remain texts: to validate all of the line once more is most of the time of a large file.
    changes: dict[str, Any] = {name: _clean(getattr(found, name)) for name in _WORDS}
    changes["examples_not"] = tuple(map(_clean, found.examples_not))
    changes["evidence"] = _plain(found.evidence)
    clean = found.model_copy(update=changes)
    check_text(_body(clean))
    return clean


def _clean(text: str) -> str:
    return redact(normalise(text)).strip() if text else text


def _body(line: Exported) -> LessonBody:
    words = {name: getattr(line, name) for name in _WORDS}
    spared = line.examples_not
    return LessonBody(kind=line.kind, conditional=line.conditional, examples_not=spared, **words)


def _update(line: Exported, body: LessonBody, identity: str) -> MemoryUpdate:
    return MemoryUpdate(
        op=Operation.ADD,
        lesson=identity,
        body=body,
        status=Status.QUARANTINED,
        trust=Origin.UNTRUSTED,
        votes=line.votes,
        evidence=line.evidence,
        confidence=line.confidence,
        reason="imported from a file",
    )


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {wanted(first)}"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON ({error.msg})"
    return str(error)

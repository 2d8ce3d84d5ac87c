"""Rewording a lesson by hand: a new version of it, in the words of a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import ConfigurationError, StorageError
from ..neutral import neutralise
from ..prompts import one_line
from ..records import Lesson, LessonBody, MemoryUpdate, Operation, Origin
from ..store import LIVE, Store
from ..text import normalise, redact
from .changing import check_over, commits_of, find, leased

FIELDS = ("name", "when", "when_not", "instruction")
"""What can be reworded."""
REWORDED = "reworded by a person"
"""Why; only lessons of runs that are over can be."""
_BREAK = re.compile(r"\r\n?")
_MARKED = re.compile("‹[^‹›]{0,40}›?")
LONGEST = 2_000
"""Characters of one field."""


class Edited(NamedTuple):
    """A lesson before and after."""

    branch: str
    before: Lesson
    lesson: Lesson
    taken_out: str = ""
    """What is not stored of the words that were given; empty where all of it is."""
    otherwise: str = ""
    """What of them prompts show otherwise."""
    widened: str = ""
    """That it applies always now; empty where it did before, or has a condition."""


async def edit(
    store: Store,
    lesson: str,
    changes: dict[str, str],
    *,
    not_in: Sequence[str] = (),
    version: int | None = None,
    branch: str | None = None,
) -> Edited:
    """Give a lesson new words; it keeps its status, its trust and what it rests on.

    Args:
        store: Where.
        lesson: Its id.
        changes: New texts by field, of `FIELDS`.
        not_in: More situations in which it does not apply, though they look like it.
        version: The version that the caller has read; another one by now is refused.
        branch: By default the one that lists name.

    Raises:
        UnknownNameError: There is no such lesson.
        ConfigurationError: It has another version by now, or cannot change, or nothing changes; or
            several branches have it and none is given.
        StorageError: Another lesson of the scope says the same already.
    """
    home, found = find(store, lesson, branch)
    check_over(store, home)
    with leased(store, [home], "edit") as fences:
        _, found = find(store, lesson, home)
        body = reworded(found, changes, version, not_in)
        _check_alone(store, home, found, body)
        update = MemoryUpdate(
            op=Operation.REVISE,
            lesson=lesson,
            body=body,
            trust=Origin.OPERATOR,
            reason=REWORDED,
        )
        await store.put_commits(commits_of(store, "edit", {(home, found.scope): [update]}), fences)
    said = (*changes.values(), *not_in)
    now = find(store, lesson, home)[1]
    always = bool(found.body.when) and not now.body.when
    widened = "it has no condition now: it applies always" if always else ""
    return Edited(home, found, now, taken_out(said), otherwise(map(cleaned, said)), widened)


def _check_alone(store: Store, branch: str, lesson: Lesson, body: LessonBody) -> None:
    """Raise `StorageError` where another lesson of the scope says what `body` says."""
    for other in store.current_lessons(branch, scope=lesson.scope, statuses=tuple(LIVE)):
        if other.id != lesson.id and other.body.content == body.content:
            raise StorageError(
                f"{other.id} ({other.status}, on branch {branch}) says that already; "
                f"`verbalrl retire` one of the two, or give {lesson.id} other words"
            )


def reworded(
    lesson: Lesson, changes: dict[str, str], version: int | None, not_in: Sequence[str] = ()
) -> LessonBody:
    """The body of `lesson` with `changes`, as texts enter a run: normalised, without secrets."""
    if version is not None and version != lesson.version:
        raise ConfigurationError(
            f"lesson {lesson.id} has version {lesson.version} by now, not {version}; read it again"
        )
    if lesson.status not in LIVE:
        raise ConfigurationError(f"lesson {lesson.id} is {lesson.status} and cannot be reworded")
    texts = {name: cleaned(text) for name, text in changes.items()}
    examples = dict.fromkeys((*lesson.body.examples_not, *map(cleaned, not_in)))
    body = lesson.body.replace(**texts, examples_not=tuple(filter(None, examples)))
    check_text(body)
    if body == lesson.body:
        raise ConfigurationError(f"lesson {lesson.id} says that already")
    return body


def cleaned(text: str) -> str:
    """`text` as it may enter a store: normalised, without secrets."""
    return redact(normalise(text)).strip()


def taken_out(texts: Iterable[str]) -> str:
    """What `cleaned` takes out of `texts`, in a few words; empty where it is nothing."""
    given = [_BREAK.sub("\n", text) for text in texts]
    told = {
        "control characters were taken out": any(normalise(x) != x for x in given),
        "what looks like a secret was replaced": any(
            redact(plain) != plain for plain in map(normalise, given)
        ),
    }
    return "; ".join(words for words, true in told.items() if true)


def otherwise(texts: Iterable[str]) -> str:
    """What of stored `texts` prompts show otherwise, in a few words; empty where it is nothing."""
    given = list(texts)
    lines = [one_line(text) for text in given]
    marks = [m for line in lines for m in _MARKED.findall(neutralise(line)) if m not in line]
    told = []
    if marks:
        shown = ", ".join(dict.fromkeys(marks))
        told.append(f"prompts show {shown} for what looks like a tag or a role")
    if any("\n" in text or "\t" in text for text in given):
        told.append("line breaks and tabs become blanks in prompts")
    return "; ".join(told)


def check_text(body: LessonBody) -> None:
    """Raise `ConfigurationError` for a text that no lesson can have."""
    if not any(c.isalnum() for c in body.instruction):
        raise ConfigurationError("a lesson needs an instruction")
    if any(len(text) > LONGEST for text in body.examples_not):
        raise ConfigurationError(f"an example has more than {LONGEST} characters")
    for name in (*FIELDS, "aspect", "audience", "check"):
        if len(getattr(body, name)) > LONGEST:
            raise ConfigurationError(f"{name} has more than {LONGEST} characters; a hint is enough")

"""Active behaviors as a marked section of a text such as AGENTS.md or CLAUDE.md, and back.

Whatever stands outside of the marks is the owner's. The section is bounded, sorted and the same for
the same lessons, so that writing it again changes nothing. A lesson that holds only under a
condition that has to be checked stays out: nobody checks one in a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..errors import DataError
from ..ids import canonical_json, token_estimate
from ..memory.transfer import FORMAT
from ..prompts import neutralise, one_line
from ..records import Lesson, LessonBody, LessonKind, Status

MAX_LESSONS = 60
MAX_TOKENS = 1_500
"""Of one section: agents read such files with every prompt."""

_BEGIN = re.compile(r"^<!-- verbalrl:begin (\{.*\}) -->[ \t]*\r?$", re.MULTILINE)
_END = "<!-- verbalrl:end -->"
_LINE = re.compile(
    r"- (?:\*\*When (?P<when>.+?)(?: \(not when (?P<but>.+)\))?:\*\* "
    r"|\*\*Except when (?P<only>.+?):\*\* )?(?P<instruction>.+)"
)


class Marked(NamedTuple):
    """A section, and how many lessons it shows and leaves out."""

    text: str
    """Marks included; empty when there is no lesson to show."""
    shown: int
    left_out: int


def section(
    lessons: Iterable[Lesson],
    scope: str,
    *,
    max_lessons: int = MAX_LESSONS,
    max_tokens: int = MAX_TOKENS,
) -> Marked:
    """The active behaviors of `scope`, the best supported ones where not all fit."""
    fitting = [x for x in lessons if x.scope == scope and is_shown(x)]
    ranked = sorted(fitting, key=lambda x: (-_support(x), x.body.content))
    chosen: dict[str, str] = {}
    used = 0
    for lesson in ranked[:max_lessons]:
        line = line_of(lesson.body)
        used += token_estimate(f"{line}\n")
        if used > max_tokens:
            break
        chosen[lesson.body.content] = line
    if not chosen:
        return Marked("", 0, len(fitting))
    # Sorted by their words: a lesson that is learned moves no other.
    body = "\n".join(sorted(chosen.values()))
    mark = canonical_json({"scope": _visible(scope)})
    text = f"<!-- verbalrl:begin {mark} -->\n{body}\n{_END}"
    return Marked(text, len(chosen), len(fitting) - len(chosen))


def with_section(text: str, scope: str, marked: str) -> str:
    """`text` with the section of `scope` replaced by `marked`, or put at its end.

    An empty `marked` takes the section out.

    Raises:
        DataError: A section begins and does not end.
    """
    for start, end, found in _sections(text):
        if found == _visible(scope):
            before, after = text[:start], text[end:]
            if marked:
                # Whoever keeps the file may have changed how its lines end.
                if "\r\n" in text[start:end]:
                    marked = marked.replace("\n", "\r\n")
                return f"{before}{marked}{after}"
            end_of_line = "\r\n" if before.endswith("\r\n") else "\n"
            kept = before.rstrip("\r\n")
            return kept + (end_of_line if kept.strip() else "") + after.lstrip("\r\n")
    if not marked:
        return text
    head = text.rstrip("\n")
    return f"{head}\n\n{marked}\n" if head else f"{marked}\n"


def with_sections(text: str, lessons: Sequence[Lesson], scope: str | None = None) -> Marked:
    """`text` with a section for each scope of `lessons`, or for `scope` alone.

    A scope that has nothing to show any more loses its section; those of other scopes stay.

    Raises:
        DataError: A section begins and does not end.
    """
    shown = left_out = 0
    for name in sorted({x.scope for x in lessons} if scope is None else {scope}):
        marked = section(lessons, name)
        text = with_section(text, name, marked.text)
        shown, left_out = shown + marked.shown, left_out + marked.left_out
    return Marked(text, shown, left_out)


def has_section(text: str) -> bool:
    """Whether `text` has a section of ours."""
    return _BEGIN.search(text) is not None


def lines_of(text: str) -> list[str]:
    """The lessons of all sections of `text`, as the lines of JSON that `read_lines` reads.

    Raises:
        DataError: There is no section, or one begins and does not end.
    """
    found = [
        canonical_json({"format": FORMAT, "scope": scope, "kind": "behavior", **fields})
        for start, end, scope in _sections(text)
        for fields in _lessons(text[start:end])
    ]
    if not has_section(text):
        raise DataError("no section of lessons: it begins with <!-- verbalrl:begin … -->")
    return found


def line_of(body: LessonBody) -> str:
    """One lesson as an item of a Markdown list."""
    when, but, instruction = map(_escaped, (body.when, body.when_not, body.instruction))
    if when:
        exception = f" (not when {but})" if but else ""
        return f"- **When {when}{exception}:** {instruction}"
    return f"- **Except when {but}:** {instruction}" if but else f"- {instruction}"


def is_shown(lesson: Lesson) -> bool:
    """Whether a file may show it: an active behavior whose condition needs no check."""
    is_active = lesson.status is Status.ACTIVE and lesson.kind is LessonKind.BEHAVIOR
    return is_active and not lesson.body.conditional


def _support(lesson: Lesson) -> int:
    return lesson.votes.get("support", 0) - lesson.votes.get("against", 0)


def _sections(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each section starts and ends, marks included, and its scope."""
    for begin in _BEGIN.finditer(text):
        end = text.find(_END, begin.end())
        following = _BEGIN.search(text, begin.end())
        if end < 0 or (following is not None and following.start() < end):
            line = text.count("\n", 0, begin.start()) + 1
            raise DataError(f"line {line}: this section of lessons does not end with {_END}")
        try:
            scope = json.loads(begin[1])["scope"]
        except (ValueError, LookupError, TypeError):
            continue
        if isinstance(scope, str) and scope:
            yield begin.start(), end + len(_END), scope


def _lessons(part: str) -> Iterator[dict[str, str]]:
    for line in part.split("\n"):
        if match := _LINE.fullmatch(line.strip()):
            but = match["but"] or match["only"]
            fields = {"when": match["when"], "when_not": but, "instruction": match["instruction"]}
            yield {name: _unescaped(text) for name, text in fields.items() if text}


def _visible(text: str) -> str:
    """`text` on one line, unable to end a comment or to pass for a tag or a role."""
    return neutralise(one_line(text)).replace("<!--", "‹!--").replace("-->", "--›")


def _escaped(text: str) -> str:
    escaped = _visible(text).replace("\\", "\\\\").replace("**", "\\*\\*")
    return escaped.replace(" (not when ", " \\(not when ")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def scopes_of(lessons: Sequence[Lesson]) -> list[str]:
    """The scopes that have something to show, sorted."""
    return sorted({x.scope for x in lessons if is_shown(x)})

"""Active behaviors as skills: one folder per scope, with a SKILL.md as agents look for it.

The lessons stand in a section of `marked`, so that what is written can be read back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256

from ..prompts import neutralise, one_line
from ..records import Lesson
from .marked import is_shown, scopes_of, section

MAX_LESSONS = 200
MAX_TOKENS = 4_000
"""Of one skill: a skill is to stay below 500 lines and 5,000 tokens."""

_MAX_NAME, _MAX_DESCRIPTION = 64, 1_024


def skills(lessons: Sequence[Lesson]) -> dict[str, str]:
    """The text of each file by its path, `NAME/SKILL.md`: one for each scope that has lessons."""
    return {f"{name_of(scope)}/SKILL.md": _text(lessons, scope) for scope in scopes_of(lessons)}


def name_of(scope: str) -> str:
    """A name that a skill may have: lower case, digits, single hyphens; at most 64 characters."""
    slug = re.sub(r"[^a-z0-9]+", "-", scope.lower()).strip("-")
    if slug == scope and len(f"verbalrl-{slug}") <= _MAX_NAME:
        return f"verbalrl-{slug}"
    # What was lost might be all that tells it from another scope.
    mark = sha256(scope.encode()).hexdigest()[:8]
    room = _MAX_NAME - len(f"verbalrl--{mark}")
    return "-".join(filter(None, ("verbalrl", slug[:room].strip("-"), mark)))


def _text(lessons: Sequence[Lesson], scope: str) -> str:
    marked = section(lessons, scope, max_lessons=MAX_LESSONS, max_tokens=MAX_TOKENS)
    shown = neutralise(one_line(scope))
    front = {
        "name": name_of(scope),
        "description": _description(lessons, scope, shown),
        "metadata": {"verbalrl-scope": shown, "verbalrl-lessons": str(marked.shown)},
    }
    # JSON strings are YAML strings, whatever they hold.
    head = "\n".join(f"{key}: {json.dumps(v, ensure_ascii=False)}" for key, v in front.items())
    return (
        f"---\n{head}\n---\n\n# Lessons from earlier work: {shown}\n\n"
        f"They are advice: follow a lesson where its condition fits.\n\n{marked.text}\n"
    )


def _description(lessons: Sequence[Lesson], scope: str, shown: str) -> str:
    # Agents read it whatever they do: nothing that waits in quarantine may stand there.
    shown_ones = (x for x in lessons if x.scope == scope and x.when and is_shown(x))
    whens = sorted({neutralise(one_line(x.when)) for x in shown_ones})
    text = f"Lessons from earlier work on {shown}."
    if whens:
        text += f" Use it when {'; or when '.join(whens)}."
    return text if len(text) <= _MAX_DESCRIPTION else f"{text[: _MAX_DESCRIPTION - 1]}…"

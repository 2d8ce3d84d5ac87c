"""What a belief is about, and who gets it: pure.

A curator says what a belief is about; where the words of its condition stand in what one role of a
team reported, that role's aspect is taken instead. Who gets it follows from the aspect.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ..ids import normalised
from ..records import LessonBody, LessonKind, Report
from .desk import Desk
from .schema import OperationReply

_QUOTED = re.compile(r'["\u201c]([^"\u201c\u201d]+)["\u201d]')
_WORD = re.compile(r"[^\W_]+")
_FRAME = frozenset(
    (
        *("a", "about", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have"),
        *("if", "in", "is", "it", "its", "mention", "mentions", "of", "on", "or", "over", "say"),
        *("says", "speak", "speaks", "text", "than", "that", "the", "their", "this", "to", "was"),
        *("were", "when", "which", "with"),
    )
)
"""Words of a condition that tell no source from another."""


def placed(body: LessonBody, op: OperationReply, desk: Desk) -> LessonBody:
    """`body` with its aspect and audience, where beliefs of this curation have aspects."""
    if body.kind is not LessonKind.BELIEF or not desk.aspects:
        return body
    reports = [desk.evidence[n].reports for n in op.evidence]
    # A text that is there already is the same belief, whatever it is said to be about now.
    held = [x.body.aspect for x in desk.memory if _wording(x.body) == _wording(body)]
    before = [desk.lessons[n].body.aspect for n in op.lessons]
    said = str(getattr(op, "aspect", ""))
    found = (*held, grounded(body.when, reports), said, *before, *reversed(tuple(desk.aspects)))
    aspect = next(name for name in found if name in desk.aspects)
    return body.replace(aspect=aspect, audience=desk.aspects[aspect])


def grounded(condition: str, reports: Sequence[Sequence[Report]]) -> str:
    """The role in whose reports the cues of `condition` stand more often than in any other's.

    `reports` are those of each step that is cited. Cues are the quoted phrases, else the words.
    Empty where fewer than half of the cues stand there, or two roles have as many.
    """
    cues = [normalised(cue) for cue in _QUOTED.findall(condition)]
    cues = cues or [w for w in _WORD.findall(normalised(condition)) if w not in _FRAME]
    counts: Counter[str] = Counter()
    for said in reports:
        for report in said:
            text = _spaced(report.text)
            counts[report.role] += sum(_spaced(cue) in text for cue in cues)
    (best, most), *others = counts.most_common(2) or [("", 0)]
    tied = bool(others) and others[0][1] == most
    return "" if tied or most * 2 < len(cues) * len(reports) else best


def _spaced(text: str) -> str:
    return f" {' '.join(_WORD.findall(normalised(text)))} "


def _wording(body: LessonBody) -> tuple[object, ...]:
    return (body.kind, *(normalised(t) for t in (body.when, body.when_not, body.instruction)))

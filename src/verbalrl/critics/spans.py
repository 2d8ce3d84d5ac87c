"""Where a quote stands: character offsets in a part of a step (Text2Grad's spans, by offset).

A quote is looked for exactly, then without regard to white space and case. One that stands in a
part more than once names no place there, and gets none.
"""

from __future__ import annotations

import re

from ..records import Span, Step
from ..records.lesson import SpanPart

PARTS: tuple[SpanPart, ...] = ("action", "feedback", "observation")
"""In which order the parts of a step are searched."""


def places(text: str, quote: str) -> tuple[tuple[int, int], ...]:
    """Start and end of every occurrence of `quote` in `text`, the exact ones if there are any."""
    words = quote.split()
    if not words:
        return ()
    exact = tuple(m.span() for m in re.finditer(re.escape(quote.strip()), text))
    if exact:
        return exact
    loose = r"\s+".join(map(re.escape, words))
    return tuple(m.span() for m in re.finditer(loose, text, re.IGNORECASE))


def span_of(step: Step, quote: str) -> Span | None:
    """The one place of `quote` in the first part of `step` that holds it; None without one."""
    for part in PARTS:
        found = places(text_of(step, part), quote)
        if found:
            start, end = found[0]
            return Span(part=part, start=start, end=end) if len(found) == 1 else None
    return None


def text_of(step: Step, part: SpanPart) -> str:
    """The text that the offsets of a span in `part` count in."""
    match part:
        case "action":
            return step.action.text
        case "feedback":
            return step.feedback
        case "observation":
            return step.observation.text

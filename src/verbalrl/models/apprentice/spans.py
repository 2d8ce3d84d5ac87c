"""Candidate answers for tasks that list no actions.

It proposes spans of the text at hand; it computes and knows nothing, so a first answer is a guess.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from .text import clauses
from .words import STOP_WORDS

_ANSWER: Final = re.compile(r"\banswers?\s+(?:is\s+|with\s+)?(.+?)[.\s]*$", re.IGNORECASE)
_QUOTED: Final = re.compile(r'["\u201c]([^"\u201c\u201d]+)["\u201d]')
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?!\w)")
_NAME: Final = re.compile(r"\b[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*")
_PLAIN: Final = re.compile(r"[^\W\d_]{3,}")
_MOST: Final = 24


@lru_cache(maxsize=4096)
def named_answers(instruction: str) -> tuple[str, ...]:
    """The answer that an instruction of the form `answer X` or `do not answer X` speaks of."""
    match = _ANSWER.search(" ".join(instruction.split()))
    return (match.group(1).strip(" \"'\u201c\u201d"),) if match else ()


@lru_cache(maxsize=4096)
def candidate_spans(text: str) -> tuple[str, ...]:
    """Quoted phrases, numbers and names of a text, else the words of its last clause."""
    found: list[str] = [span.strip() for span in _QUOTED.findall(text)]
    found += _NUMBER.findall(text)
    found += [name for name in _NAME.findall(text) if name.lower() not in STOP_WORDS]
    if not found and clauses(text):
        found = [w for w in _PLAIN.findall(clauses(text)[-1]) if w.lower() not in STOP_WORDS]
    return tuple(dict.fromkeys(found))[:_MOST]

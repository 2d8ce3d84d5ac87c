"""Does the condition of a lesson hold in a situation? A lexical test: it reads words, not meaning.

It asks, clause by clause:

- alternatives, parted by "or", are tested one by one; one that holds is enough;
- where an alternative quotes words ("dark theme"), exactly these must occur, all of them;
- else its numbers must all occur, and at least half of its other content words (exceptions: all).

A condition without content words ("always", "in every case") holds; such an exception excepts
nothing.
Content words are words that are not function words, cut to a rough stem. The test errs towards
letting a lesson through: what it keeps back, the agent never sees.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# The last two lines are what conditions are made of rather than about.
_STOP_LINES = """
    a about after all also always an and any are as at be because been before being both but by can
    could did do does doing done each either else ever every for from get got had has have he her
    him his how i if in into is it its just may me might more most must my neither no nor not of
    off on once one only or other our out over own shall she should so some such than that the
    their them then there these they this those time to too under until up upon us very was we were
    what when where which while who whom whose why will with without would you your
    case cases contain contains hold holds mention mentioned mentions observation say says see seen
    show shown shows situation text word words
"""
STOP_WORDS = frozenset(_STOP_LINES.split())
"""Words that carry no condition; the index leaves them out too."""
_QUOTED = re.compile(r"[\"“”„]([^\"“”„]+)[\"“”„]")
_WORD = re.compile(r"[^\W_]+")
_APART = "".join(chr(n) if chr(n).isalnum() else " " for n in range(128))
_SUFFIXES = ("ingly", "edly", "ing", "ed", "ly", "es", "s", "e")
_SHARE = 0.5


def holds(when: str, when_not: str, situation: str) -> bool:
    """True when `when` holds in `situation` and `when_not` does not; empty texts ask nothing."""
    spoken, stems = _heard(situation)
    if when_not.strip() and _clause(when_not, spoken, stems, share=1.0):
        return False
    return not when.strip() or _clause(when, spoken, stems, share=_SHARE)


@lru_cache(maxsize=64)
def _heard(situation: str) -> tuple[str, frozenset[str]]:
    """The situation as words in order, and as stems; many lessons ask about the same one."""
    words = words_of(situation)
    return f" {' '.join(words)} ", frozenset(map(stem, words))


def _clause(clause: str, spoken: str, stems: frozenset[str], share: float) -> bool:
    # An "or" inside quotes is part of what is quoted.
    parts = re.split(r"\bor\b(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", re.sub("[“”„]", '"', clause))
    said = [
        a for a in (_alternative(part, spoken, stems, share) for part in parts) if a is not None
    ]
    return any(said) if said else share < 1.0


def _alternative(text: str, spoken: str, stems: frozenset[str], share: float) -> bool | None:
    """Whether it holds; None where it says nothing that could be tested."""
    if quoted := [" ".join(words_of(q)) for q in _QUOTED.findall(text)]:
        return all(f" {q} " in spoken for q in quoted)
    content = {stem(w) for w in words_of(text) if w not in STOP_WORDS}
    numbers = {c for c in content if any(ch.isdigit() for ch in c)}
    rest = content - numbers
    if not content:
        return None
    return numbers <= stems and len(rest & stems) >= share * len(rest)


def words_of(text: str) -> list[str]:
    """The words of `text`, case folded."""
    if text.isascii():
        # Its own normal form, and parted in a quarter of the time.
        return text.lower().translate(_APART).split()
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def stem(word: str) -> str:
    """A rough stem of a folded word."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    # "billed" and "bill", "cancelled" and "cancel" are to meet.
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word

"""Whether a text gives an answer away: as a number, as whole words, or as a match of its pattern.

What says little by itself (a small number, an everyday word) counts only where it is given as the
answer: "check it in 2 ways" reveals no 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..tasks.scorers import pattern_of
from .folding import UNSPACED, contains, folded, number, number_places, numbers, plain_words

# "step 4", "steps 2 and 4", "trial #3", "[4]": numbers of ours, not of the task.
_OUR_NUMBERS = re.compile(
    r"\b(?:steps?|trials?|attempts?|lessons?|turns?|lines?)\s*+(?:no\.?|number|#)?\s*+"
    r"\d+(?:\s*(?:,|and|or|to|-|–|&)\s*\d+)*\b"
    r"|\[\d+\]|\b\d+(?:st|nd|rd|th)?\s+(?:steps?|trials?|attempts?|turns?|tries)\b"
    r"|^\s*\d+[.)]\s",
    re.IGNORECASE | re.MULTILINE,
)
# Words so common that only the act of answering with them reveals anything.
_FUNCTION_WORDS = """
    a an and any are as at be before but by do first for go he i if in is it last left less more
    next no none not of off on one or out over right same she so stop the there to true false up
    down we when yes you
"""
_EVERYDAY_WORDS = """
    all animal back bad big black blue book both brown city closed cold correct country day door
    down east empty even false fast first five food four front full good great green grey group
    half hand happy head heavy high home horse hot house large late left light line little long low
    lower main male female metal middle minus money more most name negative neutral never new night
    none north number odd often old only open orange other paper part person pink place plus point
    positive public purple quick rain real red right river road room round school sea second sharp
    short side single six slow small south square start state stone street strong summer table tall
    ten third three time town train tree true two under upper water weak west white wide winter wood
    word work world wrong year yellow young zero
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_EVERYDAY = frozenset(_EVERYDAY_WORDS.split())
_SHORT = 4
"""Letters up to which a word in small letters is taken as an everyday one; names have capitals."""
_SMALL = 100
_VERBS = (
    r"answers?|reply|replies|respond|say|write|output|return|choose|pick|select|enter|submit|"
    r"result|it is|it's|should be|must be|equals?|option"
)
_LINK = r"[\s:=(\"'`]*(?:is|be|with|as|to)?[\s:=(\"'`]*"
_CLAIM = rf"(?i:\b(?:{_VERBS})\b){_LINK}"
_WORD_CLAIM = rf"(?i:\b(?:{_VERBS}|press|take|use|try|name|call it|go (?:for|with))\b){_LINK}"
_BEFORE_NUMBER = re.compile(
    rf"(?:\b(?:{_VERBS})\b{_LINK}"
    r"|\b(?:is|are|was|were|be|gives|makes|leaves|yields|totals?|"
    r"(?:comes?|amounts?|adds? up|sums?) to)\b[\s:(\"'`]*(?:exactly |about |only )?"
    r"|=\s*)[$€£]?\Z",
    re.IGNORECASE,
)
_AFTER_NUMBER = re.compile(
    r"%?(?: [^\W\d_]+){0,2} (?:remains?|(?:is|are) left|in (?:all|total|the end)|altogether)\b",
    re.IGNORECASE,
)
_LEAD = 60
"""Characters before a number in which it may be claimed."""
_PLAIN = re.compile(r"[\w\s'’.,&-]+")
_TOKENS = re.compile(rf"{UNSPACED}|(?:(?!{UNSPACED})\w)+|[^\w\s]")
_WINDOW = 12
"""Words and marks that a match of a pattern may have."""
_WINDOW_CHARS = 48
_MOST_WINDOWS = 8_000
"""What is looked at for one pattern: patterns may be slow."""


def reveals(said: Iterable[str], answers: Iterable[str], shown: Iterable[str]) -> bool:
    """True when one of `said` holds one of `answers` that none of `shown` holds."""
    said = [_OUR_NUMBERS.sub(" ", text) for text in said]
    shown = tuple(shown)
    return any(_reveals(said, answer, shown) for answer in answers)


def _reveals(said: list[str], answer: str, shown: tuple[str, ...]) -> bool:
    pattern = pattern_of(answer)
    if pattern is None:
        return _hidden(answer, shown) and any(_gives(text, answer) for text in said)
    # What matches something shown is not hidden, or fits anything at all.
    if any(pattern.fullmatch(part) for _, part in islice(_windows(shown), _MOST_WINDOWS)):
        return False
    parts = islice(_windows(said), _MOST_WINDOWS)
    return any(_gives(text, part) for text, part in parts if pattern.fullmatch(part))


def _hidden(answer: str, shown: tuple[str, ...]) -> bool:
    return bool(plain_words(answer).strip()) and not any(_holds(text, answer) for text in shown)


def _holds(text: str, answer: str) -> bool:
    """True when `answer` stands in `text`: as a number, or as whole words."""
    value = number(answer)
    if value is not None:
        return value in numbers(text)
    words = plain_words(answer).strip()
    if words and _PLAIN.fullmatch(answer):
        return contains(plain_words(text), words)
    return contains(folded(text), folded(answer))


def _gives(text: str, answer: str) -> bool:
    """True when `text` holds `answer`, and gives it as the answer where it says little."""
    value = number(answer)
    if value is not None and abs(value) < _SMALL and value == value.to_integral_value():
        return any(
            found == value
            and (
                _BEFORE_NUMBER.search(text[max(0, start - _LEAD) : start])
                or _AFTER_NUMBER.match(text, end)
            )
            for found, start, end in number_places(text)
        ) or _is_bare(text, answer)
    words = plain_words(answer).strip()
    if len(words) == 1:
        # Option letters are meant as written: "choose a" is no "choose A".
        return bool(re.search(_CLAIM + rf"{re.escape(answer.strip())}(?!\w)", text))
    if words in _FUNCTION or words in _EVERYDAY or (answer.islower() and len(words) <= _SHORT):
        claim = _CLAIM if words in _FUNCTION else _WORD_CLAIM
        claimed = re.search(rf"{claim}(?i:{re.escape(words)})(?!\w)", text)
        return bool(claimed) or _is_bare(text, answer)
    return _holds(text, answer)


def _is_bare(text: str, answer: str) -> bool:
    """True when `text` says `answer` and nothing else."""
    return plain_words(text) == plain_words(answer)


def _windows(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(the text, a few of its words as they stand), short ones first at each place."""
    for text in texts:
        places = [m.span() for m in _TOKENS.finditer(text)]
        for n, (start, _) in enumerate(places):
            for _, end in places[n : n + _WINDOW]:
                if end - start > _WINDOW_CHARS:
                    break
                yield text, text[start:end]

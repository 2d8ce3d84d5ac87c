"""Scorers: is an answer right? Pure functions of the expected and the given text.

`exact` compares normalised texts, `numeric` compares numbers however they are written, `regex`
takes the expected text as a pattern between slashes. What a scorer says about a wrong answer never
holds the right one.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import NamedTuple, Protocol

from ..errors import UnknownNameError
from ..ids import normalised
from .patterns import MAX_TEXT, compile_pattern


class Judgement(NamedTuple):
    """What a scorer found."""

    right: bool
    why: str = ""
    """A remark on the form of a wrong answer; may be empty."""


class Scorer(Protocol):
    """Judges answers of one kind."""

    def problem(self, expected: str, /) -> str:
        """Why `expected` cannot be scored; empty when it can."""
        ...

    def judge(self, expected: str, given: str, /) -> Judgement:
        """Whether `given` is right."""
        ...

    def reading(self, given: str, /) -> str:
        """How `given` would be understood, as one sentence that judges nothing."""
        ...


class Exact:
    """Equal after folding case, white space, end marks, quotes and emphasis."""

    def problem(self, expected: str, /) -> str:
        """An expected answer needs at least one character that counts."""
        return "" if _bare(expected) else "the answer is empty"

    def judge(self, expected: str, given: str, /) -> Judgement:
        """Equal or not."""
        if not _bare(given):
            return Judgement(False, "the answer is empty")
        return Judgement(_bare(given) == _bare(expected))

    def reading(self, given: str, /) -> str:
        """The text as it would be compared."""
        return f'It would be handed in as "{_bare(given)}".'


class Number(NamedTuple):
    """A number, its unit of account kept apart."""

    value: Fraction
    percent: bool
    currency: str

    def same(self, other: Number) -> bool:
        """Equal values; 50 % is not 0.5, and $5 is not €5, but 5 without a sign is either."""
        if self.percent != other.percent or self.value != other.value:
            return False
        return not (self.currency and other.currency) or self.currency == other.currency


class Numeric:
    """Equal as numbers: 2,125 = $2125 = 2125.00, 1/2 = 0.5; a percent sign is part of the number.

    An answer may be a sentence. It counts when it holds one number, maybe twice, or says which one
    it means: after `####`, `answer:`, `answer is`, or the last equals sign.
    """

    def problem(self, expected: str, /) -> str:
        """An expected answer must hold one clear number."""
        found = read_number(expected)
        return found if isinstance(found, str) else ""

    def judge(self, expected: str, given: str, /) -> Judgement:
        """Equal or not, or the reason why no number was read."""
        found, wanted = read_number(given), read_number(expected)
        if isinstance(found, str):
            return Judgement(False, found)
        return Judgement(not isinstance(wanted, str) and found.same(wanted))

    def reading(self, given: str, /) -> str:
        """The number that was read."""
        found = read_number(given)
        if isinstance(found, str):
            return f"It would be handed in, but {found}."
        sign = " percent" if found.percent else ""
        return f"It would be read as the number {found.value}{sign}."


class Regex:
    """The whole answer, end marks aside, matches `/pattern/`, or `/pattern/i` in any case."""

    def problem(self, expected: str, /) -> str:
        """Why the pattern is refused."""
        try:
            _pattern(expected)
        except ValueError as error:
            return str(error)
        return ""

    def judge(self, expected: str, given: str, /) -> Judgement:
        """Matches or not; long answers do not."""
        text = given.strip()
        if len(text) > MAX_TEXT:
            return Judgement(False, f"the answer is longer than {MAX_TEXT} characters")
        if not text:
            return Judgement(False, "the answer is empty")
        pattern = _pattern(expected)
        return Judgement(any(pattern.fullmatch(form) for form in (text, text.rstrip(" .;,!"))))

    def reading(self, given: str, /) -> str:
        """The text as it would be compared."""
        return f'It would be handed in as "{given.strip()[:MAX_TEXT]}".'


SCORERS: dict[str, Scorer] = {"exact": Exact(), "numeric": Numeric(), "regex": Regex()}


def load_scorer(name: str) -> Scorer:
    """The scorer called `name`.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in SCORERS:
        raise UnknownNameError.of("scorer", name, SCORERS)
    return SCORERS[name]


def scorer_for(expected: str) -> str:
    """The name of the scorer that suits how `expected` is written."""
    if _SLASHES.fullmatch(expected.strip()):
        return "regex"
    text = _tidy(expected).strip()
    # 007 is a name made of digits.
    is_number = _NUMBER.fullmatch(text) and not re.match(r"0\d", text)
    return "numeric" if is_number else "exact"


# An inner slash has to be escaped, so a path such as /usr/bin/ is no pattern.
_SLASHES = re.compile(r"/((?:[^/\\\n]|\\.)+)/(i?)")


def pattern_of(expected: str) -> re.Pattern[str] | None:
    """The pattern that `expected` writes between slashes; None where it is no usable pattern.

    An answer that it matches as a whole is right. See `patterns` for how slow it can be.
    """
    if not _SLASHES.fullmatch(expected.strip()):
        return None
    try:
        return _pattern(expected)
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def _pattern(expected: str) -> re.Pattern[str]:
    found = _SLASHES.fullmatch(expected.strip())
    if found is None:
        raise ValueError("a pattern is written between slashes: /pattern/ or /pattern/i")
    return compile_pattern(found.group(1).replace("\\/", "/"), ignore_case=bool(found.group(2)))


def _bare(text: str) -> str:
    return normalised(normalised(text).strip("\"'`*_“”‘’«» "))


_DIGITS = r"(?:\d{1,3}(?:[,\u00a0\u202f]\d{3})+|\d{1,40})"
_NUMBER = re.compile(
    r"(?<![\w.,/])"
    r"(?P<minus>-?)\s?(?P<before>[$€£¥]?)\s?(?P<inner>-?)"
    rf"(?:(?P<whole>{_DIGITS})\s(?=\d+/))?"
    rf"(?P<main>{_DIGITS}(?:\.\d{{0,40}})?|\.\d{{1,40}})"
    r"(?:[eE](?P<power>[+-]?\d{1,2}))?"
    r"(?:\s?/\s?(?P<under>\d{1,40}))?"
    r"\s?(?P<after>%|percent\b|per cent\b|[$€£¥])?"
    r"(?![\d/]|[.,]\d|[eE][+-]?\d)"
)
_MARKS = re.compile(r"####|answer\s*(?:is|:|=)|=", re.IGNORECASE)


def read_number(text: str) -> Number | str:
    """The number that `text` states, or why there is none, as a clause for a sentence."""
    tidy = _tidy(text)
    for part in (tidy, _MARKS.split(tidy)[-1]):
        found = [_number(match) for match in _NUMBER.finditer(part)]
        # Whoever writes equations often says the last result once more, in a line of its own.
        if found and all(_same(found[0], other) for other in found[1:]):
            return found[0]
    if not found:
        return "no number was found in the answer"
    return "the answer holds several numbers and does not say which one it means"


def _same(one: Number | str, other: Number | str) -> bool:
    return isinstance(one, Number) and isinstance(other, Number) and one.same(other)


def _tidy(text: str) -> str:
    # Minus signs of print, LaTeX's escaped signs, and emphasis around the number.
    return re.sub(r"[*`\\]", "", text[:2000].replace("\u2212", "-").replace("\u2013", "-"))


def _number(found: re.Match[str]) -> Number | str:
    value = _fraction(found["main"]) * Fraction(10) ** int(found["power"] or 0)
    if found["under"]:
        if int(found["under"]) == 0:
            return "the answer divides by zero"
        value /= int(found["under"])
    value += _fraction(found["whole"] or "0")
    if found["minus"] or found["inner"]:
        value = -value
    after = found["after"] or ""
    is_currency = after in tuple("$€£¥")
    return Number(
        value,
        percent=bool(after) and not is_currency,
        currency=found["before"] or (after if is_currency else ""),
    )


def _fraction(digits: str) -> Fraction:
    return Fraction(re.sub(r"[,\u00a0\u202f]", "", digits).rstrip(".") or "0")

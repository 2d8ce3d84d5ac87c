"""Texts made comparable: what a critic may write differently without saying anything else."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

from ..prompts import neutralise

_MARKS = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})
_BRACKETS = str.maketrans("", "", "<>‹›")
_WORDS = re.compile(r"[^\W_]+")
UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""A character of a script that puts no space between words."""
_UNSPACED = re.compile(UNSPACED)
_NUMBER = re.compile(
    r"(?<![\w.,])(?:(?<=\s)[-+])?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])"
    r"|(?<![\w])(?<![\w][.,])(?:(?<=\s)[-+])?\d+(?:\.\d+)?(?![\w])(?![.,]\d)"
)


def folded(text: str) -> str:
    """`text` without regard to case, white space, kinds of quotes and dashes, and angle brackets.

    What a critic saw was neutralised and what it quotes may not be; both fold to the same.
    """
    text = unicodedata.normalize("NFKC", neutralise(text)).casefold()
    return " ".join(text.translate(_MARKS).translate(_BRACKETS).split())


def plain_words(text: str) -> str:
    """The words of `text` alone, accents and punctuation dropped, with a space at both ends."""
    if text.isascii():
        return f" {' '.join(_WORDS.findall(text.lower()))} "
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return f" {' '.join(_WORDS.findall(bare))} "


def word_count(text: str) -> int:
    """How many words `text` has; where a script has no spaces, two characters count as one."""
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORDS.findall(_UNSPACED.sub(" ", text))) + (unspaced + 1) // 2


def numbers(text: str) -> frozenset[Decimal]:
    """The numbers that stand in `text` as words of their own."""
    return frozenset(value for value, _, _ in number_places(text))


def number_places(text: str) -> list[tuple[Decimal, int, int]]:
    """The numbers that stand in `text` as words of their own, and where: (value, start, end)."""
    # The space in front lets a sign at the very start count.
    found = ((number(m.group()), m) for m in _NUMBER.finditer(f" {text}"))
    return [(n, max(m.start() - 1, 0), m.end() - 1) for n, m in found if n is not None]


def number(text: str) -> Decimal | None:
    """The value of `text` if it is one number, with or without thousands' commas or a unit sign."""
    bare = text.strip().strip("$€£%").strip()
    if not re.fullmatch(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?", bare):
        return None
    try:
        return Decimal(bare.replace(",", "")).normalize()
    except InvalidOperation:
        return None


def contains(whole: str, part: str) -> bool:
    """True when `part` stands in `whole`, both folded, and cuts no word at either end."""
    start = whole.find(part) if part else -1
    while start >= 0:
        end = start + len(part)
        if not (
            _joined(whole[max(start - 1, 0) : start], part[0])
            or _joined(part[-1], whole[end : end + 1])
        ):
            return True
        start = whole.find(part, start + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """True when the two characters stand in one word."""
    both = left.isalnum() and right.isalnum()
    return both and not (_UNSPACED.match(left) or _UNSPACED.match(right))

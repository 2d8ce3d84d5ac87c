"""What text goes through where it enters a run, so that live and replayed runs see the same bytes.

All of it is idempotent, and linear in the length of the text, however hostile it is. Nothing but
the secrets of the environment, which are read once, decides beside the text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache

REDACTED = "[redacted]"

_NUMBER = re.compile("([0-9]+)")

_SURROGATE = re.compile(r"[\ud800-\udfff]")
# C0 but \n and \t, DEL, C1, and the marks that reorder text for whoever reads it.
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RETURN = re.compile(r"\r\n?")
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n\t"
"""Of ASCII, what stays."""


def normalise(text: str) -> str:
    """`text` without lone surrogates, control characters (but newline and tab) and bidi controls.

    Line ends become newlines; a pair of surrogates becomes the character that it stands for.
    """
    # Nearly all texts hold nothing unwanted, and to see that takes a sixtieth of the searches.
    if text.isascii() and (text.isprintable() or not text.encode().translate(None, _PLAIN)):
        return text
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _UNWANTED.sub("", _RETURN.sub("\n", text))


# Every repetition is possessive or bounded: a text made to match almost must not cost more.
_NAMES = ("key", "passwd", "password", "passphrase", "secret", "token")
_NAME = r"(?<![^\W_])(?:(?:api|access)[_-]?key|passwd|password|passphrase|secret|token)(?![\w-])"
_GAP = r"[ \t]{0,4}"

_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # PEM blocks; of one that was cut off, whatever looks like its body.
    (
        ("-----begin ",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{1,40}-----(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]{1,40}-----"
            r"|-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s]*+"
        ),
        REDACTED,
    ),
    # Provider keys have digits; `sk-learn-and-other-words` has none.
    (
        ("sk-",),
        re.compile(r"(?<![\w-])sk-(?=[A-Za-z_-]{0,64}[0-9])[\w-]{16,400}+", re.ASCII),
        REDACTED,
    ),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), REDACTED),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{20,255}+", re.ASCII),
        REDACTED,
    ),
    (("xox",), re.compile(r"\bxox[abeoprs]-[\w-]{10,255}+", re.ASCII), REDACTED),
    (("aiza",), re.compile(r"\bAIza[\w-]{35}", re.ASCII), REDACTED),
    (
        ("bearer",),
        re.compile(
            r"\b(Bearer[ \t]{1,4})(?=[A-Za-z._~+/=-]{0,64}[0-9]|[\w.~+/=-]{32})[\w.~+/=-]{8,4096}+",
            re.ASCII | re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # A password in an address.
    (
        ("://",),
        re.compile(r"(://[^\s/:@]{1,64}:)(?!\[redacted\])[^\s/@]{1,128}@"),
        rf"\1{REDACTED}@",
    ),
    # name=value and "name": "value": quoted values whole, bare ones up to the next separator, but
    # not a call, which is code.
    (
        _NAMES,
        re.compile(
            rf"({_NAME}[\"']?{_GAP}[:=]{_GAP})"
            r"(?:\"(?!\[redacted\]\")[^\"\n]{1,4096}\"|'(?!\[redacted\]')[^'\n]{1,4096}')",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # The same inside a JSON string, where quotes are escaped once or several times.
    (
        _NAMES,
        re.compile(
            rf"({_NAME}(?:\\{{1,7}}+\")?{_GAP}[:=]{_GAP})\\{{1,7}}+\"(?!\[redacted\])"
            r"[^\"\\\n]{1,4096}+\\{1,7}+\"",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        _NAMES,
        re.compile(
            rf"({_NAME}{_GAP}={_GAP})[^\s\"'`,;&()<>\[\]{{}}=]{{1,4096}}+(?![(\[=])",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # After a colon words are more likely than a secret, so a bare value must look like one.
    (
        _NAMES,
        re.compile(
            rf"({_NAME}{_GAP}:{_GAP})(?=[^\s0-9]{{0,64}}[0-9])[^\s\"'`,;&()<>\[\]{{}}]{{8,4096}}+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)
"""(words of which one must occur, what a secret looks like, what takes its place)."""
_HINTS = tuple(dict.fromkeys(word for words, _, _ in _PATTERNS for word in words))


def redact(text: str) -> str:
    """`text` with `[redacted]` in place of what looks like a secret.

    Keys of well-known providers, bearer tokens, PEM blocks, passwords in addresses, and values of
    names such as `api_key`, `password`, `secret` and `token`; and whatever is a secret of the
    environment, however it looks.
    """
    for value in _of_environment():
        if value in text:
            text = text.replace(value, REDACTED)
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            break
    else:
        return text  # as nearly every text does, and each one passes here
    for words, pattern, replacement in _PATTERNS:
        if any(word in lower for word in words):
            text = pattern.sub(replacement, text)
    return text


def notice_environment() -> None:
    """Read the secrets of the environment again; a run does when it begins."""
    _of_environment.cache_clear()


@lru_cache(maxsize=1)
def _of_environment() -> tuple[str, ...]:
    return secrets_of(os.environ)


_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE")
_LEAST_SECRET = 12
_PLAIN_PARTS = 3
"""A value of more words than that is a passphrase, not a name."""
# An address, a drive, an absolute path of several parts, a file.
_PLACE = re.compile(
    r"\w+://|[A-Za-z]:\\|[~.]{0,2}/[^/]+/|[~.]{0,2}/.*\.\w{1,5}\Z|[\w.-]+(?:/[\w.-]+)+\.\w{1,5}\Z"
)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values that are secrets by the names of their variables, the longest first.

    Names hold KEY, TOKEN, SECRET, PASSWORD or the like; values have twelve characters or more and
    are neither plain words nor paths or addresses. As they stand, and as JSON writes them.
    """
    found: set[str] = set()
    for name, given in environment.items():
        value = normalise(given).strip()
        if any(part in name.upper() for part in _SECRET_NAMES) and _is_secret(value):
            found |= {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def _is_secret(value: str) -> bool:
    if len(value) < _LEAST_SECRET or _PLACE.match(value):
        return False
    words = re.split(r"[-_. ]", value)
    plain = all(w.isalpha() and (w.islower() or w.isupper() or w.istitle()) for w in words)
    return not plain or len(words) > _PLAIN_PARTS


def natural(name: str) -> tuple[str | tuple[int, str], ...]:
    """Sorts names as people count: `train/10` after `train/9`."""
    # The longer number is the greater one; `int` refuses those of thousands of digits.
    found = enumerate(_NUMBER.split(name))
    return tuple((len(p.lstrip("0")), p.lstrip("0")) if n % 2 else p for n, p in found)


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 run`, `2 runs`, `1,234 episodes`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"

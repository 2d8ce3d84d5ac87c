"""Deterministic keys, canonical JSON and coins (design section 7).

Everything here is a pure function of its arguments: no clock, no process state, no `hash()`. Two
runs that ask the same question get the same key on every machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_ID_CHARS = 20
_END_MARKS = re.compile(r"[.,;:!?]+(?=[\s\"')]|$)")
_PLAIN_MARKS = str.maketrans("‘’“”„«»–—", '\'\'"""""--')


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_quoted = json.encoder.encode_basestring
# What an id holds of a digest, in the groups of five bytes that base32 works in.
_ID_BYTES = -(-_ID_CHARS // 8) * 5


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spare white space; equal values give equal text."""
    return _encode(value)


def sha256_text(text: str) -> str:
    """Hex sha256 of `text` in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sha256_json(value: Any) -> str:
    """Hex sha256 of the canonical JSON of `value`."""
    return sha256_text(canonical_json(value))


def _digest(key: tuple[Any, ...]) -> bytes:
    """The sha256 over the canonical JSON of `key`."""
    # Most parts are texts and whole numbers, which need no encoder made for each key.
    parts = [
        _quoted(k) if type(k) is str else str(k) if type(k) is int else canonical_json(k)
        for k in key
    ]
    return hashlib.sha256(f"[{','.join(parts)}]".encode()).digest()


def key_id(prefix: str, *key: Any) -> str:
    """`prefix_` + 20 characters of base32 sha256 over the canonical JSON of `key`."""
    digest = _digest(key)[:_ID_BYTES]
    return f"{prefix}_{base64.b32encode(digest).decode('ascii').lower()[:_ID_CHARS]}"


def instance_scope(scope: str, instance: str) -> str:
    """The scope of an instance's reflections: a path below the task's."""
    return instance if instance.startswith(f"{scope}/") else f"{scope}/{instance}"


def coin(*key: Any) -> float:
    """A number in [0, 1) that depends on `key` alone."""
    return int.from_bytes(_digest(key)[:7], "big") / float(1 << 56)


def seed_from(*key: Any) -> int:
    """A 53-bit non-negative integer that depends on `key` alone (safe in JSON and in C longs)."""
    return int.from_bytes(_digest(key)[:8], "big") >> 11


def normalised(text: str) -> str:
    """`text` as it is compared for equality: NFKC, case-folded, white space and ends folded."""
    # Of ASCII the lower case is the folded one, and found in a quarter of the time.
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(" .;,!")


def normal_form(text: str) -> str:
    """`text` as lessons are compared: `normalised`, and marks at the ends of words do not count.

    Marks within a word (3.5, a.b) count, and so do quotes, which say what has to appear.
    """
    folded = normalised(text)
    if not folded.isascii():
        folded = folded.translate(_PLAIN_MARKS)
    elif _END_MARKS.search(folded) is None:
        return folded  # what is ASCII and folded stays as it is when it is folded again
    return normalised(_END_MARKS.sub(" ", folded))


def content_hash(fields: Mapping[str, str]) -> str:
    """The hash by which two lessons count as the same text; empty fields do not count."""
    said = [(k, text) for k, v in fields.items() if v and (text := normal_form(v))]
    # The canonical JSON of a dictionary of texts, without an encoder made for each.
    members = ",".join([f"{_quoted(k)}:{_quoted(text)}" for k, text in sorted(said)])
    return sha256_text(f"{{{members}}}")[:32]


def token_estimate(text: str) -> int:
    """Tokens that `text` costs: ceil(UTF-8 bytes / 3.5) (design section 8)."""
    return -(-len(text.encode("utf-8")) * 2 // 7)

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.ids import (
    canonical_json,
    coin,
    content_hash,
    key_id,
    normal_form,
    normalised,
    seed_from,
    sha256_json,
)
from verbalrl.records import Origin


@given(st.text(max_size=40) | st.text(" \t\n.;,!aB\x1c\u2003ﬁẞ", max_size=20))
def test_normalised_folds_case_width_white_space_and_ends(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()
    assert normalised(text) == re.sub(r"\s+", " ", folded).strip(" .;,!")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=5))
def test_a_content_hash_is_that_of_canonical_json(fields: dict[str, str]) -> None:
    said = {name: text for name, value in fields.items() if (text := normal_form(value))}
    assert content_hash(fields) == sha256_json(said)[:32]


def test_empty_fields_do_not_count() -> None:
    assert content_hash({"a": "x", "b": " . "}) == content_hash({"a": "X."})
    assert content_hash({"a": "x"}) != content_hash({"b": "x"})


@given(st.text(" \t.;,!?:aB\"'3-", max_size=30))
def test_a_normal_form_is_the_same_by_its_short_way(text: str) -> None:
    # A mark that is no ASCII takes the long way, which folds twice whatever it finds.
    apart = normal_form(f"{text} z»")
    assert normal_form(f'{text} z"') == apart


@pytest.mark.parametrize(
    "part", [True, False, None, 1.0, float("inf"), 1 << 70, 'é"\n', Origin.TASK, ("a", 1), {"b": 1}]
)
def test_a_key_is_the_canonical_json_of_its_parts(part: Any) -> None:
    whole = sha256(canonical_json(["a", part]).encode()).digest()
    assert seed_from("a", part) == int.from_bytes(whole[:8], "big") >> 11
    assert coin("a", part) == int.from_bytes(whole[:7], "big") / float(1 << 56)
    assert key_id("x", "a", part) == "x_" + b32encode(whole).decode().lower()[:20]

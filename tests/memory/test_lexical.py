from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verbalrl.ids import sha256_text
from verbalrl.memory.conditions import words_of
from verbalrl.memory.lexical import Lexical


def keyed(*texts: str) -> dict[str, str]:
    return {sha256_text(text)[:32]: text for text in texts}


def found(table: Lexical, query: str, k: int = 5) -> list[str]:
    known = {content: text for content, text in table._texts.items()}
    return [known[content] for content, _ in table.search(query, k)]


def test_shared_words_are_found_in_other_forms_and_cases() -> None:
    table = Lexical(keyed("retry the payments", "water the goats", "close the door"))
    assert found(table, "A PAYMENT failed; retrying…") == ["retry the payments"]
    assert found(table, "nothing of this") == []
    assert found(Lexical(), "retry") == []


def test_stop_words_alone_find_nothing() -> None:
    assert found(Lexical(keyed("the and of with")), "the and of with") == []


def test_words_of_more_than_a_tenth_are_left_out() -> None:
    texts = [f"common word{n}" for n in range(300)]
    table = Lexical(keyed(*texts))
    assert found(table, "common") == []
    assert found(table, "common word7") == ["common word7"]


def test_text_is_never_query_language() -> None:
    table = Lexical(keyed("quote near paren", "star column"))
    for hostile in ('"', "near(", "a AND OR NOT", "body:star*", "^col -x", '"" OR ""', "\x00 (("):
        table.search(hostile, 5)
    assert found(table, 'body:"star" NOT column*') == ["star column"]


WORDS = st.sampled_from(["lamp", "lamps", "door", "goat", "river", "payment", "retry", "x1"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), max_size=12)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(WORDS, max_size=5).map(" ".join))
@settings(max_examples=60)
def test_a_table_brought_forward_scores_like_a_fresh_one(
    stages: list[list[str]], query: str
) -> None:
    table = Lexical()
    for texts in stages:
        table.bring_to(keyed(*texts))
    fresh = Lexical(keyed(*reversed(stages[-1])))
    assert table.search(query, 5) == fresh.search(query, 5)
    assert table.search(query, 100)[:5] == fresh.search(query, 5)


@given(TEXTS, st.lists(WORDS, min_size=1, max_size=6, unique=True), st.integers(1, 12))
@settings(max_examples=60)
def test_scores_are_to_the_last_bit_those_of_one_query_of_fts5(
    texts: list[str], words: list[str], k: int
) -> None:
    table = Lexical(keyed(*texts))
    asked = table._terms(" ".join(words))
    found = table._db.execute(
        "SELECT rowid, -rank FROM lessons WHERE lessons MATCH ? ORDER BY rank, rowid LIMIT ?",
        (" OR ".join(f'"{word}"' for word in asked) or '""', k),
    )
    rows = [(int(content[:15], 16), score) for content, score in table.search(" ".join(words), k)]
    assert rows == found.fetchall()


def test_what_words_add_is_forgotten_where_it_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verbalrl.memory.lexical._KEPT", 2)
    texts = keyed(*(f"lamp{n} door{n % 3} goat{n % 4}" for n in range(40)))
    table, roomy = Lexical(texts), Lexical(texts)
    for n in range(40):
        query = f"lamp{n} door{n % 3} goat{n % 4}"
        assert table.search(query, 5) == roomy.search(query, 5)
        assert table._kept <= 2 + 4 * 40


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_words_of_ascii_are_those_of_the_long_way(text: str) -> None:
    # A last word that is no ASCII takes the long way.
    assert [*words_of(text), "ss"] == words_of(f"{text} ß")

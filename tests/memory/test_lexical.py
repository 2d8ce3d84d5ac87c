from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from verbalrl.ids import sha256_text
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

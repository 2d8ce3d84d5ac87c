"""How far indexes outside of the file have come, where several processes follow it."""

from __future__ import annotations

from pathlib import Path

from tests.store.builders import new_store
from verbalrl.store.vectors import IndexState

NAME = "chroma:http://127.0.0.1:8000 vr-x"


def state(generation: int, applied_n: int = 0, rows: int = 0) -> IndexState:
    return IndexState("f", generation, applied_n, rows)


def test_who_follows_an_older_generation_does_not_bring_it_back(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        vectors = store.vectors
        vectors.put_state(NAME, state(2, 7, 7))
        vectors.put_state(NAME, state(1, 9, 9))
        assert vectors.state(NAME) == state(2, 7, 7)
        vectors.put_state(NAME, state(2, 5, 6))
        assert vectors.state(NAME) == state(2, 7, 6)


def test_one_of_many_begins_the_next_generation(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        vectors = store.vectors
        assert vectors.claim(NAME, 0, state(1))
        assert not vectors.claim(NAME, 0, state(1))
        vectors.put_state(NAME, state(1, 9, 9))
        assert [vectors.claim(NAME, 1, state(n)) for n in (3, 2)] == [True, False]
        assert vectors.state(NAME) == state(3)

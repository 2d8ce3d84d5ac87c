"""One contract for every index: exact, Chroma in a folder, Chroma on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory.chroma_server import chroma_server
from tests.memory.ports import free_port
from verbalrl.errors import IndexFailure
from verbalrl.memory.chroma import ChromaIndex
from verbalrl.memory.index import ExactIndex, Hit, Index, Key, best

SCOPES = ("shop/refunds", "shop", "shop/refunds/i1")


def vector(n: int, dim: int = 16) -> Any:
    row = np.random.default_rng(n).standard_normal(dim)
    return (row / np.linalg.norm(row)).astype(np.float32)


def keys(scope: str, count: int, start: int = 0) -> list[Key]:
    return [Key(scope, f"{n:032x}") for n in range(start, start + count)]


def rows(*numbers: int) -> Any:
    return np.stack([vector(n) for n in numbers])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma_server(tmp_path_factory.mktemp("server"), free_port()) as url:
        yield url


@pytest.fixture(params=["exact", "folder", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    made: Index
    if request.param == "exact":
        made = ExactIndex()
    elif request.param == "folder":
        made = ChromaIndex(str(tmp_path / "chroma"), "vr-test")
    else:
        made = ChromaIndex(request.getfixturevalue("server"), f"vr-{tmp_path.name}"[:60])
    yield made
    made.close()


def test_the_nearest_come_first_with_their_cosine(index: Index) -> None:
    index.upsert(keys("s", 30), rows(*range(30)))
    hits = index.search(["s"], vector(7), 5)
    assert hits[0].content == f"{7:032x}"
    assert hits[0].score == pytest.approx(1, abs=1e-4)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    nearest = sorted((-float(vector(n) @ vector(7)), n) for n in range(30))[:5]
    assert [h.content for h in hits] == [f"{n:032x}" for _, n in nearest]


def test_a_scope_is_exact_and_never_a_prefix(index: Index) -> None:
    for place, scope in enumerate(SCOPES):
        index.upsert(keys(scope, 5, start=10 * place), rows(*range(5)))
    for scope in SCOPES:
        assert {h.scope for h in index.search([scope], vector(0), 10)} == {scope}
    both = index.search(SCOPES[:2], vector(0), 20)
    assert {h.scope for h in both} == set(SCOPES[:2])
    assert len(both) == 10
    assert index.search(["other"], vector(0), 5) == []
    assert index.search([], vector(0), 5) == []


def test_upserts_may_be_repeated_and_overwrite(index: Index) -> None:
    for _ in range(2):
        index.upsert(keys("s", 4), rows(0, 1, 2, 3))
    assert index.count() == 4
    index.upsert(keys("s", 1), rows(9))
    assert index.count() == 4
    assert index.search(["s"], vector(9), 1)[0].content == f"{0:032x}"
    index.upsert([], np.zeros((0, 16), dtype=np.float32))


def test_deleted_rows_are_not_found(index: Index) -> None:
    index.upsert([*keys("s", 4), *keys("t", 4)], rows(*range(4), *range(4)))
    index.delete([*keys("s", 1), Key("s", "f" * 32), Key("u", "0" * 32)])
    assert index.count() == 7
    assert f"{0:032x}" not in {h.content for h in index.search(["s"], vector(0), 4)}
    assert index.search(["t"], vector(0), 1)[0].content == f"{0:032x}"


def test_equal_vectors_tie_by_content(index: Index) -> None:
    index.upsert(keys("s", 6)[::-1], rows(1, 1, 1, 1, 1, 1))
    hits = index.search(["s"], vector(1), 6)
    assert [h.content for h in hits] == [key.content for key in keys("s", 6)]


def test_reset_leaves_nothing_and_it_can_be_used_again(index: Index) -> None:
    index.upsert(keys("s", 3), rows(0, 1, 2))
    index.reset()
    assert index.count() == 0
    assert index.search(["s"], vector(0), 3) == []
    index.upsert(keys("s", 1), rows(5))
    assert index.search(["s"], vector(5), 3) == [
        Hit("s", f"{0:032x}", pytest.approx(1, abs=1e-4))  # type: ignore[arg-type]
    ]


def test_places_of_a_view_are_ranked_over_its_scopes_alone() -> None:
    index = ExactIndex()
    index.upsert([*keys("s", 6), *keys("t", 6), *keys("other", 6)], rows(*[1, 2, 3, 4, 5, 6] * 3))
    view = [Key("t", f"{3:032x}"), Key("s", f"{0:032x}"), Key("s", f"{3:032x}")]
    slots = index.slots(view)
    assert sorted(index.nearest(slots, vector(4), 2).tolist()) == [0, 2]
    assert index.nearest(slots, vector(4), 1).tolist() == [0]
    assert sorted(index.nearest(slots, vector(4), 9).tolist()) == [0, 1, 2]
    assert index.nearest(slots, vector(4), 0).tolist() == []
    np.testing.assert_array_equal(index.vectors(slots, np.array([1, 0])), rows(1, 4))
    alone = index.slots(keys("s", 6))
    np.testing.assert_array_equal(index.vectors(alone, np.array([5, 0])), rows(6, 1))


def test_closing_twice_is_fine(index: Index) -> None:
    index.upsert(keys("s", 1), rows(0))
    index.close()
    index.close()


def test_a_chroma_folder_keeps_its_rows(tmp_path: Path) -> None:
    first = ChromaIndex(str(tmp_path / "c"), "vr-test")
    first.upsert(keys("s", 20), rows(*range(20)))
    first.close()
    second = ChromaIndex(str(tmp_path / "c"), "vr-test")
    assert second.search(["s"], vector(3), 1)[0].content == f"{3:032x}"
    assert second.check(20) == ""
    assert "instead of 21" in second.check(21)
    assert len(second.keys("s")) == 20
    second.close()


def test_a_server_that_is_not_there_is_one_line() -> None:
    with pytest.raises(IndexFailure) as caught:
        ChromaIndex(f"http://127.0.0.1:{free_port()}", "vr-test").count()
    assert "\n" not in str(caught.value)


@given(st.integers(0, 2000), st.integers(1, 30), st.integers(1, 40), st.integers(0, 9))
def test_the_best_are_those_of_a_look_at_all(count: int, k: int, values: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, values, count).astype(np.float32)
    wanted = np.argsort(-scores, kind="stable")[:k]
    assert sorted(best(scores, k).tolist()) == sorted(wanted.tolist())

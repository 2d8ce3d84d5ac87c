from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.memory.embedding_server import EmbeddingServer, good
from verbalrl.errors import CallRefused, ProviderDown
from verbalrl.execution import load_embedder
from verbalrl.memory import fingerprint
from verbalrl.models import RetryPolicy
from verbalrl.records import Usage


async def _no_wait(_: float) -> None:
    pass


POLICY = RetryPolicy(attempts=3, sleep=_no_wait)


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as running:
        yield running


def embed(server: EmbeddingServer, *texts: str, name: str = "openai:tiny") -> tuple[Any, Usage]:
    async def work() -> tuple[Any, Usage]:
        embedder = load_embedder(name, base_url=server.url, policy=POLICY)
        try:
            return await embedder.embed(texts)
        finally:
            await embedder.aclose()  # type: ignore[attr-defined]

    return asyncio.run(work())


def test_rows_come_in_the_order_of_the_texts_with_what_they_cost(server: EmbeddingServer) -> None:
    rows, paid = embed(server, "a", "b", "")
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows.dtype == np.float32
    assert (rows > 0).tolist() == [[True, False, True], [False, True, True], [False, False, True]]
    assert (paid.input, paid.calls) == (21, 1)
    asked = server.asked[0]
    assert asked["path"] == "/v1/embeddings"
    assert (asked["model"], asked["encoding_format"]) == ("tiny", "float")
    assert "dimensions" not in asked


def test_many_texts_are_asked_in_batches(server: EmbeddingServer) -> None:
    rows, paid = embed(server, *("a" if n % 2 else "b" for n in range(150)), name="openai:tiny@3")
    assert rows.shape == (150, 3)
    assert (rows[:, 0] > 0).tolist() == [bool(n % 2) for n in range(150)]
    assert paid.calls == len(server.asked) == 3
    assert {asked["dimensions"] for asked in server.asked} == {3}


def test_what_may_pass_is_tried_again(server: EmbeddingServer) -> None:
    server.play(
        lambda _: (500, {"error": {"message": "try later"}}),
        lambda asked: (200, {"data": good(asked)[1]["data"][:1]}),
        good,
    )
    rows, _ = embed(server, "a", "b")
    assert rows.shape == (2, 3)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "broken",
    [
        {"data": [{"index": 0, "embedding": ["x"]}]},
        {"data": [{"index": 5, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"data": "none"},
        {},
    ],
)
def test_what_is_no_vector_is_no_answer(server: EmbeddingServer, broken: dict[str, Any]) -> None:
    server.play(*[lambda _: (200, broken)] * 3)
    with pytest.raises(ProviderDown, match="openai:tiny") as caught:
        embed(server, "a")
    assert "\n" not in str(caught.value)


def test_a_refusal_is_final(server: EmbeddingServer) -> None:
    server.play(lambda _: (404, {"error": {"message": "no such model"}}))
    with pytest.raises(CallRefused, match="no such model"):
        embed(server, "a")
    assert len(server.asked) == 1


def test_a_server_is_part_of_the_fingerprint() -> None:
    names = ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    prints = {fingerprint(load_embedder("openai:m", base_url=url)) for url in names}
    assert len(prints) == 2

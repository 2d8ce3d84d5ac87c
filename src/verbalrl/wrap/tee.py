"""Listening to a response of httpx while its reader reads: no byte, order or moment changes."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

MAX_KEPT = 8 << 20
"""Bytes of one reply that are kept; the rest passes unheard."""

Done = Callable[[bytes, BaseException | None], None]


def tee(response: Any, done: Done) -> None:
    """Call `done` once with what was read of `response`, when it ends, breaks or is closed.

    Methods of this one object are covered, which every reader goes through. They hold the response
    weakly: in a circle, a stream that its reader drops would keep its connection.
    """
    heard, ref, kind = _Heard(done), weakref.ref(response), type(response)

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        return heard.through(kind.iter_bytes(ref(), chunk_size))

    def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return heard.athrough(kind.aiter_bytes(ref(), chunk_size))

    def close() -> None:
        kind.close(ref())
        heard.over()

    async def aclose() -> None:
        await kind.aclose(ref())
        heard.over()

    for method in (iter_bytes, aiter_bytes, close, aclose):
        setattr(response, method.__name__, method)


class _Heard:
    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self._chunks: list[bytes] = []
        self._size = 0

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for chunk in chunks:
                self._keep(chunk)
                yield chunk
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    async def athrough(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                self._keep(chunk)
                yield chunk
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    def over(self, error: BaseException | None = None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(b"".join(self._chunks), error)
            self._chunks.clear()

    def _keep(self, chunk: bytes) -> None:
        if self._size < MAX_KEPT:
            self._chunks.append(chunk)
            self._size += len(chunk)

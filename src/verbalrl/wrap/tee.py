"""Listening to a response of httpx while its reader reads: no byte, order or moment changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any

MAX_KEPT = 8 << 20
"""Bytes of one reply that are kept; the rest passes unheard."""

Done = Callable[[bytes, BaseException | None], None]


def tee(response: Any, done: Done) -> None:
    """Call `done` once with what was read of `response`, when it ends, breaks or is closed.

    Until then the response is of a subclass of its own class, whose methods every reader goes
    through. Nothing of ours refers to it: a stream that its reader drops closes as it would.
    """
    setattr(response, _HEARD, _Heard(done))
    kind: Any = type(response)
    response.__class__ = _subclass(kind)


_HEARD = "_verbalrl_heard"


@lru_cache(maxsize=16)
def _subclass(kind: Any) -> Any:
    def iter_bytes(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        return _heard(self).through(kind.iter_bytes(self, chunk_size))

    def aiter_bytes(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return _heard(self).athrough(kind.aiter_bytes(self, chunk_size))

    def close(self: Any) -> None:
        kind.close(self)
        _heard(self).closed()

    async def aclose(self: Any) -> None:
        await kind.aclose(self)
        _heard(self).closed()

    methods = {m.__name__: m for m in (iter_bytes, aiter_bytes, close, aclose)}
    shown = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), shown | methods)


def _heard(response: Any) -> _Heard:
    heard: _Heard = getattr(response, _HEARD)
    return heard


class _Heard:
    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self._chunks: list[bytes] = []
        self._size = 0
        self._pulling = False

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        self._pulling = True
        try:
            for chunk in chunks:
                self._keep(chunk)
                self._pulling = False
                yield chunk
                self._pulling = True
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    async def athrough(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._pulling = True
        try:
            async for chunk in chunks:
                self._keep(chunk)
                self._pulling = False
                yield chunk
                self._pulling = True
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    def closed(self) -> None:
        # The response closes itself when it ends or breaks; which of them, its reader will know.
        if not self._pulling:
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

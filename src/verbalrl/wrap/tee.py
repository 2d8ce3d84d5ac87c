"""Listening to a response of httpx while its reader reads: no byte, order or moment changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache
from typing import Any

MAX_KEPT = 8 << 20
"""Bytes of one reply that are kept; the rest passes unheard."""

Decode = Callable[[bytes], bytes]
Done = Callable[[Callable[[], bytes], BaseException | None], None]
"""Told how to get at what was read, and what broke it off."""


def tee(response: Any, done: Done) -> None:
    """Call `done` once, when `response` ends, breaks or is closed; it gets what was read of it.

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

    def iter_raw(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        chunks = kind.iter_raw(self, chunk_size)
        heard = _heard(self)
        # The other way reads through this one; what is heard there is not heard twice.
        return chunks if heard.pulling else heard.through(chunks, _decoder(kind, self.headers))

    def aiter_raw(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        chunks = kind.aiter_raw(self, chunk_size)
        heard = _heard(self)
        return chunks if heard.pulling else heard.athrough(chunks, _decoder(kind, self.headers))

    def close(self: Any) -> None:
        kind.close(self)
        _heard(self).closed()

    async def aclose(self: Any) -> None:
        await kind.aclose(self)
        _heard(self).closed()

    readers = (iter_bytes, aiter_bytes, iter_raw, aiter_raw)
    methods = {m.__name__: m for m in (*readers, close, aclose)}
    shown = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), shown | methods)


def _decoder(kind: Any, headers: Any) -> Decode | None:
    """What makes the content of bytes as they came over the wire; None where they are it."""
    encoding = headers.get("content-encoding")
    if not encoding:
        return None

    def decode(raw: bytes) -> bytes:
        content: bytes = kind(200, headers={"content-encoding": encoding}, content=raw).content
        return content

    return decode


def _heard(response: Any) -> _Heard:
    heard: _Heard = getattr(response, _HEARD)
    return heard


class _Heard:
    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self._chunks: list[bytes] = []
        self._size = 0
        self._decode: Decode | None = None
        self.pulling = False
        """Whether the response is being read on behalf of a reader that is listened to."""

    def through(self, chunks: Iterator[bytes], decode: Decode | None = None) -> Iterator[bytes]:
        self._decode = decode
        self.pulling = True
        try:
            for chunk in chunks:
                self._keep(chunk)
                self.pulling = False
                yield chunk
                self.pulling = True
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    async def athrough(
        self, chunks: AsyncIterator[bytes], decode: Decode | None = None
    ) -> AsyncIterator[bytes]:
        self._decode = decode
        self.pulling = True
        try:
            async for chunk in chunks:
                self._keep(chunk)
                self.pulling = False
                yield chunk
                self.pulling = True
        except GeneratorExit:
            self.over()
            raise
        except BaseException as error:
            self.over(error)
            raise
        self.over()

    def closed(self) -> None:
        # The response closes itself when it ends or breaks; which of them, its reader will know.
        if not self.pulling:
            self.over()

    def over(self, error: BaseException | None = None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(self._content, error)
            self._chunks.clear()

    def _content(self) -> bytes:
        read = b"".join(self._chunks)
        return read if self._decode is None else self._decode(read)

    def _keep(self, chunk: bytes) -> None:
        if self._size < MAX_KEPT:
            self._chunks.append(chunk)
            self._size += len(chunk)

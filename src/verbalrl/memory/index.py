"""Indexes: which stored vectors are nearest to one. They name rows and hold nothing else.

A row is a text in a scope: the key is (scope, content hash), its vector a function of the content.
So rows are only ever added, by whichever branch and revision brings the text, and what a view may
show is decided by the view. A wrong index can find less, never show what is not there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .embed import Matrix, Vector

    Places = NDArray[np.signedinteger[Any]]
    Floats = NDArray[np.floating[Any]]


_COLUMN = 32
"""So many scores are looked at by their largest."""


class Key(NamedTuple):
    """Names a row."""

    scope: str
    content: str


class Hit(NamedTuple):
    """A row found, and how near it is: its cosine, higher is nearer."""

    scope: str
    content: str
    score: float


class Slots(NamedTuple):
    """Where rows are in an `ExactIndex`: the number of each one's scope, and its row there."""

    scopes: list[str]
    numbers: Places
    rows: Places


class Index(Protocol):
    """What recall asks of an index. Vectors are float32 of length 1."""

    def upsert(self, keys: Sequence[Key], vectors: Matrix, /) -> None:
        """Hold these rows; those that are there are overwritten."""

    def delete(self, keys: Iterable[Key], /) -> None:
        """Hold these rows no longer; unknown ones do not matter."""

    def search(self, scopes: Sequence[str], vector: Vector, k: int, /) -> list[Hit]:
        """At most `k` rows of these scopes, the nearest first, ties by (content, scope)."""

    def count(self) -> int:
        """How many rows it holds."""

    def reset(self) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """Let go of memory and files; a second call does nothing."""


class ExactIndex:
    """Looks at every row of the scopes asked for: exact, in memory, one matrix per scope."""

    def __init__(self) -> None:
        self._scopes: dict[str, _Block] = {}
        self._lock = threading.Lock()

    def upsert(self, keys: Sequence[Key], vectors: Matrix, /) -> None:
        """Hold these rows; those that are there are overwritten."""
        with self._lock:
            rows: dict[str, list[int]] = {}
            for n, key in enumerate(keys):
                rows.setdefault(key.scope, []).append(n)
            for scope, numbers in rows.items():
                if scope not in self._scopes:
                    self._scopes[scope] = _Block(vectors.shape[1])
                block = self._scopes[scope]
                block.put([keys[n].content for n in numbers], vectors[numbers])

    def delete(self, keys: Iterable[Key], /) -> None:
        """Hold these rows no longer; unknown ones do not matter."""
        with self._lock:
            for scope, content in keys:
                if scope in self._scopes:
                    self._scopes[scope].drop(content)

    def search(self, scopes: Sequence[str], vector: Vector, k: int, /) -> list[Hit]:
        """At most `k` rows of these scopes, the nearest first, ties by (content, scope)."""
        with self._lock:
            found = [
                (-score, content, scope)
                for scope in dict.fromkeys(scopes)
                if scope in self._scopes
                for content, score in self._scopes[scope].nearest(vector, k)
            ]
        found.sort()
        return [Hit(scope, content, -score) for score, content, scope in found[: max(k, 0)]]

    def has(self, key: tuple[str, str]) -> bool:
        """Whether it holds the row of that (scope, content)."""
        block = self._scopes.get(key[0])
        return block is not None and key[1] in block.places

    def slots(self, keys: Sequence[tuple[str, str]]) -> Slots:
        """Where rows are by (scope, content), until one is deleted; all must be there."""
        import numpy as np

        scopes = list(dict.fromkeys([scope for scope, _ in keys]))
        numbers = {scope: n for n, scope in enumerate(scopes)}
        rows = [self._scopes[scope].places[content] for scope, content in keys]
        numbered = [numbers[scope] for scope, _ in keys]
        return Slots(scopes, np.array(numbered, dtype=np.int64), np.array(rows, dtype=np.int64))

    def nearest(self, slots: Slots, vector: Vector, k: int) -> Places:
        """Which `k` of `slots` are nearest; of equally near ones the first. Not in their order."""
        import numpy as np

        with self._lock:
            blocks = [self._scopes[scope].scores(vector) for scope in slots.scopes]
        if len(blocks) == 1:
            scores = blocks[0][slots.rows]
        else:
            scores = np.empty(len(slots.rows), dtype=np.float32)
            for n, found in enumerate(blocks):
                here = slots.numbers == n
                scores[here] = found[slots.rows[here]]
        return best(scores, k)

    def vectors(self, slots: Slots, places: Places) -> Matrix:
        """The vectors of those of `slots` that `places` names."""
        import numpy as np

        matrices = [self._scopes[scope].rows for scope in slots.scopes]
        rows = slots.rows[places]
        if len(matrices) == 1:
            one: Matrix = matrices[0].take(rows, axis=0)
            return one
        found = np.empty((len(rows), matrices[0].shape[1]), dtype=np.float32)
        numbers = slots.numbers[places]
        for n, matrix in enumerate(matrices):
            found[numbers == n] = matrix[rows[numbers == n]]
        return found

    def count(self) -> int:
        """How many rows it holds."""
        return sum(len(block.contents) for block in self._scopes.values())

    def reset(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._scopes.clear()

    def close(self) -> None:
        """Let go of the memory."""
        self.reset()


class _Block:
    """The rows of one scope, without gaps, in a matrix that grows by doubling."""

    def __init__(self, dim: int) -> None:
        import numpy as np

        self.contents: list[str] = []
        self.places: dict[str, int] = {}
        self.rows: Matrix = np.zeros((16, dim), dtype=np.float32)

    def put(self, contents: Sequence[str], vectors: Matrix) -> None:
        import numpy as np

        for content in contents:
            if content not in self.places:
                self.places[content] = len(self.contents)
                self.contents.append(content)
        if len(self.contents) > len(self.rows):
            grown = np.zeros((2 * len(self.contents), self.rows.shape[1]), dtype=np.float32)
            grown[: len(self.rows)] = self.rows
            self.rows = grown
        self.rows[[self.places[content] for content in contents]] = vectors

    def drop(self, content: str) -> None:
        place = self.places.pop(content, None)
        if place is None:
            return
        last = self.contents.pop()
        if last != content:
            self.contents[place] = last
            self.places[last] = place
            self.rows[place] = self.rows[len(self.contents)]

    def scores(self, vector: Vector) -> Vector:
        return _dots(self.rows[: len(self.contents)], vector)

    def nearest(self, vector: Vector, k: int) -> list[tuple[str, float]]:
        """The best `k`, and all that tie with the last of them."""
        import numpy as np

        count = len(self.contents)
        if count == 0 or k < 1:
            return []
        scores = self.scores(vector)
        if k >= count:
            places = np.arange(count)
        else:
            places = _above(scores, k)
            near = scores[places]
            edge = np.partition(near, len(near) - k)[len(near) - k]
            places = places[near >= edge]
        contents = self.contents
        found = zip(places.tolist(), scores[places].tolist(), strict=True)
        return [(contents[place], score) for place, score in found]


def best(scores: Floats, k: int) -> Places:
    """The places of the `k` largest; of equal ones the first. In no order."""
    import numpy as np

    if k >= len(scores):
        return np.arange(len(scores))
    if k < 1:
        return np.arange(0)
    places = _above(scores, k)
    near = scores[places]
    edge = np.partition(near, len(near) - k)[len(near) - k]
    above, ties = places[near > edge], places[near == edge]
    return np.concatenate([above, ties[: k - len(above)]])


def _above(scores: Floats, k: int) -> Places:
    """The places of the `k` largest and of few others, in order.

    Of `k` columns each has one that is as large as the least of their largest, so what is smaller
    is not among the best: to know that takes a quarter of the time of parting all scores.
    """
    import numpy as np

    columns = len(scores) // _COLUMN
    if columns < 2 * k:
        return np.arange(len(scores))
    peaks = scores[: columns * _COLUMN].reshape(_COLUMN, columns).max(axis=0)
    return np.flatnonzero(scores >= np.partition(peaks, columns - k)[columns - k])


def _dots(rows: Matrix, vector: Vector) -> Vector:
    """Row by row, at the speed at which memory is read; a matrix product takes twice as long."""
    import numpy as np

    if hasattr(np, "vecdot"):
        fast: Vector = np.vecdot(rows, vector)
        return fast
    slow: Vector = np.einsum("ij,j->i", rows, vector)
    return slow

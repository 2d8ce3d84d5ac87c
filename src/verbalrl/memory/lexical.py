"""Which lessons share words with a situation: BM25 by SQLite's FTS5, over exactly the given texts.

The statistics (how many lessons, how many hold a word) decide prompts, so they must be a function
of the lessons of the view alone: never of other branches, later revisions or the order of arrival.
So each table lives in memory, holds the texts of one set of contents, and is brought to the next
set by its differences; the scores are those of a table made afresh.

BM25 is a sum over words. What a word adds to each text is asked of FTS5 once and kept, and added up
here in the order in which FTS5 would: the same scores, for a fraction of what a query costs.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .conditions import STOP_WORDS, words_of
from .index import best

if TYPE_CHECKING:
    from .index import Floats, Places

FREQUENT_SHARE = 0.1
"""A word in more of the texts than this is left out: it costs most and says least."""
_FREQUENT_FLOOR = 20
_TERMS = 24
_FEWEST_TERMS = 4
_ROWS = 2000
"""Words of a situation are looked up, the rarest first, while they are at most `_TERMS` and occur
in at most `_ROWS` texts together, but `_FEWEST_TERMS` in any case: so a search has a price."""
_MANY = 500
_KEPT = 1 << 20
"""So many pairs of a word and a text, of 16 bytes each, are kept at most."""

_TABLE = (
    "CREATE VIRTUAL TABLE lessons USING fts5("
    "body, content='', tokenize='porter unicode61 remove_diacritics 2')"
)


class Lexical:
    """The texts of one set of contents, by content hash."""

    def __init__(self, texts: Mapping[str, str] = {}) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute(_TABLE)
        self._texts: dict[str, str] = {}
        self._contents: list[str] = []
        """Sorted, which is the order of their rows; a text's place is where it stands here."""
        self._counts: dict[str, int] = {}
        self._shares: dict[str, tuple[Places, Floats]] = {}
        """By word, the places of the texts that hold it and what it adds to their scores."""
        self._kept = 0
        self._numbers: Places | None = None
        self.bring_to(texts)

    def __len__(self) -> int:
        return len(self._texts)

    def differs(self, contents: Iterable[str]) -> int:
        """In how many texts this set differs from `contents`."""
        return len(self._texts.keys() ^ set(contents))

    def bring_to(self, texts: Mapping[str, str]) -> None:
        """Hold exactly `texts`."""
        with self._lock:
            gone = [c for c in self._texts if c not in texts]
            new = sorted((c for c in texts if c not in self._texts), key=_row)
            if not gone and not new:
                return
            self._db.execute("BEGIN")
            # A table without content deletes by the text that it was given.
            self._db.executemany(
                "INSERT INTO lessons (lessons, rowid, body) VALUES ('delete', ?, ?)",
                [(_row(content), self._texts[content]) for content in gone],
            )
            self._db.executemany(
                "INSERT INTO lessons (rowid, body) VALUES (?, ?)",
                [(_row(content), texts[content]) for content in new],
            )
            self._db.execute("COMMIT")
            if len(gone) + len(new) > _MANY:
                # One segment is searched twice as fast as several.
                self._db.execute("INSERT INTO lessons (lessons) VALUES ('optimize')")
            for content in gone:
                del self._texts[content]
            for content in new:
                self._texts[content] = texts[content]
            self._contents = sorted(self._texts)
            self._counts.clear()
            self._forget()

    def search(self, text: str, k: int) -> list[tuple[str, float]]:
        """(content, BM25) of the best `k`, the best first; higher is better, ties by content."""
        found, scores = self.nearest(text, k)
        pairs = zip((-scores).tolist(), found.tolist(), strict=True)
        hits = sorted([(score, self._contents[place]) for score, place in pairs])
        return [(content, -score) for score, content in hits]

    def nearest(self, text: str, k: int) -> tuple[Places, Floats]:
        """The best `k` by their places among the sorted contents, in that order, and their BM25."""
        import numpy as np

        with self._lock:
            shares = [self._share(term) for term in self._terms(text)]
            if not shares or k < 1:
                return np.zeros(0, dtype=np.int64), np.zeros(0)
            held = np.concatenate([places for places, _ in shares])
            added = np.concatenate([scores for _, scores in shares])
            scores = np.bincount(held, added, len(self._contents)).astype(np.float64, copy=False)
            found = np.flatnonzero(scores)
            found = np.sort(found[best(scores[found], k)])
            return found, scores[found]

    def close(self) -> None:
        """Let the table go."""
        with self._lock:
            self._db.close()

    def _terms(self, text: str) -> list[str]:
        """The words worth looking up: no stop word, none that is everywhere, the rarest first."""
        most = max(FREQUENT_SHARE * len(self._texts), _FREQUENT_FLOOR)
        words = {word for word in words_of(text) if len(word) > 1} - STOP_WORDS
        known = self._counts
        counts = [(known[word] if word in known else self._count(word), word) for word in words]
        chosen: list[str] = []
        rows = 0
        for count, word in sorted([pair for pair in counts if 0 < pair[0] <= most])[:_TERMS]:
            rows += count
            if rows > _ROWS and len(chosen) >= _FEWEST_TERMS:
                break
            chosen.append(word)
        return chosen

    def _share(self, word: str) -> tuple[Places, Floats]:
        import numpy as np

        known = self._shares.get(word)
        if known is None:
            if self._kept > _KEPT:
                self._forget()
            sql = "SELECT rowid, -rank FROM lessons WHERE lessons MATCH ? ORDER BY rowid"
            found = self._db.execute(sql, (_quoted(word),)).fetchall()
            rows = np.array([row for row, _ in found], dtype=np.int64)
            scores = np.array([score for _, score in found], dtype=np.float64)
            known = self._shares[word] = (np.searchsorted(self._rows(), rows), scores)
            self._kept += len(found)
        return known

    def _rows(self) -> Places:
        import numpy as np

        if self._numbers is None:
            self._numbers = np.fromiter(map(_row, self._contents), np.int64, len(self._contents))
        return self._numbers

    def _forget(self) -> None:
        self._shares.clear()
        self._kept, self._numbers = 0, None

    def _count(self, word: str) -> int:
        known = self._counts.get(word)
        if known is None:
            sql = "SELECT count(*) FROM lessons WHERE lessons MATCH ?"
            known = self._counts[word] = self._db.execute(sql, (_quoted(word),)).fetchone()[0]
        return known


def _row(content: str) -> int:
    """A row number that every build gives to a content: ties then break alike."""
    return int(content[:15], 16)


def _quoted(word: str) -> str:
    # Words are letters and digits, so nothing of FTS5's query language can be in them.
    return f'"{word}"'

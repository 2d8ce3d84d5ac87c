"""`ChromaIndex`: rows in a collection of Chroma, in a folder of this process or on a server.

Chroma keeps vectors, ids and scopes, no text. It is imported and opened on first use; its own
embedding function is never used, and telemetry is off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import IndexFailure, boundary
from .index import Hit, Key

if TYPE_CHECKING:
    from .embed import Matrix, Vector

SILENT_S = 30.0
"""A server that says nothing for so long, in the middle of an answer or before it, has failed."""
_BATCH = 2000
"""Chroma takes at most 5,461 rows at once."""
_MARK = 12
CONFIGURATION: Any = {"hnsw": {"space": "cosine", "ef_search": 200}}
"""Of every collection; the distance cannot be changed later."""


class ChromaIndex:
    """One collection.

    Args:
        place: A folder, which no other process may have open, or the URL of a `chroma run` server.
        name: Of the collection.
        silent_s: Seconds for which a server may say nothing.

    Every method raises `IndexFailure` when Chroma fails.
    """

    def __init__(self, place: str, name: str, silent_s: float = SILENT_S) -> None:
        self._place, self._name, self._silent_s = place, name, silent_s
        self._client: Any = None
        self._collection: Any = None

    def upsert(self, keys: Sequence[Key], vectors: Matrix, /) -> None:
        """Hold these rows; those that are there are overwritten."""
        unique = {_id(key): n for n, key in enumerate(keys)}
        places = list(unique.values())
        ids = list(unique)
        with boundary(IndexFailure, "chroma"):
            for start in range(0, len(ids), _BATCH):
                part = places[start : start + _BATCH]
                self._open().upsert(
                    ids=ids[start : start + _BATCH],
                    embeddings=vectors[part],
                    metadatas=[{"scope": keys[n].scope} for n in part],
                )

    def delete(self, keys: Iterable[Key], /) -> None:
        """Hold these rows no longer; unknown ones do not matter."""
        ids = list({_id(key) for key in keys})
        with boundary(IndexFailure, "chroma"):
            for start in range(0, len(ids), _BATCH):
                self._open().delete(ids=ids[start : start + _BATCH])

    def search(self, scopes: Sequence[str], vector: Vector, k: int, /) -> list[Hit]:
        """At most `k` rows of these scopes, nearly the nearest, ties by (content, scope).

        A filter costs Chroma much, so it is used only where the nearest rows of all scopes hold
        too few of these.
        """
        marks = {_scope_mark(scope): scope for scope in scopes}
        if k < 1 or not marks:
            return []
        with boundary(IndexFailure, "chroma"):
            collection = self._open()
            found = _hits(collection.query(query_embeddings=[vector], n_results=k, include=_SCORES))
            hits = _within(found, marks)
            if len(hits) < k and len(found) == k:
                wanted: Any = {"scope": {"$in": list(marks.values())}}
                found = _hits(
                    collection.query(
                        query_embeddings=[vector], n_results=k, include=_SCORES, where=wanted
                    )
                )
                hits = _within(found, marks)
        return sorted(hits, key=lambda hit: (-hit.score, hit.content, hit.scope))

    def keys(self, scope: str) -> list[Key]:
        """The rows of a scope."""
        with boundary(IndexFailure, "chroma"):
            ids = self._open().get(where={"scope": scope}, include=[])["ids"]
        return [Key(scope, identity[_MARK + 1 :]) for identity in ids]

    def count(self) -> int:
        """How many rows it holds."""
        with boundary(IndexFailure, "chroma"):
            return int(self._open().count())

    def check(self, rows: int, samples: int = 16) -> str:
        """What is wrong with it, in words; empty when it holds `rows` rows and finds them again."""
        with boundary(IndexFailure, "chroma"):
            collection = self._open()
            count = collection.count()
            if count < rows:
                return f"it holds {count} rows instead of {rows}"
            step = max(1, count // samples)
            for offset in range(0, count, step):
                one = collection.get(limit=1, offset=offset, include=["embeddings"])
                if not one["ids"]:
                    continue
                near = collection.query(
                    query_embeddings=one["embeddings"], n_results=min(10, count), include=_SCORES
                )
                # Equal texts have equal vectors: it is the distance that must be nothing.
                if not near["ids"][0] or near["distances"][0][0] > 1e-3:
                    return f"it does not find its row {one['ids'][0]}"
        return ""

    def reset(self) -> None:
        """Hold nothing: the collection is deleted and made again."""
        with boundary(IndexFailure, "chroma"):
            self._open()
            self._client.delete_collection(self._name)
            self._collection = None
            self._open()

    def names(self) -> list[str]:
        """The collections beside it, itself too where it is there."""
        with boundary(IndexFailure, "chroma"):
            return [found.name for found in self._connected().list_collections()]

    def drop(self) -> None:
        """Delete the collection, if it is there, and close."""
        with boundary(IndexFailure, "chroma"):
            if self._name in self.names():
                self._connected().delete_collection(self._name)
        self.close()

    def close(self) -> None:
        """Let go of the folder or the connection; a second call does nothing."""
        client, self._client, self._collection = self._client, None, None
        if client is not None:
            with boundary(IndexFailure, "chroma"):
                sessions = _sessions(client)
                client.close()
                for session in sessions:
                    session.close()

    def _open(self) -> Any:
        if self._collection is None:
            self._collection = self._connected().get_or_create_collection(
                self._name,
                embedding_function=None,
                configuration=CONFIGURATION,
            )
        return self._collection

    def _connected(self) -> Any:
        if self._client is None:
            import chromadb
            from chromadb.config import Settings

            settings = Settings(anonymized_telemetry=False)
            if is_url(self._place):
                self._client = _served(self._place, settings, self._silent_s)
            else:
                self._client = chromadb.PersistentClient(self._place, settings=settings)
        return self._client


_SCORES: Any = ["distances"]


def _served(url: str, settings: Any, silent_s: float) -> Any:
    """A client of a server that does not wait for ever, as Chroma's own does from its start."""
    from chromadb.api.client import Client

    with ExitStack() as opened:

        class Impatient(Client):
            """Bounds each of its connections before the first request that is made on it."""

            def get_user_identity(self) -> Any:
                """The first request of a client."""
                self._bound()
                return super().get_user_identity()

            def _validate_tenant_database(self, tenant: str, database: str) -> None:
                self._bound()
                super()._validate_tenant_database(tenant, database)

            def _bound(self) -> None:
                for session in _sessions(self):
                    session.timeout = silent_s
                    opened.callback(session.close)

        parts = urlsplit(url)
        ssl = parts.scheme == "https"
        settings.chroma_api_impl = "chromadb.api.fastapi.FastAPI"
        settings.chroma_server_host = parts.hostname or "localhost"
        settings.chroma_server_ssl_enabled = ssl
        settings.chroma_server_http_port = parts.port or (443 if ssl else 8000)
        client = Impatient(settings=settings)
        # One that cannot be made leaves its connections to nobody.
        opened.pop_all()
        return client


def _sessions(client: Any) -> list[Any]:
    """The connections of a server's client, which its own `close` leaves open."""
    owners = (client, getattr(client, "_admin_client", None))
    found = (getattr(getattr(owner, "_server", None), "_session", None) for owner in owners)
    return [session for session in found if session is not None]


def is_url(place: str) -> bool:
    """Whether an index's place is a server."""
    return place.startswith(("http://", "https://"))


def _scope_mark(scope: str) -> str:
    return hashlib.sha256(scope.encode("utf-8", "replace")).hexdigest()[:_MARK]


def _id(key: Key) -> str:
    return f"{_scope_mark(key.scope)}-{key.content}"


def _hits(answer: Any) -> list[tuple[str, float]]:
    ids, distances = answer["ids"][0], answer["distances"][0]
    return [(identity, 1.0 - float(far)) for identity, far in zip(ids, distances, strict=True)]


def _within(found: Iterable[tuple[str, float]], marks: dict[str, str]) -> list[Hit]:
    return [
        Hit(marks[identity[:_MARK]], identity[_MARK + 1 :], score)
        for identity, score in found
        if identity[:_MARK] in marks
    ]

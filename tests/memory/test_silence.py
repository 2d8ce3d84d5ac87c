"""A Chroma server that accepts and says no more: nobody waits for it for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.memory.following import ask, commit, far, new_store, recaller
from tests.memory.silence import silent_server
from verbalrl.errors import IndexFailure
from verbalrl.memory import Recaller
from verbalrl.memory.chroma import SILENT_S, ChromaIndex
from verbalrl.memory.index import Key
from verbalrl.memory.probe import PROBE_S
from verbalrl.store import Store

IDENTITY = '{"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]}'
TENANT = '{"name": "default_tenant"}'
DATABASE = (
    '{"id": "00000000-0000-0000-0000-000000000000", "name": "default_database",'
    ' "tenant": "default_tenant"}'
)
ANSWERS = {
    "/auth/identity": IDENTITY,
    "/tenants/default_tenant": TENANT,
    "/databases/default_database": DATABASE,
}
"""What a client asks before its first request of ours."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store") as made:
        commit(made, *(f"topic{n}" for n in range(10)))
        yield made


@pytest.mark.parametrize("answered", range(4))
def test_a_server_that_falls_silent_has_failed(answered: int) -> None:
    rows = np.ones((1, 4), dtype=np.float32)
    with silent_server(dict(list(ANSWERS.items())[:answered])) as server:
        index = ChromaIndex(server.url, "vr-x", silent_s=0.2)
        with pytest.raises(IndexFailure, match=r"timed out|Could not connect to tenant"):
            index.upsert([Key("s", "c")], rows)
        assert len(server.asked) == answered + 1
        index.close()
        for _ in server.connections:
            assert server.ended.acquire(timeout=20), "it leaves no connection open"


def test_who_searches_through_a_silent_server_gets_the_scan(store: Store) -> None:
    exact = Recaller(store)
    with silent_server() as server:
        made = recaller(store, server.url)
        far(made).silent_s = 0.2
        assert ask(made, store, "topic7") == ask(exact, store, "topic7")
        assert far(made).wait(60)
        assert "timed out" in far(made).reason
        made.close()
    assert SILENT_S < PROBE_S

"""A run that begins looks for no rows of its own work; one that is resumed does."""

from __future__ import annotations

from tests.loop.test_discarded import Asks, learner
from tests.loop.world import safes
from verbalrl.store import Store

TASK = safes("green", "red", max_steps=2)


def looks(statements: list[str]) -> int:
    return sum("FROM episodes WHERE id = " in sql for sql in statements)


def test_only_a_resumed_run_looks_for_what_was_done_before(store: Store) -> None:
    statements: list[str] = []
    store._reader.set_trace_callback(statements.append)
    first = learner(store, Asks("Which one?")).run_sync(TASK, arms=("learned",))
    assert any("FROM episodes WHERE run = " in sql for sql in statements)
    assert looks(statements) == 0
    (record,) = store.runs()
    again = learner(store, Asks("Which one?")).resume_sync(record.id, TASK)
    store._reader.set_trace_callback(None)
    assert looks(statements) == 2
    assert again.figures["arms"] == first.figures["arms"]

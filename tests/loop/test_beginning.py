"""A run that begins looks for no rows of its own work; one that is resumed does."""

from __future__ import annotations

import re
from collections import Counter

from tests.loop.test_discarded import Asks
from tests.loop.world import safes
from verbalrl import Learner
from verbalrl.methods import reflexion
from verbalrl.store import Store

TASK = safes("green", "red", max_steps=2)


LOOKS = re.compile(r"FROM (episodes|critiques|commits) WHERE id = |max\(generation\) FROM (calls)")


def learner(store: Store) -> Learner:
    agent, method = Asks("Which one?"), reflexion(trials=2)
    return Learner(agent, method=method, critic=lambda _: "Look at the lamp first.", store=store)


def looks(statements: list[str]) -> Counter[str]:
    """How often each table was asked for a row of a piece of work."""
    found = (LOOKS.search(sql) for sql in statements)
    return Counter(match[1] or match[2] for match in found if match)


def test_only_a_resumed_run_looks_for_what_was_done_before(store: Store) -> None:
    statements: list[str] = []
    store._reader.set_trace_callback(statements.append)
    first = learner(store).run_sync(TASK, arms=("learned",))
    assert any("FROM episodes WHERE run = " in sql for sql in statements)
    assert looks(statements) == Counter()
    (record,) = store.runs()
    again = learner(store).resume_sync(record.id, TASK)
    store._reader.set_trace_callback(None)
    assert looks(statements) == Counter(episodes=3, critiques=1, commits=1, calls=2)
    assert again.figures["arms"] == first.figures["arms"]

"""What is handed on is on the disk: SIGKILL alone cannot tell, so the settings are read back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tests.loop.world import pressing, run, safes
from verbalrl import ChatAgent, ScriptedModel
from verbalrl.methods import reflexion
from verbalrl.models import Request
from verbalrl.records import Situation
from verbalrl.store import Store

FULL = 2
TASK = safes("green", "red", max_steps=1)


def test_the_writer_is_fully_synchronous_while_a_run_writes(store: Store) -> None:
    found: list[tuple[Any, ...]] = []

    def pragmas(connection: sqlite3.Connection) -> tuple[Any, ...]:
        asked = ("synchronous", "journal_mode", "foreign_keys")
        return tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked)

    def act(_: Situation) -> str:
        found.append(store._writer.do(pragmas))
        return "green"

    agent = pressing()
    agent.policy = act
    run(store, agent, reflexion(trials=2), TASK)
    assert found == [(FULL, "wal", 1)] * 3


def test_a_reply_is_durable_before_anybody_has_it(store: Store) -> None:
    """Another connection, as after a crash, sees the call when the next one is made."""
    asked: list[str] = []
    missing: list[str] = []

    def act(request: Request) -> dict[str, Any]:
        with closing(sqlite3.connect(store.path / "verbalrl.db")) as connection:
            kept = {key for (key,) in connection.execute("SELECT key FROM calls")}
        missing.extend(key for key in asked if key not in kept)
        asked.append(request.call_key)
        return {"thought": "", "action": "blue", "lessons_used": []}

    task = safes("green", max_steps=4)
    run(store, ChatAgent(ScriptedModel(act)), reflexion(trials=2), task)
    assert (len(asked), missing) == (8, [])


def test_an_episode_is_durable_before_its_critic_reads_it(store: Store) -> None:
    seen: list[bool] = []

    def critic(tried: Any) -> str:
        with closing(sqlite3.connect(store.path / "verbalrl.db")) as connection:
            ids = {name for (name,) in connection.execute("SELECT id FROM episodes")}
        seen.append(tried[-1].id in ids)
        return f"After trial {tried[-1].trial} press another one then."

    run(store, pressing("blue"), reflexion(trials=3), TASK, critic=critic)
    assert seen == [True] * 4

"""The apprentice is a pure function of its request and knows no task."""

import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.apprentice import honesty, toys
from tests.apprentice.harness import Loop, run_instances, run_shared
from verbalrl.models.apprentice import STOP_WORDS, VALENCE_WORDS, answer

CUES = (
    *(*toys.MOVES, *toys.QUEUES, *toys.COLOURS, *toys.SHAPES, *toys.MAKERS, *toys.WHO),
    *(*toys.PLACES, *toys.TIMES, *toys.TOPICS, "enterprise free team plan account"),
)
KINDS = (
    "maze grid field pit pits hole cliff column exit ticket tickets customer billing queue refund"
    " password invoice kiln bowl knot quiz riddle parcel depot stock price"
)


@cache
def recorded() -> tuple[tuple[Any, ...], ...]:
    """Requests of all three roles with their replies."""
    loop = Loop(record=True)
    run_shared(loop, toys.tickets(0), 0)
    run_instances(loop, toys.fields(0, count=6), 0, learn=True)
    run_instances(loop, toys.riddles(0, count=3), 0, learn=True)
    return tuple(loop.recorded)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_bare_process_gives_the_same_bytes(tmp_path: Path, hash_seed: str) -> None:
    requests = [(messages, schema, seed, 0) for messages, schema, seed, _ in recorded()]
    replies = honesty.replayed(requests, tmp_path, hash_seed)
    assert replies == [honesty.reply_hash(reply) for *_, reply in recorded()]


def test_it_imports_the_standard_library_only() -> None:
    assert honesty.imported() <= set(sys.stdlib_module_names)
    assert not honesty.imported() & {"random", "time", "datetime", "os", "socket", "pathlib"}


def test_the_published_list_is_short_and_apart() -> None:
    assert len(VALENCE_WORDS) <= 60
    assert not VALENCE_WORDS & STOP_WORDS
    assert not VALENCE_WORDS & {"left", "right", "up", "down", "open", "close", "yes"}


def test_no_literal_and_no_prose_names_a_task() -> None:
    named = {word for name in (*CUES, KINDS) for word in name.lower().split()}
    named -= {"to"}
    literals = {word for words in honesty.literal_words().values() for word in words}
    assert not literals & named
    assert not honesty.prose_words() & named


def test_calls_are_quick() -> None:
    spent: dict[str, list[float]] = {}
    for messages, schema, seed, _ in recorded():
        role = next((n for n in ("verdict", "operations") if n in schema["properties"]), "action")
        took = []
        # What a long session of tests leaves behind to be cleaned up meets one of them at most.
        for _ in range(3):
            started = time.thread_time()
            answer(messages, schema, seed)
            took.append(time.thread_time() - started)
        spent.setdefault(role, []).append(min(took))
    assert sorted(spent["action"])[len(spent["action"]) // 2] < 0.001
    assert max(spent["operations"]) < 0.3

"""Through a whole run: no refusal becomes a lesson, nothing said again a second row."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.curators.test_nearness import RESTATED
from tests.loop.world import pressing, run, safes
from tests.test_worth import PLATITUDES, REFUSALS
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.records import Status
from verbalrl.store import Store

EMPTY = (*REFUSALS, *PLATITUDES)


def add(when: str, instruction: str) -> dict[str, Any]:
    return {"op": "add", "evidence": [1], "when": when, "instruction": instruction}


def rows(store: Store) -> list[tuple[str, str]]:
    """Branch and status of all lessons in the file, whatever became of them."""
    with closing(sqlite3.connect(Path(store.path) / "verbalrl.db")) as db:
        return db.execute("SELECT branch, status FROM lessons").fetchall()


@pytest.mark.parametrize("method", [handbook(trials=1), reflexion(trials=2)])
def test_no_refusal_of_a_critic_or_a_curator_is_stored(store: Store, method: Method) -> None:
    lessons = [{"step": 1, "when": "the lamp is lit", "instruction": text} for text in EMPTY]
    for proposed in (lessons, [*lessons, {**lessons[0], "instruction": "Press red first."}]):
        run(
            store,
            pressing("blue"),
            method,
            safes("red", test=["red"]),
            critic=lambda *_, said=proposed: {"verdict": "failure", "lessons": said},
            curator=lambda _: [add("the lamp is lit", text) for text in EMPTY],
        )
    found = {
        x.instruction for b in store.runs() for x in store.current_lessons(f"{b.id}/learned/0")
    }
    assert found == ({"Press red first."} if method.learns == "instance" else set())


def critic() -> Any:
    """Says something else each time: what a critic repeats is refused, and nothing is curated."""
    colours = itertools.count()
    return lambda _: f"Colour number {next(colours)} was wrong."


@pytest.mark.parametrize("case", range(len(RESTATED)))
def test_what_agents_were_told_is_stored_once(store: Store, case: int) -> None:
    # Without its exception, so that agents are told it whatever the lamp shows.
    (when, _, instruction), (again, said) = RESTATED[case]
    first = add(when or "the door", instruction)

    def curator(inputs: Any) -> list[dict[str, Any]]:
        return [add(again or when or "the door", said)] if inputs.lessons else [first]

    task, method = safes("red", test=["red"]), handbook(trials=3)
    result = run(store, pressing("blue"), method, task, critic=critic(), curator=curator)
    (kept,) = store.current_lessons(f"{result.run}/learned/0")
    assert (kept.instruction, kept.votes) == (instruction, {"support": 3})
    assert len(rows(store)) == 1


def test_a_thousand_copies_over_ten_rounds_are_one_row(store: Store) -> None:
    ends = ("", ".", "!", " ;", "?!")

    def curator(inputs: Any) -> list[dict[str, Any]]:
        copies = (("PRESS RED", "Press  red")[n % 2] + ends[n % 5] for n in range(100))
        seen = list(range(1, len(inputs.evidence) + 1))
        return [add("the lamp is lit", copy) | {"evidence": seen} for copy in copies]

    task, method = safes("red", test=["red"]), handbook(trials=10)
    result = run(store, pressing("blue"), method, task, critic=critic(), curator=curator)
    assert rows(store) == [(f"{result.run}/learned/0", Status.ACTIVE)]
    (kept,) = store.current_lessons(f"{result.run}/learned/0")
    assert kept.votes == {"support": 10}

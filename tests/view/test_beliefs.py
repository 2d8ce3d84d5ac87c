"""Beliefs changing over training episodes, in the report."""

import re
from dataclasses import replace
from pathlib import Path

from tests.tasks.test_prices import plain, written
from tests.view.test_report import tables
from tests.view.test_trading_report import traded
from verbalrl.records import (
    Decision,
    LessonBody,
    LessonKind,
    MemoryUpdate,
    OpenRound,
    Operation,
    Overlap,
    RoundRecord,
)
from verbalrl.result.beliefs import BeliefRound
from verbalrl.store import Line, open_store
from verbalrl.view.beliefs import edits, overlaps
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run

SCOPE = "trading-v1"


def line(n: int, revision: int, op: Operation, lesson: str, *parents: str) -> Line:
    body = None
    if op in (Operation.ADD, Operation.REVISE, Operation.MERGE):
        kind = LessonKind.BEHAVIOR if lesson == "skill" else LessonKind.BELIEF
        body = LessonBody(kind=kind, instruction=f"{lesson} {n}")
    update = MemoryUpdate(op=op, lesson=lesson, body=body, parents=parents)
    return Line(n, f"c{revision}", "b", SCOPE, revision, 0, update, "")


def pinned(number: int, revision: int, *, evaluate: bool = False) -> RoundRecord:
    opened = OpenRound(instances=("i",), trial=number, evaluate=evaluate)
    return RoundRecord(branch="b", number=number, opened=opened, pinned={SCOPE: revision})


def test_changes_belong_to_the_round_before_them() -> None:
    lines = [
        line(1, 1, Operation.ADD, "a"),
        line(2, 1, Operation.ADD, "b"),
        line(3, 1, Operation.ADD, "skill"),
        line(4, 2, Operation.REVISE, "a"),
        line(5, 2, Operation.SUPPORT, "b"),
        line(6, 2, Operation.MERGE, "c", "a", "b"),
        line(7, 3, Operation.RETIRE, "c"),
    ]
    rounds = [pinned(1, 0), pinned(2, 0), pinned(3, 1), pinned(4, 2), pinned(5, 3, evaluate=True)]
    found = edits(lines, rounds, {2: 0.25})
    assert {n: dict(c) for n, c in found.counts.items()} == {
        1: {}, 2: {"added": 2}, 3: {"revised": 2}, 4: {"retired": 1},
    }  # fmt: skip
    assert found.held == {1: 0, 2: 2, 3: 1, 4: 0}
    assert found.overlap == {2: 0.25}


def test_the_overlap_is_that_of_the_later_episode_s_round() -> None:
    def compared(after: str, same: int, steps: int) -> Decision:
        agreed = Overlap(same=same, aligned=steps, steps=steps)
        pair = ("e1", after)
        return Decision(id=after, branch="b", kind="compare", episodes=pair, overlap=agreed)

    # Of one instance 35 of 49 in the second round; of two 40 of 49 and 10 of 51 in the third.
    decisions = [
        compared("e2", 35, 49), compared("e3", 40, 49), compared("f3", 10, 51),
        compared("e4", 0, 0), Decision(id="x", branch="b", kind="freeze"),
    ]  # fmt: skip
    found = overlaps(decisions, {"e2": 2, "e3": 3, "f3": 3, "e4": 4})
    assert found == {2: 35 / 49, 3: 0.5}


def test_the_report_draws_them_with_their_data(tmp_path: Path) -> None:
    written(tmp_path / "AAPL.csv", plain())
    run = traded(tmp_path / "store", "buy")
    with open_store(tmp_path / "store") as store:
        rows = read_run(store, run)
    assert rows.beliefs == ()
    assert "Beliefs by training episode" not in report_html(rows)
    told = (
        BeliefRound(number=1, added=0, revised=0, retired=0, held=0),
        BeliefRound(number=2, added=3, revised=0, retired=0, held=3, overlap=35 / 49),
        BeliefRound(number=3, added=1, revised=1.5, retired=1, held=3, overlap=0.9),
    )
    for found in (told, tuple(replace(one, overlap=None) for one in told)):
        html = report_html(replace(rows, beliefs=found))
        assert "Beliefs by training episode" in html
        assert not re.search(r"\sstyle=", html)
        table = next(of for name, of in tables(html).items() if name.startswith("What each"))
        assert table["3"][:4] == ["1", "1.5", "1", "3"]
    assert table["2"][4] == "–"

"""A report tells a run as it was, whatever a person does with its lessons afterwards."""

import asyncio
from pathlib import Path

from tests.cli import filled
from verbalrl.memory.editing import edit
from verbalrl.memory.review import review
from verbalrl.store import open_store
from verbalrl.view.compare import read_side
from verbalrl.view.report import report_html
from verbalrl.view.rows import read_run


def test_the_report_keeps_the_words_of_the_run_and_marks_an_edit(folder: Path) -> None:
    with open_store(folder) as store:
        lesson = store.current_lessons(filled.BRANCH, scope=filled.SCOPE)[0]
        asyncio.run(edit(store, lesson.id, {"instruction": "sit down"}))
        asyncio.run(edit(store, lesson.id, {"instruction": "wait a day"}))
        rows = read_run(store, filled.RUN)
    view = next(x for x in rows.lessons[filled.BRANCH] if x.id == lesson.id)
    assert (view.text, view.version) == ("When at a wall: turn right", 1)
    assert view.edited == "When at a wall: wait a day"
    html = report_html(rows)
    assert html.count("Edited by a person since the run") == 1
    assert "it says now: When at a wall: wait a day" in html


def test_a_comparison_has_the_words_that_the_run_ended_with(folder: Path) -> None:
    with open_store(folder) as store:
        before = read_side(store, filled.RUN).texts
        first, *_ = store.current_lessons(filled.BRANCH, scope=filled.SCOPE)
        asyncio.run(edit(store, first.id, {"instruction": "sit down"}))
        assert read_side(store, filled.RUN).texts == before
        asyncio.run(review(store, [first.id], "retire"))
        assert read_side(store, filled.RUN).texts == before
    assert "When at a wall: turn right" in before

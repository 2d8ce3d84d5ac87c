"""A lesson with eight words in a row of the test split, and of it alone, is reported."""

from __future__ import annotations

import asyncio

import pytest

from tests.loop.test_guidance import curator
from tests.loop.world import Safe, pressing, run, safes
from verbalrl.execution.leaks import leaks
from verbalrl.methods import handbook, reflexion
from verbalrl.records import Observation
from verbalrl.result import RunResult
from verbalrl.store import Store

EIGHT = "one two three four five six seven eight"


@pytest.mark.parametrize(
    ("lesson", "train", "test", "found"),
    [
        (EIGHT, "", EIGHT, True),
        (f"Before that, {EIGHT.upper()}!", "", f"zero {EIGHT}, nine", True),
        ("one, two: three\nfour five six seven; eight", "", EIGHT, True),
        (EIGHT, f"so {EIGHT} it is", EIGHT, False),  # the train split says so too
        (EIGHT, "", EIGHT.replace("five", "5"), False),
        (EIGHT.removesuffix(" eight"), "", EIGHT, False),  # seven words
        ("", "", EIGHT, False),
    ],
)
def test_eight_words_in_a_row_leak(lesson: str, train: str, test: str, found: bool) -> None:
    assert leaks({"le_1": lesson, "le_2": "not this"}, [train], ["", test]) == (
        ("le_1",) if found else ()
    )


def test_train_is_read_only_where_test_holds_anything() -> None:
    def train() -> list[str]:
        raise AssertionError("nobody needs it")

    assert leaks({"le_1": EIGHT}, (text for _ in "x" for text in train()), ["nothing"]) == ()


NOTICE = "the brass plate below the lamp says number"


class Labelled(Safe):
    """A safe that shows which code it has, in a sentence."""

    def _seen(self) -> Observation:
        seen = super()._seen()
        text = f"{seen.text} Below it {NOTICE} {self.code[0]}."
        return seen.model_copy(update={"text": text})


def shared(store: Store, instruction: str, **settings: object) -> RunResult:
    task = safes("blue", "blue", test=["green"], make=Labelled, max_steps=1)
    lesson = curator(("the lamp is lit", "", instruction))
    return run(store, pressing("red"), handbook(trials=1), task, curator=lesson, **settings)


def test_a_run_reports_the_lessons_that_leak(store: Store) -> None:
    leaking = shared(store, "Once the brass plate below the lamp says number green, press it.")
    (lesson,) = store.current_lessons(f"{leaking.run}/learned/0")
    assert leaking.figures["leaks"] == {"count": 1, "ids": [lesson.id]}
    assert lesson.id in leaking.table()
    # It was shown all the same: what a test prompt holds must not depend on test texts.
    (played,) = (e for e in store.episodes(run=leaking.run) if e.spec.split == "test")
    assert "number green" in played.guidance["actor"].text
    # The words that train instances show are no leak.
    clean = shared(store, f"Once {NOTICE} blue, press it.")
    assert clean.figures["leaks"] == {"count": 0, "ids": []}


def test_what_inherited_lessons_rest_on_counts_as_train(store: Store) -> None:
    first = shared(store, f"Once {NOTICE} blue, press it.")
    asyncio.run(store.publish(f"{first.run}/learned/0", approve=True))
    task = safes("red", test=["blue"], make=Labelled, max_steps=1)
    second = run(store, pressing("red"), handbook(trials=1), task, start="main", learn=False)
    assert second.figures["leaks"] == {"count": 0, "ids": []}


def test_without_a_test_split_nothing_can_leak(store: Store) -> None:
    result = run(store, pressing("red"), reflexion(trials=1), safes("blue"))
    assert result.figures["leaks"] is None

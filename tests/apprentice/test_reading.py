"""How a lesson is taken apart: forms of wording, conditions, directions."""

import pytest

from verbalrl.models.apprentice.reading import (
    Situation,
    best_match,
    directions,
    read_condition,
    read_lesson,
    split_lesson,
)
from verbalrl.models.apprentice.text import Weights

ACTIONS = ("turn valve", "turn wheel", "stop", "send to hall, then lock")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("When the lamp is red: choose stop", ("the lamp is red", "", "choose stop")),
        ("When it is 10:30 now: choose stop", ("it is 10:30 now", "", "choose stop")),
        ("If the lamp is red, then choose stop", ("the lamp is red", "", "choose stop")),
        ("If the lamp is red choose stop", ("the lamp is red", "", "choose stop")),
        ("When red (not when cold): choose stop", ("red", "cold", "choose stop")),
        ("When red unless it is cold: choose stop", ("red", "it is cold", "choose stop")),
        ("Except when it is cold: choose stop", ("", "it is cold", "choose stop")),
        ("choose stop when the lamp is red", ("the lamp is red", "", "choose stop")),
        ("choose stop", ("", "", "choose stop")),
    ],
)
def test_a_lesson_is_split_whatever_its_wording(line: str, parts: tuple[str, str, str]) -> None:
    assert split_lesson(line) == parts


@pytest.mark.parametrize(
    ("instruction", "found"),
    [
        ("choose turn valve", {"turn valve": 1}),
        ("do not choose turn valve", {"turn valve": -1}),
        ("do not choose turn valve, turn wheel or stop",
         {"turn valve": -1, "turn wheel": -1, "stop": -1}),
        ("choose the wheel, not the valve", {"turn wheel": 1, "turn valve": -1}),
        ("choose stop instead of turn wheel", {"stop": 1, "turn wheel": -1}),
        ("choose stop", {"stop": 1}),
        ("never stop", {"stop": -1}),
        ("turn valve was wrong", {"turn valve": -1}),
        ("choose send to hall, then lock", {"send to hall, then lock": 1}),
        ("stay calm", {}),
    ],
)  # fmt: skip
def test_an_instruction_names_actions_for_and_against(
    instruction: str, found: dict[str, int]
) -> None:
    assert directions(instruction, ACTIONS) == found


def _share(condition: str, *situation: str) -> float:
    now = Situation(*situation)
    match = best_match(read_condition(condition), now, Weights([now.all]), threshold=0.0)
    return match.share if match else 0.0


def test_quoted_words_must_all_be_there() -> None:
    assert _share('the text mentions "red lamp" and "door"', "A red lamp. The door.") == 1.0
    assert _share('the text mentions "red lamp" and "door"', "A red lamp. The wall.") == 0.0
    assert _share('the text mentions "door" or "wall"', "A red lamp. The wall.") == 1.0


def test_numbers_of_a_clause_must_stand_together() -> None:
    assert _share("you are at row 4, column 1", "You are at row 4, column 1.") == 1.0
    assert _share("you are at row 4, column 1", "You are at row 1, column 4.") == 0.0


def test_numbers_are_not_gathered_from_two_texts() -> None:
    assert _share("row 4 column 1", "You are at row 4.", "Go to column 1.") == 0.0


def test_a_condition_without_punctuation_still_matches() -> None:
    assert (
        _share("the box 4 is full the jar 2 is open", "The box 4 is full. The jar 2 is open.")
        == 1.0
    )


def test_a_lesson_without_text_has_no_direction() -> None:
    lesson = read_lesson(1, "When : ")
    assert directions(lesson.instruction, ACTIONS) == {}

"""Files of games that are none: one line each, whether or not the library is installed."""

from pathlib import Path

import pytest

from verbalrl.errors import DataError
from verbalrl.integrations.textworld import KINDS, GameWorld


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no game of alfworld: Expecting property name"),
        (b"\xff\xfe", "is no game of alfworld: 'utf-8' codec"),
        (b"[1]", "expected an object with a grammar text"),
        (b'{"grammar": 3}', "expected an object with a grammar text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_broken_game_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    game = tmp_path / "game.tw-pddl"
    if content is not None:
        game.write_bytes(content)
    world = GameWorld(KINDS["alfworld"], [("one", game)], listed=False)
    with pytest.raises(DataError, match=said) as caught:
        world.problem("train", 0)
    assert str(caught.value).startswith(str(game))
    assert "\n" not in str(caught.value)


def test_the_goal_of_a_game_is_what_its_grammar_says(tmp_path: Path) -> None:
    game = tmp_path / "game.tw-pddl"
    game.write_text('{"grammar": "x Your task is to: put an egg in the sink."}', "utf-8")
    world = GameWorld(KINDS["alfworld"], [("one", game)], listed=False)
    assert world.problem("train", 0).goal == "Your task is to: put an egg in the sink."

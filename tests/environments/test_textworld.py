"""TextWorld and ALFWorld as they are installed; their wheels are built from sources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.environments.playing import say
from verbalrl.errors import DataError, UnknownNameError
from verbalrl.integrations import load_task
from verbalrl.integrations.textworld import moved, readable
from verbalrl.records import Origin
from verbalrl.tasks import check_task, play, random_policy

pytest.importorskip("textworld", reason="textworld is not installed")


@pytest.fixture(scope="session")
def games(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three games that TextWorld's own maker writes."""
    folder = tmp_path_factory.mktemp("games")
    maker = Path(sys.executable).with_name("tw-make")
    for kind, more in (
        ("tw-coin_collector", ["--level", "3"]),
        ("tw-coin_collector", ["--level", "6"]),
        ("custom", ["--world-size", "2", "--nb-objects", "3", "--quest-length", "2"]),
    ):
        place = folder / f"{kind}-{more[1]}.z8"
        command = [maker, kind, *more, "--seed", "3", "--output", place, "-f"]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_three_games_are_played_alike(games: Path) -> None:
    task = load_task(f"textworld:{games}")
    assert (task.size("train"), task.size("test")) == (2, 1)
    assert task.observations is Origin.TASK
    assert task.notes == ("success is a game that is won, whatever its score",)
    assert load_task(task.ref).sha == task.sha
    for instance in (*task.instances("train"), *task.instances("test")):
        for trial in range(5):
            walk = say("go north", "go east", "look", "take coin", "quit")
            one, two = (play(task, instance, walk, trial) for _ in range(2))
            assert one == two
            assert one.ended or len(one.steps) == task.max_steps
        won = play(task, instance, task.oracle(instance) or say(""))
        assert (won.success, won.ended) == (True, True)
        assert sum(result.reward or 0 for result in won.results) == 1


@pytest.mark.slow
def test_contract_and_what_is_shown(games: Path) -> None:
    task = load_task(f"textworld:{games}/custom-2.z8?max_steps=8")
    check_task(task)
    instance = task.instances("train", 0, 1)[0]
    played = play(task, instance, say("look", "restart", "dance"))
    assert (played.success, played.ended, len(played.steps)) == (False, False, 8)
    texts = [step.observation.text for step in played.steps]
    assert not any("$$" in text or "\n>" in text for text in texts)
    assert played.steps[0].observation.actions is None
    assert played.steps[1].feedback == "The game knows no such command."
    listed = load_task(f"textworld:{games}/custom-2.z8?admissible=true")
    shown = play(listed, listed.instances("train", 0, 1)[0], say("look")).steps[0].observation
    assert shown.actions is not None
    assert "look" in shown.actions


def test_what_cannot_work_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.z8").write_bytes(b"no game")
    for ref, kind, said in (
        ("nowhere.z8", DataError, "no such file"),
        (str(tmp_path / "sub"), DataError, "no such file"),
        (__file__, DataError, "a game of textworld ends in"),
        (f"{tmp_path}?listed=true", UnknownNameError, "unknown option"),
        (str(tmp_path / "broken.z8"), DataError, "no whole .z8 story file"),
    ):
        with pytest.raises(kind, match=said) as caught:
            load_task(f"textworld:{ref}")
        assert "\n" not in str(caught.value)
    (tmp_path / "broken.z8").unlink()
    with pytest.raises(DataError, match="no game of textworld"):
        load_task(f"textworld:{tmp_path}")


def test_both_dialects_of_putting() -> None:
    assert moved("put apple 1 in/on fridge 1") == "move apple 1 to fridge 1"
    assert moved("put apple 1 on table 2") == "move apple 1 to table 2"
    assert moved("go to fridge 1") == "go to fridge 1"


def test_banner_prompt_and_status_are_cut() -> None:
    said = "\n\n   __  __\n  | $$ \\ $$|\n\nWelcome!\n\n\n-= Den =-\nA den.\n\n>    -= Den =-0/3"
    assert readable(said) == "Welcome!\n-= Den =-\nA den."
    assert readable("\n>  ") == "Nothing happens."


PROBLEM = """(define (problem own) (:domain alfred)
(:objects agent1 - agent
  HERE THERE - location
  CounterTop_bar_1 Fridge_bar_1 - receptacle
  Apple_bar_1 - object
  CounterTopType FridgeType - rtype
  AppleType - otype)
(:init (= (total-cost) 0)
  (= (distance HERE THERE) 1) (= (distance THERE HERE) 1)
  (= (distance HERE HERE) 0) (= (distance THERE THERE) 0)
  (atLocation agent1 HERE)
  (receptacleAtLocation CounterTop_bar_1 HERE) (receptacleAtLocation Fridge_bar_1 THERE)
  (receptacleType CounterTop_bar_1 CounterTopType) (receptacleType Fridge_bar_1 FridgeType)
  (openable Fridge_bar_1)
  (objectType Apple_bar_1 AppleType) (objectAtLocation Apple_bar_1 HERE)
  (inReceptacle Apple_bar_1 CounterTop_bar_1) (pickupable Apple_bar_1) (coolable Apple_bar_1)
  (canContain CounterTopType AppleType) (canContain FridgeType AppleType))
(:goal (exists (?r - receptacle) (exists (?o - object)
  (and (receptacleType ?r FridgeType) (objectType ?o AppleType) (inReceptacle ?o ?r)))))
)"""


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """Three small games in the layout of ALFWorld's own."""
    alfworld: Any = pytest.importorskip("alfworld", reason="alfworld is not installed")
    data = Path(alfworld.__file__).parent / "data"
    grammar = (data / "alfred.twl2").read_text("utf-8")
    for thing in ("Apple", "Egg", "Tomato"):
        game = {
            "pddl_domain": (data / "alfred.pddl").read_text("utf-8"),
            "grammar": grammar.replace("UNKNOWN GOAL", f"put an {thing.lower()} in the fridge"),
            "pddl_problem": PROBLEM.replace("Apple", thing),
            "solvable": True,
        }
        folder = tmp_path / thing
        folder.mkdir()
        (folder / "game.tw-pddl").write_text(json.dumps(game), "utf-8")
    return tmp_path


@pytest.mark.slow
def test_alfworld_is_won_in_both_dialects(homes: Path) -> None:
    task = load_task(f"alfworld:{homes / 'Apple' / 'game.tw-pddl'}")
    instance = task.instances("train", 0, 1)[0]
    assert instance.goal == "Your task is to: put an apple in the fridge."
    way = ["go to countertop 1", "take apple 1 from countertop 1", "go to fridge 1"]
    way.append("open fridge 1")
    for last in ("put apple 1 in/on fridge 1", "move apple 1 to fridge 1"):
        played = play(task, instance, say(*way, last))
        assert (played.success, played.ended, len(played.steps)) == (True, True, 5)
        assert [result.reward for result in played.results] == [0, 0, 0, 0, 1]
        assert [result.feedback for result in played.results] == ["", "", "", "", "You won."]


@pytest.mark.slow
def test_three_homes_are_played_alike(homes: Path) -> None:
    check_task(load_task(f"alfworld:{homes / 'Egg'}?max_steps=6&admissible=true"))
    task = load_task(f"alfworld:{homes}?max_steps=6&admissible=true")
    instances = (*task.instances("train"), *task.instances("test"))
    assert len(instances) == 3
    for instance in instances:
        episodes = [play(task, instance, random_policy(5), trial) for trial in range(5)]
        assert all(episode == episodes[0] for episode in episodes)
        assert len(episodes[0].steps) == 6

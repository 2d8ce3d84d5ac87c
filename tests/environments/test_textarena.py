"""TextArena as it is installed."""

from __future__ import annotations

import random

import pytest

from tests.environments.playing import five_episodes, say
from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.integrations import load_task
from verbalrl.records import Action, Origin, Situation
from verbalrl.tasks import Policy, check_task, play

pytest.importorskip("textarena", reason="textarena is not installed")

GUESS = "textarena:GuessTheNumber-v0"
HANOI = "textarena:TowerOfHanoi-v0"
MOVES = ("A C", "A B", "[C B]", "A C", "B A", "B C", "A C")


def bisecting() -> Policy:
    """Halves the numbers that are left, from the hints of the game."""

    def act(situation: Situation) -> Action:
        low, high = 1, 20
        for step in situation.history:
            tried = int(step.action.text)
            low = max(low, tried + 1) if "higher" in step.feedback else low
            high = min(high, tried - 1) if "lower" in step.feedback else high
        return Action(text=str((low + high) // 2))

    return act


@pytest.mark.parametrize("ref", [GUESS, HANOI, "textarena:Mastermind-v0", "textarena:2048-v0"])
def test_contract(ref: str) -> None:
    task = load_task(ref)
    check_task(task)
    assert (task.id, task.ref, task.learns, task.notes) == (ref, ref, "instance", ())
    assert task.observations is Origin.TASK
    assert load_task(ref, untrusted=True).observations is Origin.UNTRUSTED


@pytest.mark.parametrize(
    ("ref", "policy"),
    [
        (GUESS, bisecting()),
        (HANOI, say("A B", "B C", "C A", "A C")),
        ("textarena:Mastermind-v0", say("1 2 3 4", "3 4 5 6", "2 1 4 3")),
        ("textarena:2048-v0", say("left", "down", "right", "up")),
        ("textarena:FrozenLake-v0", say("down", "right")),
        ("textarena:Bandit-v0", say("red", "blue", "green")),
    ],
)
def test_five_episodes(ref: str, policy: Policy) -> None:
    five_episodes(ref, policy)


def test_a_solved_game_is_a_success() -> None:
    task = load_task(HANOI)
    instance = task.instances("train", 0, 1)[0]
    assert "disks" in instance.goal
    played = play(task, instance, say(*MOVES))
    assert (played.success, played.results[-1].reward, len(played.steps)) == (True, 1.0, 7)
    assert "solved" in played.results[-1].feedback
    boards = [step.observation.text for step in played.steps]
    assert len(set(boards)) == 7
    assert all("Tower of Hanoi" not in board for board in boards)
    guessing = load_task(GUESS)
    for dealt in guessing.instances("train", 0, 5):
        assert play(guessing, dealt, bisecting()).success


def test_part_of_a_game_is_no_success() -> None:
    task = load_task(GUESS)
    instance = task.instances("train", 0, 1)[0]
    refused = play(task, instance, say("no number"))
    assert (refused.success, len(refused.steps)) == (False, 2)
    assert "Invalid Move" in refused.results[-1].feedback
    low = load_task(f"{GUESS}?success=reward>=0")
    ended = play(low, instance, say("1"))
    assert ended.success is not None
    assert play(low, instance, say("no number")).success is False


def test_success_is_unknown_where_nothing_declares_it() -> None:
    task = load_task("textarena:Blackjack-v0")
    assert "unknown" in task.notes[0]
    instance = task.instances("train", 0, 1)[0]
    assert play(task, instance, say("stand")).success is None
    declared = load_task("textarena:Blackjack-v0?success=reward>=0.5")
    assert declared.notes == ()
    assert play(declared, instance, say("stand")).success in (True, False)


def test_chance_after_the_deal_follows_the_trial() -> None:
    task = load_task("textarena:2048-v0")
    instance = task.instances("train", 0, 1)[0]
    runs = [play(task, instance, say("left", "down"), seed).steps for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0][0].observation == runs[2][0].observation
    assert runs[0][-1].observation != runs[2][-1].observation


def test_two_games_at_once_do_not_disturb_each_other_or_us() -> None:
    task = load_task("textarena:2048-v0")
    one, two = task.instances("train", 0, 2)
    alone = [r.observation for r in play(task, one, say("left", "down"), 4).results[:6]]
    random.seed(9)
    expected = random.random()
    random.seed(9)
    first, second = task.environment(one), task.environment(two)
    first.reset(4)
    second.reset(5)
    mixed = []
    for number in range(6):
        mixed.append(first.step(Action(text=("left", "down")[number % 2])).observation)
        second.step(Action(text="up"))
    assert mixed == alone
    assert random.random() == expected


@pytest.mark.parametrize(
    ("ref", "kind", "said"),
    [
        ("textarena:Mastermnd-v0", UnknownNameError, "did you mean: Mastermind-v0"),
        ("textarena:", UnknownNameError, "unknown TextArena game"),
        (f"{GUESS}?turns=4", UnknownNameError, "unknown option"),
        (f"{GUESS}?max_steps=0", ConfigurationError, "max_steps"),
        (f"{GUESS}?success=always", ConfigurationError, "not a rule"),
        ("textarena:TicTacToe-v0", ConfigurationError, "cannot be played here.*players"),
        ("textarena:TwentyQuestions-v0", ConfigurationError, "cannot be played here"),
    ],
)
def test_what_cannot_work_is_one_line(ref: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        load_task(ref)
    assert "\n" not in str(caught.value)

from pathlib import Path

import pytest

from verbalrl.errors import ConfigurationError, DataError
from verbalrl.records import Action
from verbalrl.tasks import load_task, play
from verbalrl.tasks.base import Policy
from verbalrl.tasks.twenty import Twenty
from verbalrl.tasks.wordle import GRAY, GREEN, YELLOW, Wordle, marks, solution


def script(*texts: str) -> Policy:
    """Says `texts` in turn, the last one for ever."""
    return lambda situation: Action(text=texts[min(len(situation.history), len(texts) - 1)])


@pytest.mark.parametrize(
    ("hidden", "guess", "told"),
    [
        ("abbey", "babes", "yygg-"),
        ("abbey", "kebab", "-ygyy"),
        ("apple", "paper", "yygy-"),
        ("crane", "eerie", "--y-g"),
        ("steel", "eerie", "yy---"),
        ("light", "light", "ggggg"),
        ("llama", "label", "gy--y"),
    ],
)
def test_duplicate_letters_are_marked_as_in_the_board_game(
    hidden: str, guess: str, told: str
) -> None:
    names = {"g": GREEN, "y": YELLOW, "-": GRAY}
    assert marks(hidden, guess) == tuple(names[mark] for mark in told)


def test_the_best_player_needs_at_most_five_turns_on_average_over_the_whole_list() -> None:
    world = load_task("wordle-v1").world
    assert isinstance(world, Wordle)
    assert len(world.words) == 200
    words = tuple(sorted(world.words))
    turns = [len(solution(word, words)) for word in words]
    assert sum(turns) / len(turns) == pytest.approx(2.68)
    assert max(turns) == 4


def test_the_return_of_a_game_of_wordle_is_one_less_than_its_turns() -> None:
    task = load_task("wordle-v1")
    for instance in task.instances("train", 0, 20):
        played = play(task, instance, task.oracle(instance) or script(""))
        assert sum(s.reward or 0 for s in played.steps) == -(len(played.steps) - 1)


def test_a_word_outside_the_list_spends_a_guess_and_six_lose() -> None:
    task = load_task("wordle-v1")
    instance = task.instances("train", 0, 1)[0]
    played = play(task, instance, script("zzzzz"))
    assert (len(played.steps), played.success, played.ended) == (6, False, True)
    assert "not in the list" in played.steps[0].feedback


def test_no_word_of_the_list_stands_in_a_feedback() -> None:
    world = load_task("wordle-v1").world
    assert isinstance(world, Wordle)
    said = "correct that is the hidden word success wrong not in list words and guess lost marked"
    said += " green yellow gray it was last game"
    assert not set(said.split()) & set(world.words)


def test_any_word_may_be_guessed_where_none_is_listed() -> None:
    task = load_task("wordle-v1?listed=0")
    instance = task.instances("train", 0, 1)[0]
    assert task.environment(instance).reset(0).actions is None
    assert play(task, instance, script(f"{instance.answers[0]}s")).success is False
    assert play(task, instance, script(instance.answers[0].upper())).success is True


def test_halving_finds_everything_in_few_turns() -> None:
    task = load_task("twenty-questions-v1")
    world = task.world
    assert isinstance(world, Twenty)
    for instance in task.instances("train", 0, 40):
        things = tuple(map(str, instance.data["things"]))  # type: ignore[arg-type]
        assert all(len(world.path(thing, things)) <= 5 for thing in things)


def test_answers_never_change_and_three_wrong_guesses_end_the_game() -> None:
    task = load_task("twenty-questions-v1")
    instance = task.instances("train", 0, 1)[0]
    question = "ask whether it can fly"
    told = {s.feedback for s in play(task, instance, script(question)).steps[:-1]}
    assert len(told) == 1
    wrong = [t for t in instance.data["things"] if t != instance.data["meant"]]  # type: ignore[union-attr]
    played = play(task, instance, script(*(f"guess {t}" for t in wrong)))
    assert (len(played.steps), played.success) == (3, False)


@pytest.mark.parametrize("ref", ["wordle-v1?listed=1", "twenty-questions-v1?things=500"])
def test_settings_that_cannot_work_fail_at_load(ref: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_task(ref)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("words =", "words.toml"),
        ("other = 1", "words.toml"),
        ("words = 'abc'", "at least 12 items"),
    ],
)
def test_broken_word_lists_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text(text)
    with pytest.raises((DataError, ValueError), match=said):
        Wordle.open(tmp_path, {}, 0)

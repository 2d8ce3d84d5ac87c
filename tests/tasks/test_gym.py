import sys
from typing import Any

import pytest

from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.integrations import load_gym, load_task
from verbalrl.records import Action, Origin, Situation
from verbalrl.tasks import Policy, check_task, play, random_policy

LAKE = "gym:FrozenLake-v1"
CLIFF = "gym:CliffWalking-v1"


def walk(*moves: str) -> Policy:
    def act(situation: Situation) -> Action:
        return Action(text=f"move {moves[(situation.step - 1) % len(moves)]}")

    return act


def played(ref: str, *moves: str) -> Any:
    task = load_task(ref)
    return play(task, task.instances("train", 0, 1)[0], walk(*moves))


@pytest.mark.parametrize("ref", [LAKE, f"{LAKE}?map=random", CLIFF, "gym:Blackjack-v1"])
def test_contract(ref: str) -> None:
    task = load_task(ref)
    check_task(task)
    assert (task.id, task.ref, task.learns, task.inline) == (ref, ref, "instance", False)
    assert task.observations is Origin.TASK
    assert load_task(ref, untrusted=True).observations is Origin.UNTRUSTED


def test_frozen_lake_is_calm_and_says_what_happened() -> None:
    safe = played(LAKE, "south", "south", "east", "east", "south", "east")
    assert (safe.success, safe.ended, len(safe.steps)) == (True, True, 6)
    first = safe.steps[0].observation
    assert first.text == "You are at row 1, column 1. The goal lies south and east of here."
    hole = played(LAKE, "south", "east")
    assert (hole.success, hole.ended) == (False, True)
    assert hole.results[-1].observation.text == "You are at row 2, column 2."
    wall = played(LAKE, "north")
    assert (wall.success, wall.ended, len(wall.steps)) == (False, True, 100)
    assert wall.results[-1].truncated
    assert "blocked" in wall.steps[0].feedback


def test_frozen_lake_never_shows_the_map() -> None:
    task = load_task(f"{LAKE}?map=random")
    for instance in task.instances("train", 0, 6):
        for seed in range(3):
            for step in play(task, instance, random_policy(seed)).steps:
                assert "hole" not in step.observation.text
                assert not any(row in step.observation.text for row in ("SF", "FH", "HF", "FF"))


def test_random_maps_differ_by_instance_and_not_by_trial() -> None:
    task = load_task(f"{LAKE}?map=random")
    ends = []
    for instance in task.instances("train", 0, 12):
        moves = walk("south", "east")
        one, two = (play(task, instance, moves, seed) for seed in (1, 2))
        assert one == two
        ends.append(len(one.steps))
    assert len(set(ends)) > 1


def test_slips_follow_the_world_seed() -> None:
    task = load_task(f"{LAKE}?slippery=true")
    instance = task.instances("train", 0, 1)[0]
    runs = [play(task, instance, walk("south", "east"), seed).steps for seed in (1, 1, 2, 3, 4)]
    assert runs[0] == runs[1]
    assert len({str(run) for run in runs}) > 2


def test_cliff_walking_falls_back_to_the_start_and_has_a_limit() -> None:
    fall = played(CLIFF, "east")
    assert (fall.success, fall.ended, len(fall.steps)) == (False, False, 60)
    assert fall.steps[0].feedback.startswith("You fell off a cliff")
    assert fall.steps[0].reward == -100.0
    assert fall.results[0].observation == fall.steps[0].observation
    over = played(CLIFF, "north", *["east"] * 11, "south")
    assert (over.success, over.ended, len(over.steps)) == (True, True, 13)
    assert over.results[-1].observation.text == "You are at row 4, column 12."


def test_text_that_is_no_action_changes_nothing() -> None:
    task = load_task(CLIFF)
    environment = task.environment(task.instances("train", 0, 1)[0])
    before = environment.reset(0)
    assert environment.step(Action(text="jump")).observation == before


def test_success_is_unknown_until_declared() -> None:
    plain, declared = (load_task(f"gym:Blackjack-v1{q}") for q in ("", "?success=reward>=1"))
    assert "unknown" in plain.notes[0]
    assert declared.notes == ()
    for task, values in ((plain, {None}), (declared, {True, False})):
        got = {
            play(task, i, random_policy(s)).success
            for i in task.instances("train", 0, 8)
            for s in range(3)
        }
        assert got == values


def test_a_rule_on_the_sum_is_read_at_the_end() -> None:
    over = played(f"{CLIFF}?success=return>=-13", "north", *["east"] * 11, "south")
    assert over.success is True
    slow = played(f"{CLIFF}?success=return>=-12", "north", *["east"] * 11, "south")
    assert slow.success is False


def test_masked_actions_are_not_listed() -> None:
    task = load_task("gym:Taxi-v4")
    observation = task.environment(task.instances("train", 0, 1)[0]).reset(0)
    assert observation.actions is not None
    assert 0 < len(observation.actions) < 6


def test_task_seed_draws_other_instances() -> None:
    one, two = (load_task("gym:Taxi-v4", task_seed=s).instances("train", 0, 3) for s in (0, 1))
    assert not {i.id for i in one} & {i.id for i in two}
    assert [i.data for i in one] != [i.data for i in two]


@pytest.mark.parametrize(
    ("ref", "kind", "found"),
    [
        ("gym:FrozenLak-v1", UnknownNameError, "did you mean: FrozenLake-v1"),
        ("gym:FrozenLake", UnknownNameError, "did you mean: FrozenLake-v1"),
        ("gym:Taxi-v3", UnknownNameError, "did you mean: Taxi-v4"),
        ("gym:", UnknownNameError, "unknown gym id"),
        ("gym:os:Env-v0", UnknownNameError, "unknown gym id"),
        (f"{LAKE}?slipery=true", UnknownNameError, "did you mean: slippery"),
        (f"{CLIFF}?map=random", UnknownNameError, "unknown option"),
        (f"{LAKE}?map=big", ConfigurationError, "known: random"),
        (f"{LAKE}?success=always", ConfigurationError, "not a rule"),
        (f"{LAKE}?success", ConfigurationError, "name=value"),
        (f"{LAKE}?max_steps=0", ConfigurationError, "max_steps"),
        (f"{LAKE}?max_steps=many", ConfigurationError, "max_steps"),
        ("gym:CartPole-v1", ConfigurationError, "observations are not discrete"),
        ("gym:Pendulum-v1", ConfigurationError, "actions are not discrete"),
    ],
)
def test_what_cannot_work_is_one_line(ref: str, kind: type[Exception], found: str) -> None:
    with pytest.raises(kind, match=found) as caught:
        load_task(ref)
    assert "\n" not in str(caught.value)


def test_options_are_kept() -> None:
    task = load_task(f"{LAKE}?max_steps=9&map=random")
    assert task.max_steps == 9
    assert task.ref == f"{LAKE}?map=random&max_steps=9"
    assert load_task(task.ref).sha == task.sha


def test_missing_gymnasium_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigurationError, match=r'pip install "verbalrl\[gym\]"') as caught:
        load_gym(LAKE)
    assert "\n" not in str(caught.value)


def test_loading_other_tasks_does_not_import_gymnasium() -> None:
    import subprocess

    code = (
        "import sys; from verbalrl.integrations import load_task; load_task('gridnav-v1'); "
        "sys.exit('gymnasium' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

from verbalrl.errors import ConfigurationError, UnknownNameError
from verbalrl.integrations import load_gym, load_task
from verbalrl.records import Action, Origin, Situation
from verbalrl.tasks import Policy, check_task, play, random_policy

LAKE = "gym:FrozenLake-v1"
CLIFF = "gym:CliffWalking-v1"
TAXI = "gym:Taxi-v4"


def walk(*moves: str) -> Policy:
    def act(situation: Situation) -> Action:
        return Action(text=f"move {moves[(situation.step - 1) % len(moves)]}")

    return act


def say(text: str) -> Policy:
    return lambda _: Action(text=text)


def played(ref: str, *moves: str) -> Any:
    task = load_task(ref)
    return play(task, task.instances("train", 0, 1)[0], walk(*moves))


@pytest.fixture
def corridor() -> Iterator[str]:
    """An environment that nobody described: parts of several kinds, two actions, from 1."""
    import gymnasium

    class Corridor(gymnasium.Env[Any, Any]):
        action_space = gymnasium.spaces.Discrete(2, start=1)
        observation_space = gymnasium.spaces.Dict(
            {
                "place": gymnasium.spaces.Discrete(9),
                "speed": gymnasium.spaces.Box(-1, 1, (2,)),
                "sign": gymnasium.spaces.Text(9),
            }
        )

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            self.place = int(self.np_random.integers(0, 3))
            return self._seen(), {}

        def step(self, action: Any) -> Any:
            self.place += {1: 0, 2: 1}[int(action)]
            return self._seen(), float(self.place == 5), self.place == 5, False, {}

        def _seen(self) -> Any:
            import numpy

            speed = numpy.array([0.12345, -1.0], dtype=numpy.float32)
            return {"place": self.place, "speed": speed, "sign": "exit"}

    gymnasium.register("Corridor-v7", entry_point=cast(Any, Corridor), max_episode_steps=30)
    yield "gym:Corridor-v7"
    del gymnasium.registry["Corridor-v7"]


@pytest.mark.parametrize(
    "ref",
    [
        LAKE,
        f"{LAKE}?map=random",
        f"{CLIFF}?max_steps=20",
        pytest.param(f"{CLIFF}?max_steps=20&slippery=true", marks=pytest.mark.slow),
        pytest.param(f"{TAXI}?max_steps=30", marks=pytest.mark.slow),
        "gym:Blackjack-v1",
        "gym:CartPole-v1",
    ],
)
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


def test_words_of_any_space(corridor: str) -> None:
    check_task(load_task(corridor))
    task = load_task(corridor, task_seed=1)
    episode = play(task, task.instances("train", 0, 1)[0], say("take action two"))
    first = episode.steps[0].observation
    place = first.text.removeprefix("The state is place: ")[0]
    assert first.text == f"The state is place: {place}; speed: 0.123, -1; sign: exit."
    assert first.actions == ("take action one", "take action two")
    assert (episode.ended, len(episode.steps)) == (True, 5 - int(place))
    stayed = play(task, task.instances("train", 0, 1)[0], say("take action one"))
    assert stayed.results[0].feedback == "Nothing changed. The reward was 0."


def test_taxi_is_told_without_its_walls() -> None:
    task = load_task(TAXI)
    assert task.notes == ()
    instance = task.instances("train", 0, 1)[0]
    episode = play(task, instance, cast(Policy, task.oracle(instance)))
    assert (episode.success, episode.results[-1].reward) == (True, 20)
    said = [result.feedback for result in episode.results]
    assert said.count("The passenger got in.") == 1
    assert said[-1] == "The passenger is where they wanted to be, a success."
    text = episode.steps[0].observation.text
    assert text.startswith("Your taxi is at row ")
    assert " The passenger waits at the " in text
    assert not set("|:+") & set(text)
    wrong = play(task, instance, say("drop the passenger off")).results[0]
    assert (wrong.reward, wrong.feedback[:20]) == (-10, "That was not allowed")
    wandered = play(task, instance, random_policy(1))
    assert wandered.success is False


def test_blackjack_is_won_by_a_win_alone() -> None:
    task = load_task("gym:Blackjack-v1")
    assert task.notes == ("success is a win; a draw is none",)
    instances = task.instances("train", 0, 60)
    stick = say("stick with what you have")
    ends = [play(task, i, stick, seed).results[-1] for i in instances for seed in range(3)]
    assert {(e.reward, e.success) for e in ends} == {(1, True), (0, False), (-1, False)}
    assert {e.feedback.rpartition("and ")[2] for e in ends if e.reward == 0} == {"it is a draw."}
    hit = play(task, instances[0], say("hit for one more card")).results[-1]
    assert (hit.success, hit.feedback[-9:]) == (False, "you lost.")


@pytest.mark.parametrize("ref", [LAKE, f"{LAKE}?map=random", CLIFF, TAXI])
def test_the_oracle_solves_all(ref: str) -> None:
    task = load_task(ref)
    for instance in task.instances("test", 0, 20):
        assert play(task, instance, cast(Policy, task.oracle(instance))).success


def test_no_oracle_where_chance_rules() -> None:
    for ref in (f"{LAKE}?slippery=true", f"{TAXI}?slippery=true", "gym:Blackjack-v1"):
        task = load_task(ref)
        assert task.oracle(task.instances("train", 0, 1)[0]) is None


def test_a_slippery_cliff_slips() -> None:
    task = load_task(f"{CLIFF}?slippery=true")
    instance = task.instances("train", 0, 1)[0]
    assert len({str(play(task, instance, walk("north"), seed).steps) for seed in range(6)}) > 1


def test_success_is_unknown_until_declared(corridor: str) -> None:
    plain, declared = (
        load_task(f"{corridor}{q}") for q in ("?max_steps=6", "?max_steps=6&success=reward>=1")
    )
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
        (f"{LAKE}?slippery=much", ConfigurationError, "neither true nor false"),
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

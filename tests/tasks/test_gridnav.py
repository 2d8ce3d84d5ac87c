from collections import Counter

import pytest

from verbalrl.errors import ConfigurationError
from verbalrl.records import Action, Observation
from verbalrl.tasks import check_task, load_task, play, random_policy
from verbalrl.tasks.check import named_actions
from verbalrl.tasks.gridnav import ACTIONS, GridEnvironment, GridNav, Layout

WORLD = GridNav()
LAYOUT = Layout(3, (0, 0), (2, 2), frozenset({(0, 1)}))

FIRST = [
    {"start": [4, 2], "goal": [0, 0], "pits": [[1, 2], [2, 0], [3, 2]]},
    {"start": [0, 2], "goal": [4, 1], "pits": [[0, 4], [1, 1], [3, 2]]},
]


def layouts(world: GridNav, count: int) -> list[Layout]:
    task = load_task("gridnav-v1")
    return [world.layout(i) for i in task.instances("train", 0, count)]


def test_layouts_are_kept_by_the_filter_that_the_readme_states() -> None:
    kept = layouts(WORLD, 60)
    assert all(0.05 <= layout.safe_share() <= 0.35 for layout in kept)
    assert all(3 <= layout.fatal_edges() <= 5 for layout in kept)
    assert all(layout.safe_path() for layout in kept)
    assert 0.15 < sum(layout.safe_share() for layout in kept) / len(kept) < 0.23
    assert len({(x.start, x.goal, x.pits) for x in kept}) == len(kept)


def test_first_layouts_never_change() -> None:
    # These are what gridnav-v1 means; other ones need gridnav-v2.
    first = load_task("gridnav-v1").instances("train", 0, 2)
    assert [i.data for i in first] == FIRST


def test_naive_share_counts_even_choices() -> None:
    # East at once is fatal, south is safe for ever after.
    assert LAYOUT.safe_share() == 0.5
    assert LAYOUT.fatal_edges() == 1
    assert len(LAYOUT.safe_path()) == 4


def test_pit_wall_goal_and_nonsense() -> None:
    environment = GridEnvironment(LAYOUT, hint=True)
    first = environment.reset(0)
    assert first == Observation(
        text="You are at row 1, column 1. The goal lies south and east of here.", actions=ACTIONS
    )
    wall = environment.step(Action(text="move north"))
    assert wall.observation == first
    assert (wall.terminated, wall.success) == (False, False)
    nonsense = environment.step(Action(text="fly"))
    assert nonsense.observation == first
    pit = environment.step(Action(text="Move East."))
    assert (pit.terminated, pit.success, pit.reward) == (True, False, -1.0)
    assert "goal" not in pit.observation.text
    environment.reset(1)
    for move in ("south", "south", "east", "east"):
        last = environment.step(Action(text=f"move {move}"))
    assert (last.terminated, last.success, last.reward) == (True, True, 1.0)


def test_feedback_names_no_direction() -> None:
    task = load_task("gridnav-v1")
    said: Counter[str] = Counter()
    for instance in task.instances("train", 0, 20):
        for seed in range(5):
            said.update(step.feedback for step in play(task, instance, random_policy(seed)).steps)
    assert len(said) >= 3
    for feedback in said:
        assert named_actions(feedback, ACTIONS, "") == ()


def test_random_policy_hardly_ever_succeeds() -> None:
    task = load_task("gridnav-v1")
    wins = [play(task, i, random_policy()).success for i in task.instances("test", 0, 200)]
    assert sum(win is True for win in wins) <= 20


@pytest.mark.parametrize(
    "ref",
    [
        "gridnav-v1",
        "gridnav-v1?pits=4",
        "gridnav-v1?hint=false",
        "gridnav-v1?pits=6&min_safe=0&max_safe=1&min_fatal=0&max_fatal=99",
        "gridnav-v1?side=8&pits=8",
    ],
)
def test_variants_keep_the_contract(ref: str) -> None:
    task = load_task(ref)
    check_task(task)
    assert task.max_steps == (36 if "side=8" in ref else 24)


def test_no_hint_tells_no_direction() -> None:
    task = load_task("gridnav-v1?hint=false")
    instance = task.instances("train", 0, 1)[0]
    assert task.environment(instance).reset(0).text.count(".") == 1


@pytest.mark.parametrize("query", ["pits=24", "side=2", "pits=two", "min_fatal=30&max_fatal=40"])
def test_settings_that_cannot_work_fail_at_load(query: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_task(f"gridnav-v1?{query}")
    assert "\n" not in str(caught.value)

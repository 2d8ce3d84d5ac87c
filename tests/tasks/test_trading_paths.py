"""What decisions on a desk come to, against values worked out by hand."""

import math

import pytest

from verbalrl.tasks import load_task, play
from verbalrl.tasks import trading_paths as paths
from verbalrl.tasks.desk import Desk, Terms
from verbalrl.tasks.market import Market, Series
from verbalrl.tasks.trading_controls import CONTROLS, control

CLOSES = (100.0, 110.0, 99.0, 108.9, 98.01)
"""Up a tenth, down a tenth, up, down."""


def desk(cost: float = 0.0, *others: tuple[float, ...]) -> Desk:
    assets = tuple(
        Series(f"A{n}", closes, tuple(() for _ in closes), tuple("" for _ in closes))
        for n, closes in enumerate((CLOSES, *others))
    )
    market = Market(tuple(map(str, range(len(CLOSES)))), assets)
    return Desk(market, 0, len(CLOSES) - 1, Terms(cost, 0.5))


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-9, rel=1e-9)


def test_every_measure_of_a_fixed_series_is_its_hand_value() -> None:
    # Long +10 %, short over -10 %, out, short over -10 %: .1, .1, 0, .1.
    path = paths.walked(desk(), ("buy", "sell", "hold", "sell"))
    assert path.whole
    assert path.results == near_all(0.1, 0.1, 0.0, 0.1)
    assert path.weights == ((1.0,), (-1.0,), (0.0,), (-1.0,))
    # Short of 1 grown to .9/1.1 by the fall, then left; in again: 1 + 2 + .9/1.1 + 1.
    assert path.traded == near_all(1.0, 2.0, 0.9 / 1.1, 1.0)
    spread = math.sqrt((3 * 0.025**2 + 0.075**2) / 3)
    assert paths.measures(path) == {
        "log_return": near(math.log(1.1) - 2 * math.log(0.9)),
        "compounded": near(1.1**3 - 1),
        "sharpe": near(0.075 / spread * math.sqrt(252)),
        "max_drawdown": near(0.0),
        "cvar": near(0.0),
        "turnover": near((1 + 2 + 0.9 / 1.1 + 1) / 4),
    }


def near_all(*values: float) -> object:
    return pytest.approx(values, abs=1e-9, rel=1e-9)


def test_costs_lower_the_return_and_not_the_log_sum_of_the_paper() -> None:
    path = paths.walked(desk(0.01), ("buy", "buy", "buy", "buy"))
    found = paths.measures(path)
    assert found["log_return"] == near(math.log(0.9801))
    assert found["compounded"] == near(1.09 * 0.9 * 1.1 * 0.9 - 1)
    assert found["max_drawdown"] == near(1 - 0.9 * 1.1 * 0.9)
    assert found["cvar"] == near(-0.1)
    assert found["turnover"] == near(0.25)


def test_several_assets_add_up_by_their_weights() -> None:
    flat = (50.0,) * 5
    path = paths.walked(desk(0.0, flat), ("weights A0 0.5, A1 -0.5",))
    assert not path.whole
    assert path.weights == ((0.5, -0.5),)
    assert path.log_return == near(0.5 * math.log(1.1))


def test_decisions_after_the_end_are_not_taken() -> None:
    assert len(paths.walked(desk(), ["buy"] * 9).results) == 4


def test_capital_and_drawdown_by_day() -> None:
    assert paths.capital((0.1, -0.1)) == near_all(1.0, 1.1, 0.99)
    assert paths.drawdowns((0.1, -0.1, 0.2)) == near_all(0.0, 0.0, -0.1, 0.0)
    assert paths.mean_by_day([[1.0, 2.0], [1.0, 0.0, 4.0], []]) == [1.0, 1.0, 3.0]
    assert paths.mean_by_day([]) == []


def test_runs_are_paired_by_period_and_seed() -> None:
    ours = {("a", 0): 0.2, ("a", 1): 0.1, ("b", 0): 0.3, ("c", 0): 9.0}
    theirs = {("a", 0): 0.1, ("a", 1): 0.2, ("b", 0): 0.0}
    # Differences .1, -.1, .3: ranks 1.5, 1.5, 3; 1.5 or less by 3 of 8 sign patterns, twice.
    assert paths.paired(ours, theirs) == {
        "diff": near(0.1), "w": 1.5, "p": near(6 / 8), "n": 3
    }  # fmt: skip
    assert paths.paired(ours, {}) is None


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_walk_what_they_played(name: str) -> None:
    task = load_task("portfolio-v1")
    (instance,) = task.instances("test", 0, 1)
    world = paths.world_of(task)
    assert world is not None
    path = paths.controlled(name, world, instance, 1)
    played = play(task, instance, control(name, task, instance, 1))
    assert path.whole
    assert path.results == tuple(result.reward for result in played.results)
    assert len(path.weights) == 20


def test_a_task_without_a_desk_is_not_traded() -> None:
    assert paths.world_of(load_task("gridnav-v1")) is None
    assert paths.world_of(load_task("trading-v1")) is not None

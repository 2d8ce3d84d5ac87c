"""A dry run asks nobody and stores nothing; what the run then takes lies in what it said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.budget import PRICES, Spender
from tests.loop.world import pressing, safes
from verbalrl import Budget, ChatAgent, Learner, Limits, ScriptedModel, load_task
from verbalrl.errors import ConfigurationError
from verbalrl.methods import Method, handbook, reflexion
from verbalrl.models import OfflineModel
from verbalrl.stats import smallest_effect

GRID = ("gridnav-v1", reflexion(trials=3), {"instances": 5})
TRIAGE = ("triage-v1", handbook(trials=2, round_size=8), {"instances": 6, "train_instances": 12})


@pytest.mark.parametrize(("name", "method", "settings"), [GRID, TRIAGE])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_run_takes_what_was_foretold(
    tmp_path: Path, name: str, method: Method, settings: dict[str, Any], seeds: tuple[int, ...]
) -> None:
    task = load_task(name)
    learner = Learner(ChatAgent(OfflineModel()), method=method, store=tmp_path)
    said: Any = learner.forecast_sync(task, seeds=seeds, **settings).figures
    assert list(tmp_path.iterdir()) == []
    result = learner.run_sync(task, seeds=seeds, **settings)
    for arm, figures in result.arms.items():
        tokens = figures["tokens"].values()
        took = {
            "episodes": figures["episodes"],
            "calls": sum(t["calls"] for t in tokens),
            "tokens": sum(t["input"] + t["cached"] + t["output"] for t in tokens),
        }
        for what, value in took.items():
            low, high = said["arms"][arm][what]
            assert low <= value <= high, (arm, what)


def test_nobody_is_asked(tmp_path: Path) -> None:
    model = ScriptedModel([])
    learner = Learner(ChatAgent(model), store=tmp_path / "store")
    found = learner.forecast_sync(load_task("gridnav-v1"), instances=4, trials=2)
    assert model.requests == []
    assert not (tmp_path / "store").exists()
    assert "smallest effect it can show: 0.99 in success" in found.table()


def test_the_plan_itself_is_counted(tmp_path: Path) -> None:
    task = safes("red", "red", "red", max_steps=3)
    learner = Learner(pressing("green"), method=reflexion(trials=4), critic=ScriptedModel([]))
    said: Any = learner.forecast_sync(task).figures
    # Three safes, four attempts of three steps, and a critique after each but the last.
    assert said["arms"]["learned"]["calls"] == [3, 3 * (4 * 3 + 3)]
    assert said["arms"]["retry"]["calls"] == [3, 3 * 4 * 3]
    assert said["arms"]["none"]["episodes"] == [3, 3]
    assert said["total"]["episodes"] == [9, 27]


def test_costs_follow_the_prices() -> None:
    def cost(budget: Budget) -> Any:
        learner = Learner(ChatAgent(Spender()), limits=Limits(budget=budget))
        said: Any = learner.forecast_sync(load_task("gridnav-v1"), instances=3).figures
        return said["total"]["cost_usd"]

    low, high = cost(Budget(prices=PRICES))
    assert 0 < low < high
    # A smaller cap makes replies cheaper.
    assert cost(Budget(prices=PRICES, max_output=50))[1] < high
    assert cost(Budget()) is None
    with pytest.raises(ConfigurationError, match="no price is known for spender"):
        cost(Budget(cost_usd=1))


def test_what_cannot_run_cannot_be_foretold() -> None:
    learner = Learner(pressing("green"), method=reflexion(trials=2))
    with pytest.raises(ConfigurationError, match="no model to criticise with"):
        learner.forecast_sync(safes("red"))


def test_the_smallest_effect_shrinks_with_instances_and_less_with_seeds() -> None:
    # 2.8 standard errors of a difference with variance one half.
    assert smallest_effect(100) == pytest.approx(2.801585 * 0.05**0.5 / 10**0.5)
    assert smallest_effect(400) == pytest.approx(smallest_effect(100) / 2)
    assert smallest_effect(100) > smallest_effect(100, 4) > smallest_effect(200)

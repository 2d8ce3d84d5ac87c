"""A dry run asks nobody and stores nothing; what the run then takes lies in what it said."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.budget import PRICES, Spender
from tests.loop.world import pressing, safes
from verbalrl import Budget, ChatAgent, Learner, Limits, ScriptedModel, load_task
from verbalrl.errors import ConfigurationError, StorageError, UnknownNameError
from verbalrl.memory.feedback import give_feedback
from verbalrl.methods import (
    Cvrf,
    Method,
    Rci,
    critique_refine,
    handbook,
    rci,
    reflexion,
    self_refine,
)
from verbalrl.models import Model, OfflineModel, Request
from verbalrl.records import ScopedFeedback
from verbalrl.stats import smallest_effect
from verbalrl.store import Store

GRID = ("gridnav-v1", reflexion(trials=3), {"instances": 5})
CRITIQUE = {
    "verdict": "failure",
    "lessons": [{"step": 1, "when": "Pressed", "instruction": "do not choose green"}],
}
FEW = {"instances": 6, "train_instances": 12}
TRIAGE = ("triage-v1", handbook(trials=2, round_size=8), FEW)
ASKING = ("triage-v1", handbook(trials=2, round_size=8, votes="expel", condition="model"), FEW)


SEARCHING = [
    ("triage-v1", method, {"instances": 4})
    for method in (self_refine(), rci(), Rci(on="answer"), critique_refine(fresh=2))
]
WALKING = ("gridnav-v1", rci(), {"instances": 3})
TRADING = (
    "trading-v1?horizon=8",
    Cvrf(trials=3, portions=2),
    {"instances": 2, "train_instances": 2, "arms": ("none", "learned")},
)


@pytest.mark.parametrize(
    ("name", "method", "settings"), [GRID, TRIAGE, ASKING, *SEARCHING, WALKING, TRADING]
)
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


def test_comparisons_of_trades_are_counted(tmp_path: Path) -> None:
    task = load_task("trading-v1?horizon=8")
    method = Cvrf(trials=4, portions=3, control=False)
    learner = Learner(ChatAgent(ScriptedModel([])), method=method, store=tmp_path)
    size = {"instances": 2, "train_instances": 1, "arms": ("learned",)}
    said: Any = learner.forecast_sync(task, **size).figures
    # At best two episodes agree at once; a critique, an edit, the test; no day is left out. At
    # worst four episodes of eight days, three comparisons of three portions each, from the second
    # edit on a merge, and every edit is refused once.
    assert said["arms"]["learned"]["calls"] == [8 * 4 + 1 + 1, 8 * 6 + 3 * 3 + 2 + 3 + 3]
    assert said["arms"]["learned"]["episodes"] == [4, 6]


def test_the_notes_of_a_control_are_counted_and_no_calls(tmp_path: Path) -> None:
    task, said = load_task("trading-v1?horizon=5"), {}
    for control in (None, "cvar"):
        limits = Limits(control=control)
        learner = Learner(ChatAgent(OfflineModel()), store=tmp_path, limits=limits)
        figures: Any = learner.forecast_sync(task, arms=("none",), instances=2).figures
        said[control] = figures["arms"]["none"]
    plain, watched = said[None], said["cvar"]
    assert watched["calls"] == plain["calls"] == [10, 10]
    # A note beside each of five decisions on two instances, at most.
    assert watched["tokens"] == [plain["tokens"][0], plain["tokens"][1] + 2 * 5 * 120]


def taught(store: Store, count: int) -> None:
    """The branch main with conditional lessons of a person."""
    said = [
        ScopedFeedback(text="", domain=f"the lamp shows {n}", effect=f"Press {n}.")
        for n in range(count)
    ]
    asyncio.run(give_feedback(store, said, scope="safes-v1"))


def asking(store: Store, critic: Model, agent: Any = None) -> Learner:
    method = handbook(trials=1, condition="model")
    return Learner(agent or pressing("green"), method=method, critic=critic, store=store)


def test_asking_whether_lessons_apply_is_counted(store: Store) -> None:
    task = safes("red", "red", "red", test=["red", "red"], max_steps=3)
    said: Any = asking(store, ScriptedModel([])).forecast_sync(task, arms=("learned",)).figures
    # Three attempts with a critique each, one curation, two attempts of which each is asked about.
    assert said["arms"]["learned"]["calls"] == [3 + 3 + 1 + 2, 3 * 3 + 3 + 1 + 2 * 3 + 2]
    plain = Learner(pressing("green"), method=handbook(trials=1), critic=ScriptedModel([]))
    without: Any = plain.forecast_sync(task, arms=("learned",)).figures
    assert without["arms"]["learned"]["calls"] == [3 + 3 + 1 + 2, 3 * 3 + 3 + 1 + 2 * 3]


@pytest.mark.parametrize(("name", "method", "settings"), [GRID, TRIAGE, ASKING])
def test_a_model_that_recalls_is_explained_where_one_is_asked(
    tmp_path: Path, name: str, method: Method, settings: dict[str, Any]
) -> None:
    learner = Learner(ChatAgent(OfflineModel()), method=method, store=tmp_path)
    said = learner.forecast_sync(load_task(name), **settings).table()
    assert ("recall" in said) is ((name, method, settings) == ASKING)


def test_what_a_run_starts_with_is_counted_and_the_pairs_that_may_be_near(store: Store) -> None:
    taught(store, 41)
    task = safes("red", test=["red"], max_steps=1)
    known: dict[str, Any] = {"start": "main", "arms": ("learned",)}
    said: Any = asking(store, ScriptedModel([])).forecast_sync(task, **known).figures
    # One attempt, its critique, one group; 41 lessons take two calls at each of two attempts; and
    # at most one call on what is near to one of them.
    assert said["arms"]["learned"]["calls"] == [1 + 1 + 1 + 1 + 4, 1 + 1 + 1 + 1 + 4 + 1]
    learner = asking(store, ScriptedModel(answered), ChatAgent(ScriptedModel(answered)))
    tokens: Any = learner.run_sync(task, **known).arms["learned"]["tokens"]
    assert tokens["recall"]["calls"] == 4
    assert (
        sum(t["input"] + t["output"] for t in tokens.values())
        <= said["arms"]["learned"]["tokens"][1]
    )


def answered(request: Request) -> Any:
    """Presses green; no lesson applies, and none is learned."""
    if request.role == "recall":
        names = re.findall(r"^\[(\d+)\]", request.messages[-1].text, re.M)
        return dict.fromkeys(names, False)
    acts = {"thought": "", "action": "green", "lessons_used": []}
    return {"actor": acts, "critic": CRITIQUE, "curator": {"operations": []}}[request.role]


def test_a_branch_that_is_not_there_is_no_start(store: Store, tmp_path: Path) -> None:
    task = safes("red", test=["red"])
    with pytest.raises(UnknownNameError, match="nobody"):
        asking(store, ScriptedModel([])).forecast_sync(task, start="nobody")
    with pytest.raises(ConfigurationError, match="give store="):
        Learner(pressing("green"), critic=ScriptedModel([])).forecast_sync(task, start="main")
    with pytest.raises(StorageError):
        Learner(pressing("green"), critic=ScriptedModel([]), store=tmp_path / "no").forecast_sync(
            task, start="main"
        )


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

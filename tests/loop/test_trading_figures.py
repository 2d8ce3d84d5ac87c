"""Figures of a run on a task that is traded."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.tasks.test_prices import closes, plain, written
from verbalrl.cli import main
from verbalrl.errors import ModelError
from verbalrl.models import Request
from verbalrl.result.trading import controls, trading_lines
from verbalrl.tasks import load_task

ARMS = ("none", "retry")


def figures(place: Path, answer: Any, query: str = "horizon=500&cost=0", **how: Any) -> Any:
    task = load_task(f"prices:{written(place / 'AAPL.csv', plain())}?{query}")
    agent = vrl.ChatAgent(vrl.ScriptedModel(answer))
    method = how.pop("method", vrl.methods.reflexion())
    learner = vrl.Learner(agent, method=method, store=place / "store")
    return learner.run_sync(task, **{"trials": 1, "arms": ARMS, **how})


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-9, rel=1e-9)


def test_who_always_buys_is_buy_and_hold_of_the_file(tmp_path: Path) -> None:
    result = figures(tmp_path, lambda _: {"action": "buy"}, instances=2)
    found, prices = result.figures["trading"], closes()
    spans = ((0, 41), (41, 59))
    grown = [prices[last] / prices[first] for first, last in spans]
    for of in (found["arms"]["none"], found["controls"]["buy-and-hold"]):
        assert of["compounded"] == near(sum(grown) / 2 - 1)
        assert of["log_return"] == near(sum(map(math.log, grown)) / 2)
        assert of["turnover"] == near((1 / 41 + 1 / 18) / 2)
    assert found["arms"]["none"]["vs_buy_and_hold"] == {"diff": 0.0, "w": 0.0, "p": 1.0, "n": 2}
    assert [row[2] for row in found["arms"]["none"]["returns"]] == [near(g - 1) for g in grown]
    assert len(found["capital"]["none"]) == 42
    assert found["shown"]["none"]["days"][0] == "2022-01-03"
    assert found["shown"]["none"]["weights"] == [[1.0]] * 41
    assert found["shown"]["none"]["alerts"] == []


def test_runs_are_seeds_times_periods(tmp_path: Path) -> None:
    result = figures(
        tmp_path, lambda _: {"action": "hold"}, "horizon=10", seeds=(0, 1), instances=(4, 6)
    )
    found = result.figures["trading"]
    assert (found["periods"], found["days"], found["cost"]) == (2, 10, 0.001)
    none = found["arms"]["none"]
    assert (none["runs"], none["compounded"], none["vs_buy_and_hold"]["n"]) == (4, 0.0, 4)
    assert found["controls"]["random"]["runs"] == 4
    assert found["arms"]["retry"]["vs_none"]["p"] == 1.0


@pytest.mark.parametrize("name", ["handbook", "reflexion"])
def test_of_a_method_that_is_read_once_the_first_attempt_counts(tmp_path: Path, name: str) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Any:
        asked.append(request)
        return {"action": "hold" if len(asked) <= 18 else "sell"}

    how = {"method": vrl.methods.method(name), "trials": 2, "instances": (1, 2), "arms": ("retry",)}
    if name == "handbook":
        how["instances"] = 1
    result = figures(tmp_path, answer, "horizon=500&cost=0", **how)
    sold = result.figures["trading"]["arms"]["retry"]["compounded"] != 0.0
    assert (len(asked), sold) == (36, name == "reflexion")


def test_runs_that_break_are_left_out_and_counted(tmp_path: Path) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Any:
        asked.append(request)
        if len(asked) == 3:
            return ModelError("away")
        return {"action": "sell"}

    result = figures(tmp_path, answer, "horizon=20", instances=2, arms=("none",))
    arm = result.figures["trading"]["arms"]["none"]
    assert (arm["runs"], arm["left_out"]) == (1, 1)
    # Controls stand on the same periods.
    assert result.figures["trading"]["controls"]["momentum"]["runs"] == 1
    assert "runs that did not reach the end, left out: none 1" in result.table()


def test_the_table_stands_below_the_usual_one(tmp_path: Path) -> None:
    result = figures(tmp_path, lambda _: {"action": "buy"}, instances=2)
    lines = result.table().splitlines()
    place = lines.index("trading AAPL: 2 periods of 41 days, costs 0.00%")
    heads, none = lines[place + 1], lines[place + 3]
    assert heads.split()[:3] == ["arm", "runs", "log-sum"]
    assert none.startswith("none")
    # With one asset three controls are buy-and-hold.
    assert list(controls(result.figures["trading"])) == [
        "buy-and-hold, equal-weight, mean-variance, minimum-variance", "momentum", "random",
    ]  # fmt: skip
    assert max(map(len, lines[1:])) <= 100
    # Intervals and chances stand below what they are of; so do the names of controls alike.
    assert none.split()[-2:] == ["–", "+0.000"]
    assert re.fullmatch(r" +\[[+-][\d.]+, [+-][\d.]+\] +p=1\.000", lines[place + 4])
    assert lines[place + 7].startswith("buy-and-hold,")
    assert lines[place + 8].startswith(" equal-weight,")
    html = result._repr_html_()
    assert html.count("<table>") == 2
    assert "<p>none" not in html


def test_other_tasks_have_no_such_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "gridnav-v1", "--method", "reflexion", "--model", "offline:apprentice"]
    sizes = ["--instances", "1", "--trials", "1", "--store", str(tmp_path), "--json"]
    assert main([*words, *sizes]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "trading" not in found
    assert trading_lines(found) == []

"""`To do it again`: the command of a report leads to a run that was set to the same."""

import shlex
from pathlib import Path
from typing import Any

import pytest

import verbalrl as vrl
from tests.tasks.test_prices import plain, written
from verbalrl.cli import main
from verbalrl.methods import reflexion
from verbalrl.records import RunRecord
from verbalrl.rollout import Hook
from verbalrl.store import open_store
from verbalrl.view.again import command_line

OFFLINE = ("--model", "offline:apprentice")
SMALL = ("--instances", "2", "--trials", "2")


def last(store: Path) -> RunRecord:
    with open_store(store) as kept:
        return kept.runs()[-1]


def test_it_names_team_memos_control_and_the_file(tmp_path: Path) -> None:
    prices = written(tmp_path / "AAPL.csv", plain())
    ref = f"prices:{prices}?cost=0.002&horizon=8"
    team = (
        "--team",
        "momentum,risk",
        "--analyst-model",
        "offline:apprentice#2",
        "--memos",
        "finmem",
    )
    given = (*OFFLINE, *team, "--method", "cvrf", "--control", "cvar", "--repeats", "7")
    more = (*SMALL, "--train-instances", "1", "--arms", "none,learned", "--set", "overlap=0.5")
    stores = [tmp_path / name for name in ("first", "again")]
    assert main(["run", ref, *given, *more, "--store", str(stores[0])]) == 0
    words = shlex.split(command_line(last(stores[0])))
    assert words[:3] == ["verbalrl", "run", ref]
    assert main([*words[1:], "--store", str(stores[1])]) == 0
    first, again = map(last, stores)
    assert again.config == first.config
    earned: list[Any] = [(run.result or {})["trading"] for run in (first, again)]
    assert earned[0]["arms"] == earned[1]["arms"]


@pytest.mark.parametrize(
    "given",
    [
        ("gridnav-v1?pits=4", "--task-seed", "3", "--untrusted", "--seed", "4", "--seeds", "2"),
        ("gridnav-v1", "--no-learn", "--max-tokens", "900000", "--concurrency", "3"),
        ("triage-v1", "--method", "handbook", "--gate", "review", "--train-instances", "2"),
    ],
)
def test_the_command_is_set_to_the_same(given: tuple[str, ...], tmp_path: Path) -> None:
    stores = [tmp_path / name for name in ("first", "again")]
    assert main(["run", *given, *OFFLINE, *SMALL, "--store", str(stores[0])]) == 0
    words = shlex.split(command_line(last(stores[0])))
    assert main([*words[1:], "--store", str(stores[1])]) == 0
    assert last(stores[1]).config == last(stores[0]).config


class Silent(Hook):
    """Says nothing."""

    name = "silent"


def mixed() -> vrl.Team:
    agents = {
        "news": vrl.ChatAgent("offline:apprentice#1"),
        "risk": vrl.ChatAgent("offline:apprentice#2"),
    }
    return vrl.Team(vrl.ChatAgent("offline:apprentice"), agents)


@pytest.mark.parametrize(
    "parts",
    [
        {"hooks": (Silent(),)},
        {"limits": vrl.Limits(max_steps=3)},
        {"agent": mixed()},
    ],
)
def test_what_no_command_can_say_has_none(parts: dict[str, Any], tmp_path: Path) -> None:
    chosen = {"agent": vrl.ChatAgent("offline:apprentice"), "method": reflexion(trials=1), **parts}
    task = vrl.load_task("trading-v1?horizon=8")
    vrl.Learner(**chosen, store=tmp_path).run_sync(task, instances=1, arms=("none",))
    assert command_line(last(tmp_path)) == ""

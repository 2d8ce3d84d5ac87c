"""`run --control cvar` on tasks whose rewards are no results of days."""

from pathlib import Path

import pytest

from verbalrl.cli import main

SMALL = ("--model", "offline:apprentice", "--method", "reflexion", "--instances", "2")
CONTROLLED = (*SMALL, "--trials", "1", "--arms", "none", "--control", "cvar")


def said(task: str, place: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = main(["run", task, *CONTROLLED, *more, "--store", str(place / "store")])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_task_of_one_step_is_refused(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = said("triage-v1", tmp_path, capsys, *more)
    assert code == 2
    assert line.count("\n") == 1
    assert "--control cvar: an episode of triage-v1 has one step" in line
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("task", "unheard"), [("gridnav-v1", True), ("trading-v1?horizon=6", False)]
)
def test_that_no_step_had_a_reward_is_said_after_the_run(
    task: str, unheard: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = said(task, tmp_path, capsys)
    assert code == 0
    assert ("had nothing to say: gridnav-v1 gives no reward before the last" in lines) is unheard
